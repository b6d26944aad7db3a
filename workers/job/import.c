/* import.c: takes a list that was sent to be imported into the tables, one bounded step after the other, each a commit;
 * clears away what it left, and at last forgets it. It must never judge a row: the database does (idscope.import_step).
 */
#include "core/killpoint.h"
#include "db/import.h"
#include "workers/loop.h"

enum { ROWS_AT_ONCE = 2000 };

static err_t go_on(struct job_context *c, const struct db_job *job, int64_t next_ms)
{
    struct job_counts *counts = &c->parts->counts;
    counts->claimed = counts->done = 1;
    if (next_ms < 0)
        return db_job_done(c->db, c->arena, &c->parts->of, job_kind_name(c->kind), job, 1);
    return db_job_go_on(c->db, c->arena, &c->parts->of, job_kind_name(c->kind), job, next_ms);
}

err_t job_import(struct job_context *c)
{
    const struct db_job_claim claim = {job_kind_name(c->kind), 1, c->worker->cfg->lease_ms};
    struct db_job_list jobs;
    int64_t next_ms;
    TRY(db_job_claim(c->db, c->arena, &claim, &c->parts->of, 1, &jobs));
    if (jobs.count == 0)
        return NULL;
    const struct import_step step = {.id_scope = c->parts->of.id_scope,
                                     .subject = jobs.at->subject,
                                     .at_most = ROWS_AT_ONCE,
                                     .body_ms = KEEP_import_body_MS,
                                     .keep_ms = KEEP_imports_MS};
    err_t e = db_import_step(c->db, c->arena, &step, &next_ms);
    KILL_POINT("import_step");
    return e ? job_bite_failed(c, jobs.at, e) : go_on(c, jobs.at, next_ms);
}
