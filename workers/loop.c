/* loop.c: the threads of the worker: walking scopes, waiting, draining. It must not know what a job does. */
#include "workers/loop.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "core/crypt.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "db/job.h"

enum {
    THREADS_MAX = 16 + JOB_KINDS + 1,
    ROUNDS_PER_SCOPE = 4,
    TURN_MS = 1000,
    STOP_SLICE_MS = 50,
    LEASE_MARGIN_PERCENT = 20
};

struct kind_row {
    const char *name;
    job_function *work;
    int claim;
    int64_t first_ms, longest_ms;
    int attempts;
};

static const struct kind_row kinds[] = {
#define JOB(kind, claim, first_ms, longest_ms, attempts, sentence)                                                     \
    {#kind, job_##kind, claim, first_ms, longest_ms, attempts},
#include "workers/jobs.def"
#undef JOB
};

struct thread {
    pthread_t id;
    struct worker *worker;
    enum job_kind kind; /* JOB_KINDS: the sweeper */
    struct db *db;
    bool up;
};

static struct thread threads[THREADS_MAX];
static size_t thread_count;

struct str job_kind_name(enum job_kind kind)
{
    return str_of(kinds[kind].name);
}

int job_claim_limit(enum job_kind kind)
{
    return kinds[kind].claim;
}

int64_t job_backoff_ms(enum job_kind kind, int attempt)
{
    uint8_t random;
    crypt_random(&random, sizeof random);
    int64_t delay = kinds[kind].first_ms << (attempt < 16 ? attempt : 16);
    if (delay > kinds[kind].longest_ms)
        delay = kinds[kind].longest_ms;
    return delay - delay * random / 1024;
}

bool job_is_over(enum job_kind kind, int attempt)
{
    return kinds[kind].attempts > 0 && attempt >= kinds[kind].attempts;
}

int64_t job_deadline_ms(const struct worker *w, int64_t claimed_ms)
{
    int64_t by_lease = claimed_ms + w->cfg->lease_ms - w->cfg->lease_ms * LEASE_MARGIN_PERCENT / 100;
    int64_t by_drain = atomic_load(&w->stopping) ? atomic_load(&w->stop_by_ms) : INT64_MAX;
    return by_lease < by_drain ? by_lease : by_drain;
}

/* --- one thread --------------------------------------------------------------------------------------------------- */

static void pause_ms(const struct worker *w, int64_t ms)
{
    for (int64_t until = clock_ms() + ms; !atomic_load(&w->stopping);) {
        int64_t left = until - clock_ms();
        if (left <= 0)
            return;
        left = left < STOP_SLICE_MS ? left : STOP_SLICE_MS;
        struct timespec t = {0, (long)left * 1000000};
        nanosleep(&t, NULL);
    }
}

/* Says once that the database is lost, and once that it is back. */
static void note_database(struct thread *t, err_t e)
{
    bool up = e != E(DATABASE_UNAVAILABLE);
    if (up == t->up)
        return;
    t->up = up;
    atomic_fetch_add(&t->worker->threads_up, up ? 1 : -1);
    const char *kind = t->kind == JOB_KINDS ? "sweep" : kinds[t->kind].name;
    log_event(up ? LOG_INFO : LOG_WARN, up ? "databaseBack" : "databaseLost", L_CSTR("kind", kind),
              L_CSTR("message", up ? "" : db_message(t->db)));
}

static void note_error(struct thread *t, struct str id_scope, err_t e)
{
    if (e == NULL || e == E(DATABASE_UNAVAILABLE))
        return;
    const char *kind = t->kind == JOB_KINDS ? "sweep" : kinds[t->kind].name;
    log_event(LOG_ERROR, "jobError", L_CSTR("kind", kind), L_TEXT("idScope", id_scope), L_CSTR("error", e->name),
              L_CSTR("message", db_message(t->db)));
}

static void note_group(const struct job_context *c, struct str id_scope, int64_t busy_us)
{
    struct kind_stats *s = &c->worker->stats[c->kind];
    const struct job_counts *n = &c->counts;
    atomic_fetch_add(&s->groups, 1);
    atomic_fetch_add(&s->busy_us, busy_us);
    atomic_fetch_add(&s->done, n->done);
    atomic_fetch_add(&s->failed, n->failed);
    atomic_fetch_add(&s->retried, n->retried);
    atomic_fetch_add(&s->dropped, n->dropped);
    atomic_fetch_add(&s->dead, n->dead);
    log_event(LOG_INFO, "job", L_TEXT("kind", job_kind_name(c->kind)), L_TEXT("idScope", id_scope),
              L_NUM("count", n->claimed), L_NUM("done", n->done), L_NUM("failed", n->failed),
              L_NUM("retried", n->retried), L_NUM("dropped", n->dropped), L_NUM("dead", n->dead),
              L_NUM("ms", busy_us / 1000));
}

/* A scope with much work gets a few rounds, or one that takes long (its hubs may be silent), then the others have their
 * turn. */
static err_t work_on_scope(struct thread *t, struct job_context *c, struct str id_scope, int64_t *ret_claimed)
{
    err_t e = NULL;
    int64_t turn_ends_ms = clock_ms() + TURN_MS;
    *ret_claimed = 0;
    for (int round = 0; round < ROUNDS_PER_SCOPE && !e && !atomic_load(&t->worker->stopping); round++) {
        int64_t start_us = clock_span_us();
        arena_reset(c->arena);
        c->counts = (struct job_counts){0};
        e = kinds[c->kind].work(c, id_scope);
        *ret_claimed += c->counts.claimed;
        if (c->counts.claimed > 0)
            note_group(c, id_scope, clock_span_us() - start_us);
        if (c->counts.claimed < kinds[c->kind].claim || clock_ms() >= turn_ends_ms)
            break;
    }
    note_error(t, id_scope, e);
    return e;
}

struct walk {
    char scope[32];  /* the last one that was worked on; empty at the start of a round */
    int64_t claimed; /* in this round */
};

/* One step of the walk; *ret_idle when a whole round found nothing to do. */
static err_t step(struct thread *t, struct job_context *c, struct walk *w, bool *ret_idle)
{
    struct str scope;
    *ret_idle = false;
    arena_reset(c->arena);
    err_t e = db_job_next_scope(t->db, c->arena, job_kind_name(t->kind), str_of(w->scope), &scope);
    if (e == E(NO_ROW)) {
        *ret_idle = w->claimed == 0;
        *w = (struct walk){.claimed = 0};
        return NULL;
    }
    TRY(e);
    int64_t claimed;
    memset(w->scope, 0, sizeof w->scope);
    memcpy(w->scope, scope.p, scope.n < sizeof w->scope ? scope.n : sizeof w->scope - 1);
    e = work_on_scope(t, c, str_of(w->scope), &claimed);
    w->claimed += claimed;
    return e;
}

static void run_jobs(struct thread *t)
{
    struct worker *w = t->worker;
    struct job_context c = {
        .worker = w, .kind = t->kind, .db = t->db, .client = hub_client_new(&w->hub), .arena = arena_new()};
    struct walk walk = {.claimed = 0};
    int64_t wait_ms = w->cfg->poll_min_ms;
    while (!atomic_load(&w->stopping)) {
        bool idle;
        err_t e = step(t, &c, &walk, &idle);
        note_database(t, e);
        if (!e && !idle) {
            wait_ms = w->cfg->poll_min_ms;
            continue;
        }
        pause_ms(w, wait_ms);
        wait_ms = wait_ms * 2 < w->cfg->poll_max_ms ? wait_ms * 2 : w->cfg->poll_max_ms;
    }
    hub_client_free(c.client);
    arena_free(c.arena);
}

static void run_sweeps(struct thread *t)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    while (!atomic_load(&t->worker->stopping)) {
        err_t e = sweep(t->worker, t->db, a);
        note_database(t, e);
        note_error(t, STR(""), e);
        arena_reset(a);
        pause_ms(t->worker, t->worker->cfg->sweep_ms);
    }
}

static void *run(void *context)
{
    struct thread *t = context;
    if (t->kind == JOB_KINDS)
        run_sweeps(t);
    else
        run_jobs(t);
    db_close(t->db);
    return NULL;
}

/* --- all threads -------------------------------------------------------------------------------------------------- */

static err_t start_thread(struct worker *w, enum job_kind kind, struct err_detail *d)
{
    struct thread *t = &threads[thread_count];
    *t = (struct thread){.worker = w, .kind = kind, .up = true};
    TRY(db_open(w->cfg->database_url.p, "idscope-worker", DB_USE_LANE, d, &t->db));
    if (pthread_create(&t->id, NULL, run, t) != 0) {
        db_close(t->db);
        return err_say(d, E(INTERNAL), "A thread cannot be started: %s.", strerror(errno));
    }
    thread_count++;
    atomic_fetch_add(&w->threads, 1);
    atomic_fetch_add(&w->threads_up, 1);
    return NULL;
}

err_t loop_start(struct worker *w, struct err_detail *d)
{
    atomic_store(&w->stopping, false);
    atomic_store(&w->threads, 0);
    atomic_store(&w->threads_up, 0);
    for (int i = 0; i < w->cfg->assign_threads; i++)
        TRY(start_thread(w, JOB_assign, d));
    for (enum job_kind kind = JOB_assign + 1; kind <= JOB_KINDS; kind++)
        TRY(start_thread(w, kind, d));
    return NULL;
}

void loop_stop(struct worker *w)
{
    atomic_store(&w->stop_by_ms, clock_ms() + w->cfg->drain_ms);
    atomic_store(&w->stopping, true);
    for (size_t i = 0; i < thread_count; i++)
        pthread_join(threads[i].id, NULL);
    thread_count = 0;
}
