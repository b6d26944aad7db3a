/* loop.c: the threads of the worker: looking for work, turns, draining. One thread at a time looks, with the
 * lead; who finds work hands the lead on and does it. It must never know what a job does. */
#include "workers/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/program.h"

enum {
    ROUNDS_PER_TURN = 4,
    CLAIM_DOUBLINGS = 2,
    TURN_MS = 1000,     /* no schedule: a turn that has taken so long begins no other round */
    PAGE = 64,          /* scopes that are looked at together */
    STOP_SLICE_MS = 50, /* no schedule: how often a wait looks whether the worker is to stop */
};

_Static_assert((int)JOB_KINDS <= (int)POOL_KINDS_MAX, "the pool has room for every kind");
#define JOB(kind, whose, claim, turn_scopes, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)     \
    _Static_assert((turn_scopes) <= POOL_TURN_MAX, "a turn has room for its scopes");
#include "core/jobs.def"

static job_function *const functions[] = {
#define JOB(kind, whose, claim, turn_scopes, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)     \
    job_##kind,
#define SWEEP(kind, every_ms, sentence) job_sweep,
#include "core/jobs.def"
};

/* The way of one kind through all scopes that have work, again and again; of whoever has the lead. */
struct walk {
    struct pool_scope page[PAGE];
    size_t count;
    struct pool_scope last;   /* of the page; nobody at the start of a round */
    bool more;                /* scopes may stand behind the page */
    bool busy;                /* something was due in this round */
    int64_t next_ms, wait_ms; /* when the next round begins; how long it is waited between rounds */
};

struct turn {
    enum job_kind kind;
    struct pool_scope scopes[POOL_TURN_MAX];
    size_t scope_count;
    int slot;
};

static struct {
    struct worker *worker;
    pthread_mutex_t lock; /* of what stands below */
    pthread_cond_t lead_left;
    bool led;
    struct pool *pool;
    struct hub_client *clients[POOL_SLOTS_MAX]; /* not in use; the one that was used last comes first */
    size_t client_count;

    struct walk walks[JOB_KINDS]; /* of whoever has the lead */
    pthread_t threads[POOL_SLOTS_MAX];
    size_t thread_count;
} loop = {.lock = PTHREAD_MUTEX_INITIALIZER, .lead_left = PTHREAD_COND_INITIALIZER};

int64_t job_deadline_ms(const struct worker *w, int64_t claimed_ms)
{
    int64_t by_lease = claimed_ms + percent_of(PERCENT_of_lease_for_calls, w->cfg->lease_ms);
    int64_t by_drain = atomic_load(&w->stopping) ? atomic_load(&w->stop_by_ms) : INT64_MAX;
    return by_lease < by_drain ? by_lease : by_drain;
}

void job_give_db(struct job_context *c)
{
    if (c->db)
        connections_give(c->worker->connections, c->db);
    c->db = NULL;
}

void job_take_db(struct job_context *c)
{
    if (!c->db)
        c->db = connections_take(c->worker->connections);
}

void job_waits(struct job_context *c, bool waits)
{
    if (waits == c->waits)
        return;
    c->waits = waits;
    pthread_mutex_lock(&loop.lock);
    pool_wait(loop.pool, c->slot, waits);
    pthread_mutex_unlock(&loop.lock);
}

static bool is_stopping(void)
{
    return atomic_load(&loop.worker->stopping);
}

static void pause_until(int64_t until_ms)
{
    for (int64_t left; !is_stopping() && (left = until_ms - clock_ms()) > 0;) {
        left = left < STOP_SLICE_MS ? left : STOP_SLICE_MS;
        struct timespec t = {0, (long)left * 1000000};
        nanosleep(&t, NULL);
    }
}

static void note_error(const struct job_context *c, const char *kind, struct str name, err_t e)
{
    if (e && e != E(DATABASE_UNAVAILABLE))
        log_event(LOG_ERROR, "jobError", L_CSTR("kind", kind), L_TEXT("idScope", name), L_CSTR("error", e->name),
                  L_CSTR("message", db_message(c->db)));
}

err_t job_bite_failed(struct job_context *c, const struct db_job *job, err_t why)
{
    const struct db_job_back back = {
        .job = *job,
        .delay_ms = job_backoff_ms(c->kind, job->attempt),
        .failed = true,
        .error = arena_str(c->arena, str_of(db_message(c->db))),
    };
    c->parts->counts.claimed = c->parts->counts.retried = 1;
    TRY(db_job_put_back(c->db, c->arena, &c->parts->of, job_kind_name(c->kind), &back, 1));
    return why;
}

void job_note_error(const struct job_context *c, const struct job_part *part, err_t e)
{
    note_error(c, job_kind_name(c->kind).p, part->name, e);
}

static struct pool_scope scope_of(const struct db_due_owner *o)
{
    struct pool_scope s = {.tenant = o->tenant, .due_us = o->due_us};
    memcpy(s.id_scope, o->id_scope.p, o->id_scope.n < POOL_SCOPE_MAX ? o->id_scope.n : POOL_SCOPE_MAX - 1);
    return s;
}

static struct db_job_owner owner_of(enum job_kind kind, const struct pool_scope *s)
{
    const struct str none = {NULL, 0};
    return (struct db_job_owner){job_is_of_tenant(kind) ? none : str_of(s->id_scope), s->tenant};
}

/* --- a turn ------------------------------------------------------------------------------------------------------- */

static void note_part(const struct job_context *c, const struct job_part *part)
{
    struct kind_stats *s = &c->worker->stats[c->kind];
    const struct job_counts *n = &part->counts;
    atomic_fetch_add(&s->done, n->done);
    atomic_fetch_add(&s->failed, n->failed);
    atomic_fetch_add(&s->retried, n->retried);
    atomic_fetch_add(&s->dropped, n->dropped);
    atomic_fetch_add(&s->dead, n->dead);
    log_event(LOG_INFO, "job", L_TEXT("kind", job_kind_name(c->kind)), L_TEXT("idScope", part->name),
              L_NUM("count", n->claimed), L_NUM("done", n->done), L_NUM("failed", n->failed),
              L_NUM("retried", n->retried), L_NUM("dropped", n->dropped), L_NUM("dead", n->dead),
              L_NUM("ms", (clock_span_us() - c->begun_us) / 1000));
}

static void leave(struct job_context *c, struct job_part *part)
{
    pthread_mutex_lock(&loop.lock);
    pool_leave(loop.pool, c->slot, part->name.p);
    pthread_mutex_unlock(&loop.lock);
}

void job_part_over(struct job_context *c, struct job_part *part)
{
    part->over = true;
    if (part->counts.claimed > 0)
        note_part(c, part);
    if (hub_client_open(c->client) > 0) {
        part->counts.claimed = 0;
        leave(c, part);
    }
}

/* Each alone, since together they failed: the one that is the reason must not be in the way of the others. */
static void work_alone(struct job_context *c)
{
    struct job_part *parts = c->parts;
    size_t count = c->part_count;
    c->part_count = 1;
    for (size_t i = 0; i < count && !is_stopping(); i++) {
        c->parts = &parts[i];
        job_note_error(c, c->parts, functions[c->kind](c));
    }
    c->parts = parts;
    c->part_count = count;
}

/* The parts that have more stay for another one. */
static void close_round(struct job_context *c, bool failed)
{
    size_t more = 0;
    for (size_t i = 0; i < c->part_count; i++) {
        struct job_part *part = &c->parts[i];
        if (!part->over)
            job_part_over(c, part);
        if (!failed && part->counts.claimed >= job_claim_limit(c->kind))
            c->parts[more++] = *part;
        else
            leave(c, part);
    }
    c->part_count = more;
    atomic_fetch_add(&c->worker->stats[c->kind].busy_us, clock_span_us() - c->begun_us);
}

/* What is due now. */
static void work_round(struct job_context *c)
{
    c->begun_us = clock_span_us();
    arena_reset(c->arena);
    for (size_t i = 0; i < c->part_count; i++)
        c->parts[i] = (struct job_part){.of = c->parts[i].of, .name = c->parts[i].name, .due_us = c->parts[i].due_us};
    err_t e = functions[c->kind](c);
    if (e && c->part_count > 1)
        work_alone(c);
    else
        job_note_error(c, c->parts, e);
    close_round(c, e != NULL);
}

/* One owner with much work, or whose work has waited, gets a larger claim, so that calls are filled. */
static int64_t claim_of(const struct job_context *c, int round)
{
    bool late = clock_wall_us() - c->parts->due_us > WAIT_claim_due_MS * INT64_C(1000);
    int doublings = late ? CLAIM_DOUBLINGS : round;
    if (c->part_count > 1)
        doublings = 0;
    return (int64_t)job_claim_limit(c->kind) << (doublings < CLAIM_DOUBLINGS ? doublings : CLAIM_DOUBLINGS);
}

/* Owners with much work get a few rounds, or one that takes long (their hubs may be silent), then others have their
 * turn. */
static void work(struct job_context *c)
{
    int64_t turn_ends_ms = clock_ms() + TURN_MS;
    for (int round = 0; round < ROUNDS_PER_TURN && c->part_count > 0 && !is_stopping(); round++) {
        c->claim = claim_of(c, round);
        work_round(c);
        if (clock_ms() >= turn_ends_ms)
            break;
    }
}

static struct hub_client *take_client(void)
{
    pthread_mutex_lock(&loop.lock);
    struct hub_client *client = loop.client_count > 0 ? loop.clients[--loop.client_count] : NULL;
    pthread_mutex_unlock(&loop.lock);
    return client ? client : hub_client_new(&loop.worker->hub);
}

static void end_turn(const struct turn *t, struct hub_client *client)
{
    pthread_mutex_lock(&loop.lock);
    loop.clients[loop.client_count++] = client;
    pool_end(loop.pool, t->slot, clock_ms());
    pthread_mutex_unlock(&loop.lock);
    atomic_fetch_sub(&loop.worker->stats[t->kind].running, 1);
}

static struct job_part part_of(enum job_kind kind, const struct pool_scope *s)
{
    return (struct job_part){.of = owner_of(kind, s), .name = str_of(s->id_scope), .due_us = s->due_us};
}

static void run_turn(struct job_context *c, const struct turn *t)
{
    struct job_part parts[POOL_TURN_MAX];
    for (size_t i = 0; i < t->scope_count; i++)
        parts[i] = part_of(t->kind, &t->scopes[i]);
    c->kind = t->kind;
    c->slot = t->slot;
    c->waits = false;
    c->parts = parts;
    c->part_count = t->scope_count;
    c->client = take_client();
    work(c);
    job_give_db(c);
    end_turn(t, c->client);
    c->parts = NULL;
}

/* --- looking for work --------------------------------------------------------------------------------------------- */

static void take_lead(void)
{
    pthread_mutex_lock(&loop.lock);
    while (loop.led)
        pthread_cond_wait(&loop.lead_left, &loop.lock);
    loop.led = true;
    pthread_mutex_unlock(&loop.lock);
}

static void leave_lead(void)
{
    pthread_mutex_lock(&loop.lock);
    loop.led = false;
    pthread_cond_signal(&loop.lead_left);
    pthread_mutex_unlock(&loop.lock);
}

/* The scopes behind the last page. */
static err_t next_page(struct job_context *c, enum job_kind kind, struct walk *k)
{
    struct db_due_owner *at;
    const struct db_job_owner after = owner_of(kind, &k->last);
    size_t count;
    arena_reset(c->arena);
    TRY(db_job_due(c->db, c->arena, job_kind_name(kind), &after, PAGE, &at, &count));
    k->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!at[i].due)
            continue;
        k->page[k->count++] = scope_of(&at[i]);
    }
    k->more = count == PAGE;
    k->busy = k->busy || k->count > 0;
    if (count > 0)
        k->last = scope_of(&at[count - 1]);
    return NULL;
}

static void take(struct walk *k, size_t i, struct turn *t)
{
    t->scopes[t->scope_count++] = k->page[i];
    k->page[i] = k->page[--k->count];
}

static int by_scope(const void *a, const void *b)
{
    return str_compare(str_of(((const struct pool_scope *)a)->id_scope),
                       str_of(((const struct pool_scope *)b)->id_scope));
}

/* With the lock held: the turn is for the scope `first` of the page, and for those of its tenant that may join; in one
 * order, in which all turns take rows. */
static void fill_turn(struct walk *k, size_t first, struct turn *t)
{
    t->scope_count = 0;
    t->slot = pool_begin(loop.pool, t->kind, &k->page[first], clock_ms());
    take(k, first, t);
    for (size_t i = 0; i < k->count;)
        if (pool_join(loop.pool, t->slot, &k->page[i]))
            take(k, i, t);
        else
            i++;
    qsort(t->scopes, t->scope_count, sizeof *t->scopes, by_scope);
}

/* Whose turn it is among the page's scopes; the slot is taken. */
static bool begin_turn(enum job_kind kind, struct walk *k, struct turn *ret)
{
    pthread_mutex_lock(&loop.lock);
    size_t i = pool_choose(loop.pool, kind, k->page, k->count, clock_ms());
    bool found = i < k->count;
    ret->kind = kind;
    if (found)
        fill_turn(k, i, ret);
    pthread_mutex_unlock(&loop.lock);
    if (!found)
        return false;
    struct kind_stats *s = &loop.worker->stats[kind];
    atomic_fetch_add(&s->running, 1);
    atomic_fetch_add(&s->turns, 1);
    atomic_fetch_add(&s->owners, (int64_t)ret->scope_count);
    return true;
}

/* A round that found nothing due is followed by a longer wait. */
static void end_round(struct walk *k)
{
    const struct cfg *cfg = loop.worker->cfg;
    k->wait_ms = k->busy || k->wait_ms == 0 ? cfg->poll_min_ms : k->wait_ms * 2;
    k->wait_ms = k->wait_ms < cfg->poll_max_ms ? k->wait_ms : cfg->poll_max_ms;
    k->next_ms = clock_ms() + k->wait_ms;
    k->count = 0;
    k->busy = k->more = false;
    k->last = (struct pool_scope){.id_scope = ""};
}

/* Goes on with the walk until a turn may begin or the round is over. What may not begin now is passed over: it comes
 * again in the next round. */
static err_t walk_on(struct job_context *c, enum job_kind kind, struct turn *ret, bool *ret_found)
{
    struct walk *k = &loop.walks[kind];
    *ret_found = begin_turn(kind, k, ret);
    if (*ret_found || (!k->more && clock_ms() < k->next_ms))
        return NULL;
    do {
        TRY(next_page(c, kind, k));
        *ret_found = begin_turn(kind, k, ret);
    } while (!*ret_found && k->more);
    if (!*ret_found)
        end_round(k);
    return NULL;
}

static int64_t next_round_ms(void)
{
    int64_t next_ms = INT64_MAX;
    for (int kind = 0; kind < JOB_KINDS; kind++)
        next_ms = loop.walks[kind].next_ms < next_ms ? loop.walks[kind].next_ms : next_ms;
    return next_ms;
}

/* One look at every kind. */
static err_t look(struct job_context *c, struct turn *ret, bool *ret_found)
{
    int order[JOB_KINDS];
    *ret_found = false;
    pthread_mutex_lock(&loop.lock);
    pool_order(loop.pool, clock_ms(), order);
    pthread_mutex_unlock(&loop.lock);
    for (int i = 0; i < JOB_KINDS && !*ret_found; i++)
        TRY(walk_on(c, (enum job_kind)order[i], ret, ret_found));
    return NULL;
}

/* Looks until there is work or the worker stops; with work, c->db is set. */
static bool find_turn(struct job_context *c, struct turn *ret)
{
    bool found = false;
    while (!found && !is_stopping()) {
        job_take_db(c);
        err_t e = look(c, ret, &found);
        note_error(c, "any", STR(""), e);
        if (found)
            break;
        job_give_db(c);
        pause_until(e ? clock_ms() + loop.worker->cfg->poll_max_ms : next_round_ms());
    }
    return found;
}

/* --- all threads -------------------------------------------------------------------------------------------------- */

static void *run_slot(void *context)
{
    struct job_context c = {.worker = context, .arena = arena_new()};
    while (!is_stopping()) {
        struct turn t;
        take_lead();
        bool found = find_turn(&c, &t);
        leave_lead();
        if (found)
            run_turn(&c, &t);
    }
    arena_free(c.arena);
    return NULL;
}

static err_t start_slot(struct err_detail *d)
{
    if (pthread_create(&loop.threads[loop.thread_count], NULL, run_slot, loop.worker) != 0)
        return err_say(d, E(INTERNAL), "A thread cannot be started: %s.", strerror(errno));
    loop.thread_count++;
    return NULL;
}

static err_t begin_sweeps(struct worker *w, struct err_detail *d)
{
    struct db *db = connections_take(w->connections);
    err_t e = job_sweeps_begin(db, w->arena);
    if (e)
        err_say(d, e, "The jobs of the sweeps cannot be written: %s", db_message(db));
    connections_give(w->connections, db);
    return e;
}

err_t loop_start(struct worker *w, struct err_detail *d)
{
    int slots = (int)w->cfg->job_slots;
    TRY(connections_open(w->arena, w->cfg->database_url.p, (int)w->cfg->job_connections, d, &w->connections));
    atomic_store(&w->stopping, false);
    loop.worker = w;
    loop.pool = pool_new(w->arena, slots, job_pool_kinds(), JOB_KINDS);
    TRY(begin_sweeps(w, d));
    for (int i = 0; i < slots; i++)
        TRY(start_slot(d));
    return NULL;
}

void loop_stop(struct worker *w)
{
    atomic_store(&w->stop_by_ms, clock_ms() + program_work_ms(w->cfg->drain_ms));
    atomic_store(&w->stopping, true);
    for (size_t i = 0; i < loop.thread_count; i++)
        pthread_join(loop.threads[i], NULL);
    for (size_t i = 0; i < loop.client_count; i++)
        hub_client_free(loop.clients[i]);
    loop.thread_count = loop.client_count = 0;
    connections_close(w->connections);
    w->connections = NULL;
}
