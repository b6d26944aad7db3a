/* job.c: the statements of db/sql/job.sql as typed calls. It must not know kinds of jobs but by their names. */
#include "db/job.h"

DB_ROW(due_scope, struct db_due_scope, COL(id_scope), COL(tenant), COL(due), COL_TIME(due_us, "due_at"));
DB_ROW(job, struct db_job, COL(subject), COL(hub), COL(payload), COL(fence), COL(attempt));

DB_PARAMS(claim, struct db_job_claim, COL(id_scope), COL(kind), COL(at_most), COL(lease_ms));
DB_PARAMS(done, struct db_job, COL(subject), COL(hub), COL(fence));
DB_PARAMS(back, struct db_job_back, COL(job.subject), COL(job.hub), COL(job.fence), COL(delay_ms), COL(failed),
          COL(error));
DB_PARAMS(tenant_claim, struct db_tenant_job_claim, COL(kind), COL(at_most), COL(lease_ms));

err_t db_job_due_scopes(struct db *db, struct arena *a, struct str kind, struct str after, int at_most,
                        struct db_due_scope **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_JOB_DUE_SCOPES, db_text(kind), db_text(after), db_i64(at_most)), DB_REPEATABLE,
                  ret, sizeof **ret, ret_count);
}

struct db_in db_job_claim_in(const struct db_job_claim *c)
{
    return DB_MEMBERS(claim, c);
}

err_t db_job_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_job **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_JOB_CLAIM, db_job_claim_in(c)), DB_ONCE, ret, sizeof **ret, ret_count);
}

err_t db_job_done(struct db *db, struct arena *a, struct str id_scope, struct str kind, const struct db_job *at,
                  size_t count)
{
    if (count == 0)
        return NULL;
    return db_do(db, a, DB_CALL(SQL_JOB_DONE, db_text(id_scope), db_text(kind), DB_ARRAYS(done, at, count)),
                 DB_REPEATABLE);
}

err_t db_job_put_back(struct db *db, struct arena *a, struct str id_scope, struct str kind,
                      const struct db_job_back *at, size_t count)
{
    if (count == 0)
        return NULL;
    return db_do(db, a, DB_CALL(SQL_JOB_PUT_BACK, db_text(id_scope), db_text(kind), DB_ARRAYS(back, at, count)),
                 DB_ONCE);
}

/* --- of tenants and the deployment -------------------------------------------------------------------------------- */

static struct db_in owner(const struct uuid *tenant)
{
    static const struct uuid deployment;
    return db_uuid(tenant ? tenant : &deployment);
}

err_t db_tenant_job_begin(struct db *db, struct arena *a, const struct uuid *tenant, const struct str *kinds,
                          size_t count)
{
    return db_do(db, a, DB_CALL(SQL_TENANT_JOB_BEGIN, owner(tenant), db_texts(kinds, count)), DB_REPEATABLE);
}

err_t db_tenant_job_claim(struct db *db, struct arena *a, const struct db_tenant_job_claim *c, struct db_job **ret,
                          size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_TENANT_JOB_CLAIM, owner(c->tenant), DB_MEMBERS(tenant_claim, c)), DB_ONCE, ret,
                  sizeof **ret, ret_count);
}

err_t db_tenant_job_put_back(struct db *db, struct arena *a, const struct uuid *tenant, struct str kind,
                             const struct db_job *job, int64_t delay_ms)
{
    return db_do(db, a,
                 DB_CALL(SQL_TENANT_JOB_PUT_BACK, owner(tenant), db_text(kind), db_text(job->subject),
                         db_i64(job->fence), db_i64(delay_ms), db_text(job->payload)),
                 DB_ONCE);
}
