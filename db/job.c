/* job.c: the statements of db/sql/job.sql as typed calls. It must not know kinds of jobs but by their names. */
#include "db/job.h"

#include "db/row.h"

err_t db_job_due_scopes(struct db *db, struct arena *a, struct str kind, struct str after, int at_most,
                        struct db_due_scope **ret, size_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, kind);
    db_text(&in, after);
    db_i64(&in, at_most);
    TRY(db_call(db, SQL_JOB_DUE_SCOPES, &in, DB_REPEATABLE, &rows));
    size_t count = rows_count(rows);
    struct db_due_scope *at = ARENA_NEW_ARRAY(a, count, struct db_due_scope);
    for (size_t i = 0; i < count; i++)
        at[i] = (struct db_due_scope){row_text(rows, i, 0, a), row_uuid(rows, i, 1), row_bool(rows, i, 2),
                                      row_time(rows, i, 3)};
    *ret = at;
    *ret_count = count;
    return NULL;
}

void db_job_claim_args(struct db_args *in, struct arena *a, const struct db_job_claim *c)
{
    db_args_init(in, a);
    db_text(in, c->id_scope);
    db_text(in, c->kind);
    db_i64(in, c->at_most);
    db_i64(in, c->lease_ms);
}

struct db_job *db_job_claim_rows(const struct rows *rows, struct arena *a, size_t *ret_count)
{
    *ret_count = rows_count(rows);
    struct db_job *jobs = ARENA_NEW_ARRAY(a, *ret_count, struct db_job);
    for (size_t i = 0; i < *ret_count; i++)
        jobs[i] = (struct db_job){row_text(rows, i, 0, a), row_text(rows, i, 1, a), row_text(rows, i, 2, a),
                                  row_i64(rows, i, 3), (int)row_i64(rows, i, 4)};
    return jobs;
}

err_t db_job_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_job **ret, size_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_job_claim_args(&in, a, c);
    TRY(db_call(db, SQL_JOB_CLAIM, &in, DB_ONCE, &rows));
    *ret = db_job_claim_rows(rows, a, ret_count);
    return NULL;
}

err_t db_job_done(struct db *db, struct arena *a, struct str id_scope, struct str kind, const struct db_job *at,
                  size_t count)
{
    if (count == 0)
        return NULL;
    struct str *subjects = ARENA_NEW_ARRAY(a, count, struct str);
    struct str *hubs = ARENA_NEW_ARRAY(a, count, struct str);
    int64_t *fences = ARENA_NEW_ARRAY(a, count, int64_t);
    for (size_t i = 0; i < count; i++) {
        subjects[i] = at[i].subject;
        hubs[i] = at[i].hub;
        fences[i] = at[i].fence;
    }
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, kind);
    db_text_array(&in, subjects, count);
    db_text_array(&in, hubs, count);
    db_i64_array(&in, fences, count);
    return db_call(db, SQL_JOB_DONE, &in, DB_REPEATABLE, NULL);
}

err_t db_job_put_back(struct db *db, struct arena *a, struct str id_scope, struct str kind,
                      const struct db_job_back *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct str *subjects = ARENA_NEW_ARRAY(a, count, struct str);
    struct str *hubs = ARENA_NEW_ARRAY(a, count, struct str);
    struct str *errors = ARENA_NEW_ARRAY(a, count, struct str);
    int64_t *fences = ARENA_NEW_ARRAY(a, count, int64_t);
    int64_t *delays = ARENA_NEW_ARRAY(a, count, int64_t);
    bool *failed = ARENA_NEW_ARRAY(a, count, bool);
    for (size_t i = 0; i < count; i++) {
        subjects[i] = at[i].job.subject;
        hubs[i] = at[i].job.hub;
        fences[i] = at[i].job.fence;
        delays[i] = at[i].delay_ms;
        failed[i] = at[i].failed;
        errors[i] = at[i].error;
    }
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, kind);
    db_text_array(&in, subjects, count);
    db_text_array(&in, hubs, count);
    db_i64_array(&in, fences, count);
    db_i64_array(&in, delays, count);
    db_bool_array(&in, failed, count);
    db_text_array(&in, errors, count);
    return db_call(db, SQL_JOB_PUT_BACK, &in, DB_ONCE, NULL);
}

/* A statement that is only counted. */
static err_t count_call(struct db *db, enum sql_id statement, const struct db_args *in, int64_t *ret)
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
    return count_call(db, statement, &in, ret_made);
}

err_t db_sweep_link_validate(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_made)
{
    return sweep_links(db, a, SQL_SWEEP_LINK_VALIDATE, next_ms, at_most, ret_made);
}

err_t db_sweep_latency_measure(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_made)
{
    return sweep_links(db, a, SQL_SWEEP_LATENCY_MEASURE, next_ms, at_most, ret_made);
}

/* Enrollments before registrations before jobs: an api that is a moment behind can make nothing new from what is left.
 */
static err_t purge_scope(struct db *db, struct arena *a, struct str scope, int at_most, int64_t *ret_gone)
{
    static const enum sql_id steps[] = {SQL_SWEEP_PURGE_ENROLLMENT, SQL_SWEEP_PURGE_REGISTRATION, SQL_SWEEP_PURGE_JOB,
                                        SQL_SWEEP_PURGE_ALLOC_INPUT};
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, scope);
    db_i64(&in, at_most);
    int64_t all = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t gone;
        TRY(count_call(db, steps[i], &in, &gone));
        all += gone;
    }
    *ret_gone = all;
    return NULL;
}

err_t db_sweep_retired_scope(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_call(db, SQL_SWEEP_RETIRED_SCOPE, NULL, DB_REPEATABLE, &rows));
    if (rows_count(rows) == 0) {
        *ret_gone = 0;
        return NULL;
    }
    struct str scope = row_text(rows, 0, 0, a);
    int64_t gone;
    TRY(purge_scope(db, a, scope, at_most, &gone));
    if (gone == 0) {
        struct db_args in;
        db_args_init(&in, a);
        db_text(&in, scope);
        TRY(count_call(db, SQL_SWEEP_SCOPE_PURGED, &in, &gone));
    }
    *ret_gone = gone;
    return NULL;
}

err_t db_sweep_retired_hubs(struct db *db, struct arena *a, int at_most, int64_t *ret_gone)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_i32(&in, at_most);
    TRY(db_call(db, SQL_SWEEP_RETIRED_HUBS, &in, DB_ONCE, &rows));
    *ret_gone = row_i64(rows, 0, 0);
    return NULL;
}

err_t db_sweep_alloc_input(struct db *db, struct arena *a, struct str *scope, int at_most, int64_t *ret_gone)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, *scope);
    TRY(db_call(db, SQL_SWEEP_ALLOC_INPUT_SCOPE, &in, DB_REPEATABLE, &rows));
    if (rows_count(rows) == 0)
        return E(NO_ROW);
    *scope = row_text(rows, 0, 0, a);
    db_args_init(&in, a);
    db_text(&in, *scope);
    db_i64(&in, at_most);
    return count_call(db, SQL_SWEEP_ALLOC_INPUT, &in, ret_gone);
}

err_t db_sweep_hub_device_count(struct db *db, struct arena *a, int64_t *hub, int at_most)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_i64(&in, *hub);
    db_i64(&in, at_most);
    TRY(db_call(db, SQL_SWEEP_HUB_DEVICE_COUNT, &in, DB_ONCE, &rows));
    *hub = rows_count(rows) ? row_i64(rows, 0, 0) : 0;
    return NULL;
}

err_t db_sweep_latency(struct db *db, int64_t *ret_gone)
{
    return count_call(db, SQL_SWEEP_LATENCY, NULL, ret_gone);
}
