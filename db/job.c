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

/* --- of tenants and the deployment -------------------------------------------------------------------------------- */

static const struct uuid deployment;

static void db_tenant(struct db_args *in, struct arena *a, const struct uuid *tenant)
{
    db_args_init(in, a);
    db_uuid(in, tenant ? tenant : &deployment);
}

err_t db_tenant_job_begin(struct db *db, struct arena *a, const struct uuid *tenant, const struct str *kinds,
                          size_t count)
{
    struct db_args in;
    db_tenant(&in, a, tenant);
    db_text_array(&in, kinds, count);
    return db_call(db, SQL_TENANT_JOB_BEGIN, &in, DB_REPEATABLE, NULL);
}

err_t db_tenant_job_claim(struct db *db, struct arena *a, const struct db_tenant_job_claim *c, struct db_job **ret,
                          size_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_tenant(&in, a, c->tenant);
    db_text(&in, c->kind);
    db_i64(&in, c->at_most);
    db_i64(&in, c->lease_ms);
    TRY(db_call(db, SQL_TENANT_JOB_CLAIM, &in, DB_ONCE, &rows));
    *ret = db_job_claim_rows(rows, a, ret_count);
    return NULL;
}

err_t db_tenant_job_put_back(struct db *db, struct arena *a, const struct uuid *tenant, struct str kind,
                             const struct db_job *job, int64_t delay_ms)
{
    struct db_args in;
    db_tenant(&in, a, tenant);
    db_text(&in, kind);
    db_text(&in, job->subject);
    db_i64(&in, job->fence);
    db_i64(&in, delay_ms);
    db_text(&in, job->payload);
    return db_call(db, SQL_TENANT_JOB_PUT_BACK, &in, DB_ONCE, NULL);
}
