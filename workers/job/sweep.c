/* sweep.c: what is due by the calendar rather than by a cause: links to validate and to measure become jobs, changes of
 * counts are added up, what is dead goes. Each kind of sweep is one job of the deployment that is for ever: a claim is
 * one bounded bite, and how far it has come stands in the job, so that it goes on there whoever is next. It must never
 * take long in one transaction. */
#include <stdlib.h>

#include "core/json.h"
#include "core/killpoint.h"
#include "db/audit.h"
#include "db/inventory.h"
#include "db/resource.h"
#include "db/sweep.h"
#include "workers/job/seal.h"
#include "workers/loop.h"

enum {
    LINKS_AT_ONCE = 200,
    EVENTS_AT_ONCE = 500,
    CUT_AT_ONCE = 20,
    COUNTED_AT_ONCE = 20000,
    BITE = 2000,
    SCOPES_PER_BITE = 200
};

struct bite {
    struct db *db;
    struct arena *arena;
    const struct cfg *cfg;
    struct str at; /* how far it has come, as JSON of its own; absent: at the beginning */
    int64_t done;  /* rows that went, jobs that were made */
    bool more;     /* after this bite there is another */
};
typedef err_t sweep_function(struct bite *b);

#define SWEEP(kind, every_ms, sentence) static sweep_function sweep_##kind;
#include "core/jobs.def"

static const struct sweep_row {
    sweep_function *bite;
    int64_t every_ms;
} sweeps[JOB_KINDS] = {
#define SWEEP(kind, every_ms, sentence) [JOB_##kind] = {sweep_##kind, every_ms},
#include "core/jobs.def"
};

/* --- schedules ---------------------------------------------------------------------------------------------------- */

/* Where something was done, more may be left. */
static err_t after_bite(struct bite *b, err_t e)
{
    b->more = !e && b->done > 0;
    return e;
}

static err_t sweep_schedule_validations(struct bite *b)
{
    int64_t next_ms = next_check_ms(b->cfg->link_check_s * 1000);
    return after_bite(b, db_sweep_link_validate(b->db, b->arena, next_ms, LINKS_AT_ONCE, &b->done));
}

static err_t sweep_schedule_measurements(struct bite *b)
{
    int64_t next_ms = next_check_ms(b->cfg->latency_check_s * 1000);
    return after_bite(b, db_sweep_latency_measure(b->db, b->arena, next_ms, LINKS_AT_ONCE, &b->done));
}

static err_t sweep_schedule_inventories(struct bite *b)
{
    int64_t next_ms = next_check_ms(PAUSE_inventory_next_MS);
    return after_bite(b, db_inventory_schedule(b->db, b->arena, next_ms, LINKS_AT_ONCE, &b->done));
}

static err_t sweep_schedule_issuers(struct bite *b)
{
    int64_t next_ms = next_check_ms(PAUSE_issuer_next_MS);
    return after_bite(b, db_sweep_issuers(b->db, b->arena, next_ms, LINKS_AT_ONCE, &b->done));
}

/* --- the dead ----------------------------------------------------------------------------------------------------- */

static err_t sweep_purge_scopes(struct bite *b)
{
    return after_bite(b, db_sweep_retired_scopes(b->db, b->arena, BITE, &b->done));
}

static err_t sweep_purge_hubs(struct bite *b)
{
    return after_bite(b, db_sweep_retired_hubs(b->db, b->arena, BITE, &b->done));
}

static err_t sweep_clear_latencies(struct bite *b)
{
    return after_bite(b, db_sweep_latencies(b->db, b->arena, KEEP_latencies_MS, BITE, &b->done));
}

static err_t sweep_clear_challenges(struct bite *b)
{
    return after_bite(b, db_sweep_challenges(b->db, b->arena, BITE, &b->done));
}

static err_t sweep_free_names(struct bite *b)
{
    return after_bite(b, db_sweep_name_rests(b->db, b->arena, KEEP_names_MS, BITE, &b->done));
}

/* --- counts ------------------------------------------------------------------------------------------------------- */

/* A bite of each hub that was written to; `at` is the last one. */
static err_t sweep_fold_counts(struct bite *b)
{
    int64_t hub = b->at.p ? strtoll(b->at.p, NULL, 10) : 0;
    TRY(db_sweep_hub_device_count(b->db, b->arena, &hub, BITE));
    b->more = hub != 0;
    b->at = hub ? arena_printf(b->arena, "%lld", (long long)hub) : (struct str){NULL, 0};
    return NULL;
}

/* A round over the enrollments, then one over the registrations, and `at` tells which it is. What was counted of a
 * round stands in the database, so the job need not say. */
static err_t sweep_count_lists(struct bite *b)
{
    bool registrations = b->at.p;
    struct str round = registrations ? STR("registrations") : STR("enrollments");
    TRY(db_sweep_count(b->db, b->arena, round, COUNTED_AT_ONCE, &b->more));
    if (!b->more && !registrations)
        b->more = registrations = true;
    b->at = b->more && registrations ? STR("true") : (struct str){NULL, 0};
    return NULL;
}

/* --- audit events ------------------------------------------------------------------------------------------------- */

/* `at` is the mark by which it is told how far events are settled. */
static err_t sweep_seal_audit(struct bite *b)
{
    struct audit_settled now;
    TRY(db_audit_settled(b->db, b->arena, b->at, &now));
    b->at = now.mark;
    return now.settled ? after_bite(b, seal_events(b->db, b->arena, now.settled, EVENTS_AT_ONCE, &b->done)) : NULL;
}

static err_t sweep_cut_audit(struct bite *b)
{
    int64_t keep_s = b->cfg->audit_retention_days * DAY_S;
    return keep_s ? after_bite(b, seal_cut(b->db, b->arena, keep_s, CUT_AT_ONCE, &b->done)) : NULL;
}

/* --- stored inputs ------------------------------------------------------------------------------------------------ */

/* Where the round stands: at the registration `key` of the scope, or, key absent, behind the scope. */
struct inputs_at {
    struct db_inputs_scope scope;
    struct str key;
};

static err_t read_inputs_at(const struct bite *b, struct inputs_at *ret)
{
    json_auto_t *at = NULL;
    const char *scope = "", *key = NULL, *began = NULL;
    if (b->at.p)
        TRY(json_read(b->at, NULL, &at));
    if (at)
        (void)json_unpack(at, "{s?s, s?s, s?s}", "scope", &scope, "key", &key, "began", &began);
    ret->scope.id_scope = arena_str(b->arena, str_of(scope));
    ret->scope.began = arena_str(b->arena, str_of(began));
    ret->key = arena_str(b->arena, str_of(key));
    return NULL;
}

static void write_inputs_at(struct bite *b, const struct inputs_at *at)
{
    struct text out;
    text_init(&out, b->arena, 256);
    text_add_char(&out, '{');
    json_member_text(&out, "scope", at->scope.id_scope);
    json_member_text(&out, "key", at->key);
    json_member_text(&out, "began", at->scope.began);
    text_add_char(&out, '}');
    b->at = text_str(&out);
}

/* Goes on to the next scope, or ends the round. */
static err_t next_scope(struct bite *b, struct inputs_at *at)
{
    err_t e = db_sweep_inputs_scope(b->db, b->arena, at->scope.id_scope, KEEP_inputs_MS, SCOPES_PER_BITE, &at->scope);
    b->more = e == NULL;
    if (e == E(NO_ROW))
        b->at = (struct str){NULL, 0};
    if (e)
        return e == E(NO_ROW) ? NULL : e;
    at->key = at->scope.old ? STR("") : (struct str){NULL, 0};
    write_inputs_at(b, at);
    return NULL;
}

static err_t walk_scope(struct bite *b, struct inputs_at *at)
{
    struct str came_to;
    TRY(db_sweep_inputs_mark(b->db, b->arena, &at->scope, at->key, BITE, &came_to));
    if (came_to.p)
        at->key = came_to;
    else
        TRY(db_sweep_inputs_clear(b->db, b->arena, &at->scope, KEEP_inputs_MS, BITE, &b->done));
    if (!came_to.p && b->done < BITE)
        at->key = came_to;
    b->more = true;
    write_inputs_at(b, at);
    return NULL;
}

static err_t sweep_clear_inputs(struct bite *b)
{
    struct inputs_at at;
    TRY(read_inputs_at(b, &at));
    return at.key.p ? walk_scope(b, &at) : next_scope(b, &at);
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

/* A bite that finds nothing to do is not told: it does so every second. */
static err_t go_on(struct job_context *c, struct db_job *job, const struct bite *b)
{
    c->parts->counts.claimed = c->parts->counts.done = b->more;
    job->payload = b->at;
    return db_job_go_on(c->db, c->arena, &c->parts->of, job_kind_name(c->kind), job,
                        b->more ? 0 : sweeps[c->kind].every_ms);
}

err_t job_sweep(struct job_context *c)
{
    const struct db_job_claim claim = {job_kind_name(c->kind), 1, c->worker->cfg->lease_ms};
    struct db_job_list jobs;
    TRY(db_job_claim(c->db, c->arena, &claim, &c->parts->of, 1, &jobs));
    if (jobs.count == 0)
        return NULL;
    struct bite b = {.db = c->db, .arena = c->arena, .cfg = c->worker->cfg, .at = jobs.at->payload};
    err_t e = sweeps[c->kind].bite(&b);
    KILL_POINT("sweep_bitten");
    return e ? job_bite_failed(c, jobs.at, e) : go_on(c, jobs.at, &b);
}

err_t job_sweeps_begin(struct db *db, struct arena *a)
{
    struct str kinds[JOB_KINDS];
    size_t count = 0;
    for (enum job_kind kind = 0; kind < JOB_KINDS; kind++)
        if (sweeps[kind].bite)
            kinds[count++] = job_kind_name(kind);
    return db_sweep_begin(db, a, kinds, count);
}
