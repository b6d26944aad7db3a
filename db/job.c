/* job.c: the statements of db/sql/job.sql as typed calls. It must not know kinds of jobs but by their names. */
#include "db/job.h"

DB_ROW(due_scope, struct db_due_scope, COL(struct db_due_scope, id_scope, TEXT), COL(struct db_due_scope, tenant, UUID),
       COL(struct db_due_scope, due, BOOL), COL_AS(struct db_due_scope, due_us, TIME, "due_at"));
DB_ROW(job, struct db_job, COL(struct db_job, subject, TEXT), COL(struct db_job, hub, TEXT),
       COL(struct db_job, payload, TEXT), COL(struct db_job, fence, I64), COL(struct db_job, attempt, I32));

DB_PARAMS(job_done, struct db_job, COL(struct db_job, subject, TEXT), COL(struct db_job, hub, TEXT),
          COL(struct db_job, fence, I64));
DB_PARAMS(job_back, struct db_job_back, COL(struct db_job_back, job.subject, TEXT),
          COL(struct db_job_back, job.hub, TEXT), COL(struct db_job_back, job.fence, I64),
          COL(struct db_job_back, delay_ms, I64), COL(struct db_job_back, failed, BOOL),
          COL(struct db_job_back, error, TEXT));

err_t db_job_due_scopes(struct db *db, struct arena *a, struct str kind, struct str after, int at_most,
                        struct db_due_scope **ret, size_t *ret_count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, kind);
    db_text(&in, after);
    db_i64(&in, at_most);
    return db_all(db, SQL_JOB_DUE_SCOPES, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

void db_job_claim_args(struct db_args *in, struct arena *a, const struct db_job_claim *c)
{
    db_args_init(in, a);
    db_text(in, c->id_scope);
    db_text(in, c->kind);
    db_i64(in, c->at_most);
    db_i64(in, c->lease_ms);
}

err_t db_job_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_job **ret, size_t *ret_count)
{
    struct db_args in;
    db_job_claim_args(&in, a, c);
    return db_all(db, SQL_JOB_CLAIM, &in, DB_ONCE, ret, sizeof **ret, ret_count);
}

err_t db_job_done(struct db *db, struct arena *a, struct str id_scope, struct str kind, const struct db_job *at,
                  size_t count)
{
    if (count == 0)
        return NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, kind);
    db_array_args(&in, &db_row_job_done, at, count);
    return db_do(db, SQL_JOB_DONE, &in, DB_REPEATABLE);
}

err_t db_job_put_back(struct db *db, struct arena *a, struct str id_scope, struct str kind,
                      const struct db_job_back *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, kind);
    db_array_args(&in, &db_row_job_back, at, count);
    return db_do(db, SQL_JOB_PUT_BACK, &in, DB_ONCE);
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
    return db_do(db, SQL_TENANT_JOB_BEGIN, &in, DB_REPEATABLE);
}

err_t db_tenant_job_claim(struct db *db, struct arena *a, const struct db_tenant_job_claim *c, struct db_job **ret,
                          size_t *ret_count)
{
    struct db_args in;
    db_tenant(&in, a, c->tenant);
    db_text(&in, c->kind);
    db_i64(&in, c->at_most);
    db_i64(&in, c->lease_ms);
    return db_all(db, SQL_TENANT_JOB_CLAIM, &in, DB_ONCE, ret, sizeof **ret, ret_count);
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
    return db_do(db, SQL_TENANT_JOB_PUT_BACK, &in, DB_ONCE);
}
