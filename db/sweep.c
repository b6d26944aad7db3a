/* sweep.c: the statements of db/sql/sweep.sql as typed calls. It must not decide when they run. */
#include "db/sweep.h"

/* What a sweep counted, or where it has come to. */
struct progress {
    int64_t gone, hub_id;
    struct str came_to;
};
DB_ROW(gone, struct progress, COL(struct progress, gone, I64));
DB_ROW(hub_id, struct progress, COL(struct progress, hub_id, I64));
DB_ROW(came_to, struct progress, COL(struct progress, came_to, TEXT));
DB_ROW(inputs_scope, struct db_inputs_scope, COL(struct db_inputs_scope, id_scope, TEXT),
       COL(struct db_inputs_scope, old, BOOL), COL(struct db_inputs_scope, began, TEXT));

static err_t progress(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag,
                      struct progress *ret)
{
    bool found;
    *ret = (struct progress){0};
    return db_first(db, statement, in, flag, &found, ret, sizeof *ret);
}

/* A statement whose rows are only counted. */
static err_t count_rows(struct db *db, enum sql_id statement, const struct db_args *in, int64_t *ret)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_call(db, statement, in, DB_ONCE, &rows));
    *ret = rows_affected(rows);
    return NULL;
}

static err_t sweep_links(struct db *db, struct arena *a, enum sql_id statement, int64_t next_ms, int at_most,
                         int64_t *ret_made)
{
    struct db_args in;
    db_args_init(&in, a);
    db_i64(&in, next_ms);
    db_i64(&in, at_most);
    return count_rows(db, statement, &in, ret_made);
}

err_t db_sweep_link_validate(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_made)
{
    return sweep_links(db, a, SQL_SWEEP_LINK_VALIDATE, next_ms, at_most, ret_made);
}

err_t db_sweep_latency_measure(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_made)
{
    return sweep_links(db, a, SQL_SWEEP_LATENCY_MEASURE, next_ms, at_most, ret_made);
}

/* A function of the database that takes the bound and says how many rows went. */
static err_t purge(struct db *db, struct arena *a, enum sql_id statement, int at_most, int64_t *ret_gone)
{
    struct db_args in;
    struct progress p;
    db_args_init(&in, a);
    db_i32(&in, at_most);
    TRY(progress(db, statement, &in, DB_ONCE, &p));
    *ret_gone = p.gone;
    return NULL;
}

err_t db_sweep_retired_scopes(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    return purge(db, a, SQL_SWEEP_RETIRED_SCOPES, at_most, ret_gone);
}

err_t db_sweep_retired_hubs(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    return purge(db, a, SQL_SWEEP_RETIRED_HUBS, at_most, ret_gone);
}

err_t db_sweep_latencies(struct db *db, struct arena *a, int64_t old_ms, int at_most, int64_t *ret_gone)
{
    struct db_args in;
    db_args_init(&in, a);
    db_i64(&in, at_most);
    db_i64(&in, old_ms);
    return count_rows(db, SQL_SWEEP_LATENCIES, &in, ret_gone);
}

err_t db_sweep_name_rests(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    struct db_args in;
    db_args_init(&in, a);
    db_i64(&in, at_most);
    return count_rows(db, SQL_SWEEP_NAME_RESTS, &in, ret_gone);
}

err_t db_sweep_hub_device_count(struct db *db, struct arena *a, int64_t *hub, int at_most)
{
    struct db_args in;
    struct progress p;
    db_args_init(&in, a);
    db_i64(&in, *hub);
    db_i64(&in, at_most);
    TRY(progress(db, SQL_SWEEP_HUB_DEVICE_COUNT, &in, DB_ONCE, &p));
    *hub = p.hub_id;
    return NULL;
}

err_t db_sweep_inputs_scope(struct db *db, struct arena *a, struct str after, int64_t old_ms, int at_most,
                            struct db_inputs_scope *ret)
{
    struct db_args in;
    bool found;
    db_args_init(&in, a);
    db_text(&in, after);
    db_i32(&in, at_most);
    db_i64(&in, old_ms);
    TRY(db_first(db, SQL_SWEEP_INPUTS_SCOPE, &in, DB_REPEATABLE, &found, ret, sizeof *ret));
    return found ? NULL : E(NO_ROW);
}

err_t db_sweep_inputs_mark(struct db *db, struct arena *a, const struct db_inputs_scope *s, struct str after,
                           int at_most, struct str *ret_came_to)
{
    struct db_args in;
    struct progress p;
    db_args_init(&in, a);
    db_text(&in, s->id_scope);
    db_text(&in, after);
    db_i64(&in, at_most);
    db_text(&in, s->began);
    TRY(progress(db, SQL_SWEEP_INPUTS_MARK, &in, DB_REPEATABLE, &p));
    *ret_came_to = p.came_to;
    return NULL;
}

err_t db_sweep_inputs_clear(struct db *db, struct arena *a, const struct db_inputs_scope *s, int64_t old_ms,
                            int at_most, int64_t *ret_gone)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, s->id_scope);
    db_text(&in, s->began);
    db_i64(&in, at_most);
    db_i64(&in, old_ms);
    return count_rows(db, SQL_SWEEP_INPUTS_CLEAR, &in, ret_gone);
}
