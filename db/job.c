/* job.c: the statements of db/sql/job.sql as typed calls. It must not know kinds of jobs but by their names. */
#include "db/job.h"

DB_ROW(due_scope, struct db_due_owner, COL(id_scope), COL(tenant), COL(due), COL_TIME(due_us, "due_at"));
DB_ROW(job, struct db_job, COL(subject), COL(hub), COL(payload), COL(fence), COL(attempt));

DB_PARAMS(claim, struct db_job_claim, COL(kind), COL(at_most), COL(lease_ms));
DB_PARAMS(done, struct db_job, COL(subject), COL(hub), COL(fence));
DB_PARAMS(back, struct db_job_back, COL(job.subject), COL(job.hub), COL(job.fence), COL(delay_ms), COL(failed),
          COL(error));

/* The statement of an owner: those for tenants are made from those for ID scopes. */
static enum sql_id of(const struct db_job_owner *o, enum sql_id of_scope, enum sql_id of_tenant)
{
    return o->id_scope.p ? of_scope : of_tenant;
}

static struct db_in owner(const struct db_job_owner *o)
{
    return o->id_scope.p ? db_text(o->id_scope) : db_uuid(&o->tenant);
}

err_t db_job_due(struct db *db, struct arena *a, struct str kind, const struct db_job_owner *after, int at_most,
                 struct db_due_owner **ret, size_t *ret_count)
{
    return db_all(
        db, a, DB_CALL(of(after, SQL_JOB_DUE_SCOPES, SQL_TENANT_JOB_DUE), db_text(kind), owner(after), db_i64(at_most)),
        DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

struct db_in db_job_claim_in(const struct db_job_claim *c)
{
    return DB_MEMBERS(claim, c);
}

err_t db_job_claim(struct db *db, struct arena *a, const struct db_job_claim *c, const struct db_job_owner *owners,
                   size_t count, struct db_job_list *ret)
{
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, count);
    for (size_t i = 0; i < count; i++)
        pipeline_add(
            &p, DB_CALL(of(&owners[i], SQL_JOB_CLAIM, SQL_TENANT_JOB_CLAIM), owner(&owners[i]), db_job_claim_in(c)));
    TRY(pipeline_run(db, &p, DB_ONCE));
    for (size_t i = 0; i < count; i++)
        rows_all(p.rows[i], a, &ret[i].at, sizeof *ret[i].at, &ret[i].count);
    return NULL;
}

err_t db_job_done(struct db *db, struct arena *a, const struct db_job_owner *o, struct str kind,
                  const struct db_job *at, size_t count)
{
    if (count == 0)
        return NULL;
    return db_do(db, a,
                 DB_CALL(of(o, SQL_JOB_DONE, SQL_TENANT_JOB_DONE), owner(o), db_text(kind), DB_ARRAYS(done, at, count)),
                 DB_REPEATABLE);
}

err_t db_job_put_back(struct db *db, struct arena *a, const struct db_job_owner *o, struct str kind,
                      const struct db_job_back *at, size_t count)
{
    if (count == 0)
        return NULL;
    return db_do(
        db, a,
        DB_CALL(of(o, SQL_JOB_PUT_BACK, SQL_TENANT_JOB_PUT_BACK), owner(o), db_text(kind), DB_ARRAYS(back, at, count)),
        DB_ONCE);
}

err_t db_job_go_on(struct db *db, struct arena *a, const struct db_job_owner *o, struct str kind,
                   const struct db_job *job, int64_t delay_ms)
{
    return db_do(db, a,
                 DB_CALL(of(o, SQL_JOB_GO_ON, SQL_TENANT_JOB_GO_ON), owner(o), db_text(kind), db_text(job->subject),
                         db_text(job->hub), db_i64(job->fence), db_i64(delay_ms), db_text(job->payload)),
                 DB_ONCE);
}
