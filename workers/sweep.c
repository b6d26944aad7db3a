/* sweep.c: what is due by the calendar rather than by a cause: links to validate and to measure become jobs; what is
 * dead goes. The latter are jobs of the deployment: one worker at a time does each, in bounded bites, and how far it
 * has come stands in the job, so that it goes on there whoever is next. It must never take long in one transaction. */
#include <stdlib.h>

#include "core/json.h"
#include "core/process/clock.h"
#include "db/sweep.h"
#include "workers/loop.h"

enum { LINKS_AT_ONCE = 200, BITE = 2000, BITES_PER_TURN = 20, SCOPES_PER_BITE = 200 };

/* One turn of a sweep. */
struct turn {
    struct db *db;
    struct arena *arena;
    struct str at; /* how far it has come, as JSON of its own; absent: at the beginning */
    int64_t gone;  /* rows of the last bite */
    bool more;     /* after this bite there is another */
};
typedef err_t sweep_function(struct turn *t);

#define SWEEP(kind, every_ms, sentence) static sweep_function sweep_##kind;
#include "workers/jobs.def"

static const struct sweep_row {
    struct str kind;
    sweep_function *bite;
    int64_t every_ms;
} sweeps[] = {
#define SWEEP(kind, every_ms, sentence) {{#kind, sizeof #kind - 1}, sweep_##kind, every_ms},
#include "workers/jobs.def"
};
enum { SWEEPS = sizeof sweeps / sizeof *sweeps };

/* --- the dead ----------------------------------------------------------------------------------------------------- */

/* Where something went, more may be left. */
static err_t after_bite(struct turn *t, err_t e)
{
    t->more = !e && t->gone > 0;
    return e;
}

static err_t sweep_purge_scopes(struct turn *t)
{
    return after_bite(t, db_sweep_retired_scopes(t->db, t->arena, BITE, &t->gone));
}

static err_t sweep_purge_hubs(struct turn *t)
{
    return after_bite(t, db_sweep_retired_hubs(t->db, t->arena, BITE, &t->gone));
}

static err_t sweep_clear_latencies(struct turn *t)
{
    return after_bite(t, db_sweep_latencies(t->db, t->arena, KEEP_latencies_MS, BITE, &t->gone));
}

static err_t sweep_free_names(struct turn *t)
{
    return after_bite(t, db_sweep_name_rests(t->db, t->arena, BITE, &t->gone));
}

/* --- counts ------------------------------------------------------------------------------------------------------- */

/* A bite of each hub that was written to; `at` is the last one. */
static err_t sweep_fold_counts(struct turn *t)
{
    int64_t hub = t->at.p ? strtoll(t->at.p, NULL, 10) : 0;
    TRY(db_sweep_hub_device_count(t->db, t->arena, &hub, BITE));
    t->more = hub != 0;
    t->at = hub ? arena_printf(t->arena, "%lld", (long long)hub) : (struct str){NULL, 0};
    return NULL;
}

/* --- stored inputs ------------------------------------------------------------------------------------------------ */

/* Where the round stands: at the registration `key` of the scope, or, key absent, behind the scope. */
struct inputs_at {
    struct db_inputs_scope scope;
    struct str key;
};

static err_t read_inputs_at(const struct turn *t, struct inputs_at *ret)
{
    json_auto_t *at = NULL;
    const char *scope = "", *key = NULL, *began = NULL;
    if (t->at.p)
        TRY(json_read(t->at, NULL, &at));
    if (at)
        (void)json_unpack(at, "{s?s, s?s, s?s}", "scope", &scope, "key", &key, "began", &began);
    ret->scope.id_scope = arena_str(t->arena, str_of(scope));
    ret->scope.began = arena_str(t->arena, str_of(began));
    ret->key = arena_str(t->arena, str_of(key));
    return NULL;
}

static void write_inputs_at(struct turn *t, const struct inputs_at *at)
{
    struct text out;
    text_init(&out, t->arena, 256);
    text_add_char(&out, '{');
    json_member_text(&out, "scope", at->scope.id_scope);
    json_member_text(&out, "key", at->key);
    json_member_text(&out, "began", at->scope.began);
    text_add_char(&out, '}');
    t->at = text_str(&out);
}

/* Goes on to the next scope, or ends the round. */
static err_t next_scope(struct turn *t, struct inputs_at *at)
{
    err_t e = db_sweep_inputs_scope(t->db, t->arena, at->scope.id_scope, KEEP_inputs_MS, SCOPES_PER_BITE, &at->scope);
    t->more = e == NULL;
    if (e == E(NO_ROW))
        t->at = (struct str){NULL, 0};
    if (e)
        return e == E(NO_ROW) ? NULL : e;
    at->key = at->scope.old ? STR("") : (struct str){NULL, 0};
    write_inputs_at(t, at);
    return NULL;
}

static err_t walk_scope(struct turn *t, struct inputs_at *at)
{
    struct str came_to;
    TRY(db_sweep_inputs_mark(t->db, t->arena, &at->scope, at->key, BITE, &came_to));
    if (came_to.p)
        at->key = came_to;
    else
        TRY(db_sweep_inputs_clear(t->db, t->arena, &at->scope, KEEP_inputs_MS, BITE, &t->gone));
    if (!came_to.p && t->gone < BITE)
        at->key = came_to;
    t->more = true;
    write_inputs_at(t, at);
    return NULL;
}

static err_t sweep_clear_inputs(struct turn *t)
{
    struct inputs_at at;
    TRY(read_inputs_at(t, &at));
    return at.key.p ? walk_scope(t, &at) : next_scope(t, &at);
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

/* Takes the sweep's job, when it is due and nobody else has it, and bites until its turn is over. */
static err_t take_turn(struct worker *w, struct db *db, struct arena *a, const struct sweep_row *s)
{
    const struct db_job_claim claim = {.kind = s->kind, .at_most = 1, .lease_ms = w->cfg->lease_ms};
    int64_t claimed_ms = clock_ms();
    struct db_job *job;
    size_t count;
    TRY(db_job_claim(db, a, &claim, &job, &count));
    if (count == 0)
        return NULL;
    struct turn t = {.db = db, .arena = a, .at = job->payload, .more = true};
    for (int i = 0;
         i < BITES_PER_TURN && t.more && !atomic_load(&w->stopping) && clock_ms() < job_deadline_ms(w, claimed_ms);
         i++) {
        t.gone = 0;
        err_t e = s->bite(&t);
        if (e)
            return e;
    }
    job->payload = t.at;
    return db_sweep_go_on(db, a, s->kind, job, t.more ? 0 : s->every_ms);
}

/* Once per process is enough; used by the sweeper's thread alone. */
static err_t begin(struct db *db, struct arena *a)
{
    static bool begun;
    struct str kinds[SWEEPS];
    for (size_t i = 0; i < SWEEPS; i++)
        kinds[i] = sweeps[i].kind;
    if (!begun)
        TRY(db_sweep_begin(db, a, kinds, SWEEPS));
    begun = true;
    return NULL;
}

static err_t schedule_links(struct worker *w, struct db *db, struct arena *a)
{
    TRY(db_sweep_link_validate(db, a, next_check_ms(w->cfg->link_check_s * 1000), LINKS_AT_ONCE));
    return db_sweep_latency_measure(db, a, next_check_ms(w->cfg->latency_check_s * 1000), LINKS_AT_ONCE);
}

err_t sweep(struct worker *w, struct db *db, struct arena *a)
{
    TRY(schedule_links(w, db, a));
    TRY(begin(db, a));
    for (size_t i = 0; i < SWEEPS; i++)
        TRY(take_turn(w, db, a, &sweeps[i]));
    return NULL;
}
