/* import.c: takes a list that was sent to be imported into the tables, one bounded step after the other, each a commit;
 * clears away what it left, and at last forgets it. One that is all or nothing is looked at in such steps and then
 * written in one transaction, on a connection of its own, which dies with the worker; beside it is told how far it is
 * and that the worker still has it. It must never judge a row: the database does (idscope.import_step). */
#include <string.h>

#include "core/killpoint.h"
#include "core/limits.h"
#include "core/process/clock.h"
#include "db/import.h"
#include "workers/loop.h"

enum {
    ROWS_AT_ONCE = 2000,
    TURN_MS = 1000, /* no schedule: so long one claim takes steps, each a commit */
};

static void count(struct job_context *c)
{
    c->parts->counts.claimed = c->parts->counts.done = 1;
}

static err_t go_on(struct job_context *c, const struct db_job *job, int64_t next_ms)
{
    count(c);
    if (next_ms == IMPORT_IS_GONE)
        return db_job_done(c->db, c->arena, &c->parts->of, job_kind_name(c->kind), job, 1);
    return db_job_go_on(c->db, c->arena, &c->parts->of, job_kind_name(c->kind), job, next_ms);
}

/* --- as a whole --------------------------------------------------------------------------------------------------- */

struct whole {
    struct job_context *c;
    const struct db_job *job;
    const struct import_step *step;
    struct arena *arena; /* of one bite */
    char key[REGISTRATION_ID_MOST + 1];
    uint8_t digest[SHA256_BYTES];
    struct import_place at;
    int64_t written, told_ms;
    bool refused; /* a row that was good when it was looked at is not any more */
};

static err_t move(struct whole *w, struct db *db, int state, int64_t next_ms)
{
    const struct import_move m = {.id_scope = w->step->id_scope,
                                  .subject = w->step->subject,
                                  .fence = w->job->fence,
                                  .state = state,
                                  .written = w->written,
                                  .digest = w->at.digest,
                                  .next_ms = next_ms};
    bool held;
    TRY(db_import_move(db, w->arena, &m, &held));
    return held ? NULL : E(STALE);
}

/* By another connection than the one that writes: what that one says is heard when all is over. */
static err_t tell(struct whole *w)
{
    if (atomic_load(&w->c->worker->stopping))
        return E(OVERLOADED);
    if (clock_ms() - w->told_ms < WAIT_import_told_MS)
        return NULL;
    w->told_ms = clock_ms();
    return move(w, w->c->db, IMPORT_WRITING, w->c->worker->cfg->lease_ms);
}

static void set_place(struct whole *w, const struct import_place *to)
{
    memcpy(w->key, to->key.p, to->key.n);
    memcpy(w->digest, to->digest.p, to->digest.n);
    w->at = (struct import_place){{w->key, to->key.n}, to->line, {w->digest, to->digest.n}};
}

static void set_beginning(struct whole *w)
{
    w->at = (struct import_place){STR(""), 0, {w->digest, 0}};
    w->written = 0;
}

/* From the beginning, whoever began before: of that nothing is left. */
static err_t write_rows(struct db *db, void *context)
{
    struct whole *w = context;
    set_beginning(w);
    for (struct import_bite bite;; w->written += bite.looked) {
        arena_reset(w->arena);
        TRY(db_import_write(db, w->arena, w->step, &w->at, &bite));
        KILL_POINT("import_bite");
        w->refused = bite.refused > 0;
        if (w->refused)
            return E(STALE);
        if (!bite.looked)
            return move(w, db, IMPORT_SUCCEEDED, 0);
        set_place(w, &bite.to);
        TRY(tell(w));
    }
}

/* What was refused is found, and told by its line, by looking at all of it again. */
static err_t end_whole(struct whole *w, err_t e)
{
    set_beginning(w);
    if (w->refused)
        e = move(w, w->c->db, IMPORT_RUNNING, 0);
    else if (e == E(OVERLOADED))
        e = move(w, w->c->db, IMPORT_WRITING, 0);
    if (e && e != E(STALE)) /* which says that somebody else has it */
        return job_bite_failed(w->c, w->job, e);
    count(w->c);
    return NULL;
}

static err_t write_whole(struct job_context *c, const struct db_job *job, const struct import_step *step)
{
    struct err_detail why;
    struct db *own;
    struct arena *a ARENA_CLEANUP = arena_new();
    struct whole w = {.c = c, .job = job, .step = step, .arena = a, .told_ms = clock_ms()};
    err_t e = db_open(c->worker->cfg->database_url.p, "idscope-import", DB_USE_LANE, &why, &own);
    if (e)
        return job_bite_failed(c, job, e);
    e = db_tx(own, write_rows, &w);
    db_close(own);
    return end_whole(&w, e);
}

/* --- the job ------------------------------------------------------------------------------------------------------ */

/* Of what is due at once, as many steps as a claim has time for. */
static err_t take_steps(struct job_context *c, const struct import_step *step, int64_t *ret_next_ms)
{
    const int64_t ends_ms = clock_ms() + TURN_MS;
    do {
        TRY(db_import_step(c->db, c->arena, step, ret_next_ms));
        KILL_POINT("import_step");
    } while (*ret_next_ms == 0 && clock_ms() < ends_ms && !atomic_load(&c->worker->stopping));
    return NULL;
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
                                     .keep_ms = KEEP_imports_MS,
                                     .settle_ms = WAIT_import_settles_MS};
    err_t e = take_steps(c, &step, &next_ms);
    if (e)
        return job_bite_failed(c, jobs.at, e);
    return next_ms == IMPORT_IS_TO_BE_WRITTEN ? write_whole(c, jobs.at, &step) : go_on(c, jobs.at, next_ms);
}
