/* sweep.c: the statements of db/sql/sweep.sql as typed calls. It must not decide when they run. */
#include "db/sweep.h"

DB_VALUE(count_more, bool, more);
DB_VALUE(gone, int64_t, gone);
DB_VALUE(hub_id, int64_t, hub_id);
DB_VALUE(came_to, struct str, came_to);
DB_ROW(inputs_scope, struct db_inputs_scope, COL(id_scope), COL(old), COL(began));

err_t db_sweep_begin(struct db *db, struct arena *a, const struct str *kinds, size_t count)
{
    return db_do(db, a, DB_CALL(SQL_SWEEP_BEGIN, db_texts(kinds, count)), DB_REPEATABLE);
}

err_t db_sweep_link_validate(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs)
{
    return db_count(db, a, DB_CALL(SQL_SWEEP_LINK_VALIDATE, db_i64(next_ms), db_i64(at_most)), DB_ONCE, ret_jobs);
}

err_t db_sweep_latency_measure(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs)
{
    return db_count(db, a, DB_CALL(SQL_SWEEP_LATENCY_MEASURE, db_i64(next_ms), db_i64(at_most)), DB_ONCE, ret_jobs);
}

err_t db_sweep_issuers(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs)
{
    return db_count(db, a, DB_CALL(SQL_SWEEP_ISSUERS, db_i64(next_ms), db_i64(at_most)), DB_ONCE, ret_jobs);
}

err_t db_sweep_retired_scopes(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    return db_one(db, a, DB_CALL(SQL_SWEEP_RETIRED_SCOPES, db_i32(at_most)), DB_ONCE, ret_gone, sizeof *ret_gone);
}

err_t db_sweep_retired_hubs(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    return db_one(db, a, DB_CALL(SQL_SWEEP_RETIRED_HUBS, db_i32(at_most)), DB_ONCE, ret_gone, sizeof *ret_gone);
}

err_t db_sweep_latencies(struct db *db, struct arena *a, int64_t old_ms, int at_most, int64_t *ret_gone)
{
    return db_count(db, a, DB_CALL(SQL_SWEEP_LATENCIES, db_i64(at_most), db_i64(old_ms)), DB_ONCE, ret_gone);
}

err_t db_sweep_challenges(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    return db_count(db, a, DB_CALL(SQL_SWEEP_CHALLENGES, db_i64(at_most)), DB_ONCE, ret_gone);
}

err_t db_sweep_name_rests(struct db *db, struct arena *a, int64_t old_ms, int at_most, int64_t *ret_gone)
{
    return db_count(db, a, DB_CALL(SQL_SWEEP_NAME_RESTS, db_i64(at_most), db_i64(old_ms)), DB_ONCE, ret_gone);
}

err_t db_sweep_hub_device_count(struct db *db, struct arena *a, int64_t *hub, int at_most)
{
    return db_first(db, a, DB_CALL(SQL_SWEEP_HUB_DEVICE_COUNT, db_i64(*hub), db_i64(at_most)), DB_ONCE, NULL, hub,
                    sizeof *hub);
}

err_t db_sweep_inputs_scope(struct db *db, struct arena *a, struct str after, int64_t old_ms, int at_most,
                            struct db_inputs_scope *ret)
{
    return db_one(db, a, DB_CALL(SQL_SWEEP_INPUTS_SCOPE, db_text(after), db_i32(at_most), db_i64(old_ms)),
                  DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_sweep_inputs_mark(struct db *db, struct arena *a, const struct db_inputs_scope *s, struct str after,
                           int at_most, struct str *ret_came_to)
{
    return db_one(
        db, a, DB_CALL(SQL_SWEEP_INPUTS_MARK, db_text(s->id_scope), db_text(after), db_i64(at_most), db_text(s->began)),
        DB_REPEATABLE, ret_came_to, sizeof *ret_came_to);
}

err_t db_sweep_inputs_clear(struct db *db, struct arena *a, const struct db_inputs_scope *s, int64_t old_ms,
                            int at_most, int64_t *ret_gone)
{
    return db_count(
        db, a,
        DB_CALL(SQL_SWEEP_INPUTS_CLEAR, db_text(s->id_scope), db_text(s->began), db_i64(at_most), db_i64(old_ms)),
        DB_ONCE, ret_gone);
}

err_t db_sweep_count(struct db *db, struct arena *a, struct str round, int at_most, bool *ret_more)
{
    bool begun;
    TRY(db_first(db, a, DB_CALL(SQL_SWEEP_COUNT, db_i64(at_most), db_text(round)), DB_ONCE, &begun, ret_more,
                 sizeof *ret_more));
    return begun ? NULL : db_do(db, a, DB_CALL(SQL_SWEEP_COUNT_BEGIN, db_text(round)), DB_REPEATABLE);
}
