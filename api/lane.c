/* lane.c: takes requests off the queues, resolves their credentials, runs their operations, and hands the finished
 * replies back. Batches of the device plane are whatever gathered since the last one was taken: nothing waits for
 * company. Where a class has several lanes, one prepares while another writes, and one writes at a time. It must never
 * let one request spoil another one's answer: what failed together for a reason of ours is run again one by one. */
#include "api/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/attempts.h"
#include "api/auth.h"
#include "api/locks.h"
#include "api/metrics.h"
#include "api/plane.h"
#include "api/rates.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/shared.h"
#include "core/attest/attest.h"
#include "core/killpoint.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/metric.h"
#include "db/gate.h"

enum {
    IDLE_MS = 1000,
    DOWN_MS = 100,
    STOP_MS = 1000,
    WATCH_US = 100000,
    LATE_AT_ONCE = 64,
    DEAR_NICE = 10,
};

static const char *const class_words[LANE_CLASSES] = {"device", "device-dear", "service", "hub", "management"};

/* What a lane runs stands in `held`, which it shares with the watch: whoever takes a call out of it, under the lock,
 * answers it. A call that the watch took (NULL now) is still the lane's to free. */
struct lane {
    struct lanes *lanes;
    enum lane_class class;
    struct db *db;
    pthread_t thread;
    _Atomic bool up;
    pthread_mutex_t lock;
    struct call *held[LANE_BATCH_MAX];
    size_t held_count;
};

/* To write, for the batches of a class. */
struct turn {
    pthread_mutex_t lock;
    _Atomic bool taken;
};

struct lanes {
    struct arena *arena;
    const struct shared *shared;
    struct queue *queues[LANE_CLASSES];
    struct turn turns[LANE_CLASSES];
    _Atomic uint64_t answered[LANE_CLASSES], waited_us[LANE_CLASSES];
    int bands[ROUTE_COUNT];
    struct lane *lanes;
    size_t count, started;
    pthread_t watch; /* runs when lanes do */
    _Atomic bool stopping;
};

/* --- in ----------------------------------------------------------------------------------------------------------- */

static bool takes_batches(enum lane_class class)
{
    return class == LANE_DEVICE || class == LANE_DEVICE_DEAR;
}

static struct call *call_of(struct queue_item *item)
{
    return (struct call *)((char *)item - offsetof(struct call, work.item));
}

/* Answers a call that nobody else holds. */
static void turn_away(struct call *c, const char *why)
{
    c->error = call_refuse(c, E(OVERLOADED), "%s", why);
    reply_finish(c);
    c->work.done(c);
}

static void answer_now(struct call *c)
{
    if (!c->error)
        c->error = c->route->op(c);
    reply_finish(c);
    c->work.done(c);
}

static void enqueue(struct lanes *l, struct call *c, int64_t until_us)
{
    struct queue *q = l->queues[c->work.class];
    if (queue_reserve(q, plane_holder(c), l->bands[router_index(c->route)], until_us, &c->work.item))
        queue_push(q, &c->work.item);
    else
        turn_away(c, "no place in the queue");
}

/* Whoever shows a certificate is dear to check, whatever it is enrolled with: the first lanes do not look at it. */
static enum lane_class class_of(const struct call *c)
{
    enum lane_class class = planes[c->plane].lanes;
    return class == LANE_DEVICE && c->presented.leaf.n ? LANE_DEVICE_DEAR : class;
}

void lanes_submit(struct lanes *l, struct call *c, void (*done)(struct call *c))
{
    int64_t now_us = clock_span_us();
    c->work = (struct lane_work){.class = class_of(c), .submitted_us = now_us, .done = done};
    if (c->error || c->route->kind == ROUTE_INLINE)
        answer_now(c);
    else
        enqueue(l, c, now_us + c->cfg->request_timeout_ms * 1000);
}

/* --- what is held ------------------------------------------------------------------------------------------------- */

/* What a batch does is done for all its calls, so it has to end before the first of them is given up. */
static void hold(struct lane *lane, struct call **calls, size_t count)
{
    int64_t wall_us = clock_wall_us(), span_us = clock_span_us(), until_us = INT64_MAX, waited_us = 0;
    pthread_mutex_lock(&lane->lock);
    for (size_t i = 0; i < count; i++) {
        waited_us += span_us - calls[i]->work.submitted_us;
        if (calls[i]->work.item.until_us < until_us)
            until_us = calls[i]->work.item.until_us;
        calls[i]->work.begun_us = span_us;
        calls[i]->now_us = wall_us;
        calls[i]->db = lane->db;
        lane->held[i] = calls[i];
    }
    lane->held_count = count;
    pthread_mutex_unlock(&lane->lock);
    atomic_fetch_add_explicit(&lane->lanes->waited_us[lane->class], (uint64_t)waited_us, memory_order_relaxed);
    db_until(lane->db, until_us / 1000);
}

static bool still_holds(struct lane *lane, size_t i)
{
    pthread_mutex_lock(&lane->lock);
    bool holds = lane->held[i];
    pthread_mutex_unlock(&lane->lock);
    return holds;
}

/* False: the watch has answered in the meantime. */
static bool let_go(struct lane *lane, size_t i)
{
    pthread_mutex_lock(&lane->lock);
    bool held = lane->held[i];
    lane->held[i] = NULL;
    pthread_mutex_unlock(&lane->lock);
    return held;
}

/* Takes the calls whose time is over, and makes those that answer in their stead. */
static size_t take_late(struct lane *lane, struct call **ret, int64_t now_us)
{
    size_t count = 0;
    pthread_mutex_lock(&lane->lock);
    for (size_t i = 0; i < lane->held_count; i++) {
        if (lane->held[i] && lane->held[i]->work.item.until_us <= now_us) {
            ret[count++] = call_stand_in(lane->held[i]);
            lane->held[i] = NULL;
        }
    }
    pthread_mutex_unlock(&lane->lock);
    return count;
}

/* --- the watch ---------------------------------------------------------------------------------------------------- */

static void end_waiting(struct queue *q, int64_t now_us)
{
    struct queue_item *items[LATE_AT_ONCE];
    size_t count;
    while ((count = queue_take_late(q, items, LATE_AT_ONCE, now_us)))
        for (size_t i = 0; i < count; i++)
            turn_away(call_of(items[i]), "not run: it waited too long");
}

static void end_running(struct lane *lane, int64_t now_us)
{
    struct call *late[LANE_BATCH_MAX];
    size_t count = take_late(lane, late, now_us);
    for (size_t i = 0; i < count; i++)
        turn_away(late[i], "given up: the database did not answer in time");
}

static void *watch_run(void *context)
{
    struct lanes *l = context;
    while (!l->stopping) {
        usleep(WATCH_US);
        int64_t now_us = clock_span_us();
        for (int class = 0; class < LANE_CLASSES; class ++)
            end_waiting(l->queues[class], now_us);
        for (size_t i = 0; i < l->count; i++)
            end_running(&l->lanes[i], now_us);
    }
    return NULL;
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

static void note_owner(struct call *r)
{
    if (r->instance) {
        r->owner_kind = "idScope";
        r->owner = arena_str(r->arena, r->instance->id_scope_text);
    } else if (r->hub) {
        r->owner_kind = "hub";
        r->owner = arena_str(r->arena, r->hub->name);
    } else if (r->client) {
        r->owner_kind = "tenant";
        r->owner = enc_uuid(r->arena, &r->client->tenant_id);
    }
}

/* A statement may take half of a call's time; so a call that has waited for as long could end too late. */
static bool waited_too_long(const struct call *r)
{
    return r->work.begun_us > r->work.item.until_us - r->cfg->request_timeout_ms * 1000 / 2;
}

static err_t admit(struct lane *lane, struct call *r)
{
    if (lane->lanes->stopping || waited_too_long(r))
        return call_refuse(r, E(OVERLOADED), "not run: it waited too long, or the service stops");
    TRY(auth_check(r));
    bool counts = r->plane == PLANE_SERVICE && !r->pieces.state; /* the first of a call's pieces alone */
    return counts ? rates_check(r, QUOTA_OF_OPERATIONS, (struct str){NULL, 0}) : NULL;
}

static bool is_database_error(err_t e)
{
    return e == E(DATABASE_STATEMENT) || e == E(DATABASE_UNAVAILABLE) || e == E(DATABASE_TIMEOUT) ||
           e == E(DATABASE_RETRY) || e == E(UNIQUE_VIOLATION);
}

/* The call is new again, but for the time that it has left. */
static void move(struct lane *lane, struct call *r, size_t i)
{
    auth_release(r);
    r->db = NULL;
    r->error = NULL;
    if (!let_go(lane, i)) {
        call_drop(r);
        return;
    }
    r->work.class = LANE_DEVICE_DEAR;
    enqueue(lane->lanes, r, r->work.item.until_us);
}

static void end(struct lane *lane, struct call *r, size_t i)
{
    if (r->error == E(DEAR_CHECK)) {
        move(lane, r, i);
        return;
    }
    if (is_database_error(r->error) && !r->log_detail.text[0])
        err_say(&r->log_detail, r->error, "%s", db_message(lane->db));
    attempts_note(lane->lanes->shared->attempts, r);
    note_owner(r);
    auth_release(r);
    r->db = NULL;
    reply_finish(r);
    atomic_fetch_add_explicit(&lane->lanes->answered[lane->class], 1, memory_order_relaxed);
    if (let_go(lane, i))
        r->work.done(r);
    else
        call_drop(r);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void run_single(struct lane *lane, struct call *r)
{
    queue_pass(lane->lanes->queues[lane->class], r->work.item.band); /* nobody waits for single calls */
    r->error = admit(lane, r);
    db_act(lane->db, r->actor.kind ? &r->actor : NULL);
    if (!r->error)
        r->error = locks_check(r);
    if (!r->error && still_holds(lane, 0))
        r->error = r->route->op(r);
    end(lane, r, 0);
}

/* For a reason that is not the client's and not that the database is away. The request still holds its instance: one
 * that lost it was let down by the gate, not by its company. */
static bool failed_for_us(const struct call *r)
{
    return r->error && !r->error->http_status && r->error != E(DEAR_CHECK) && r->instance;
}

/* One look-up for all the ID scopes of a batch. */
static void read_scopes(struct lane *lane, struct call **calls, size_t count)
{
    struct str keys[LANE_BATCH_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct call *r = calls[i];
        if (presented_any(&r->presented) && id_scope_valid(r->segments[SEGMENT_SCOPE]))
            keys[n++] = arena_lower(r->arena, r->segments[SEGMENT_SCOPE]);
    }
    gate_read_scopes(lane->lanes->shared->gate, lane->db, keys, n, calls[0]->now_us);
}

/* Those of the calls that may run. */
static size_t admit_all(struct lane *lane, struct call **calls, size_t count, struct call **ret)
{
    size_t n = 0;
    if (calls[0]->route->credential == CREDENTIAL_DEVICE)
        read_scopes(lane, calls, count);
    for (size_t i = 0; i < count; i++) {
        calls[i]->error = admit(lane, calls[i]);
        if (!calls[i]->error && still_holds(lane, i))
            ret[n++] = calls[i];
    }
    return n;
}

/* Beside another batch that is written, or alone. Those of the calls that may run become the batch. */
static void prepare(struct lane *lane, struct call **calls, size_t count, struct batch *b)
{
    const struct turn *turn = &lane->lanes->turns[lane->class];
    bool beside = turn->taken;
    b->count = admit_all(lane, calls, count, b->calls);
    if (!b->count)
        return;
    calls[0]->route->batch->prepare(b);
    metrics_batch(b->count, beside || turn->taken);
    KILL_POINT("batch_prepared");
}

static void begin_turn(struct turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->taken = true;
}

static void end_turn(struct turn *turn)
{
    turn->taken = false;
    pthread_mutex_unlock(&turn->lock);
}

/* Runs alone what a batch failed at. */
static void run_again(struct lane *lane, struct call *r)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct batch b = {.arena = a, .db = lane->db, .calls = &r, .count = 1};
    const struct batch_op *op = r->route->batch;
    struct turn *turn = &lane->lanes->turns[lane->class];
    r->error = NULL;
    r->status = 0;
    r->header_count = 0;
    r->reply = (struct str){NULL, 0};
    r->log_detail.text[0] = '\0';
    op->prepare(&b);
    begin_turn(turn);
    if (op->write)
        op->write(&b);
    end_turn(turn);
    op->answer(&b);
}

/* From stage to stage goes the batch, and nothing else. When its turn to write has come the next one is taken, which is
 * all that has come since this one was, and prepared meanwhile. */
static void run_stages(struct lane *lane, struct call **calls, size_t count, struct batch *b)
{
    const struct batch_op *op = calls[0]->route->batch;
    struct turn *turn = &lane->lanes->turns[lane->class];
    int band = calls[0]->work.item.band;
    prepare(lane, calls, count, b);
    bool writes = b->count && op->write;
    if (writes)
        begin_turn(turn);
    queue_pass(lane->lanes->queues[lane->class], band);
    if (writes) {
        op->write(b);
        end_turn(turn);
    }
    KILL_POINT("batch_written");
    if (b->count)
        op->answer(b);
}

static void run_batch(struct lane *lane, struct call **calls, size_t count)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct call *good[LANE_BATCH_MAX];
    struct batch b = {.arena = a, .db = lane->db, .calls = good};
    run_stages(lane, calls, count, &b);
    for (size_t i = 0; b.count > 1 && i < b.count; i++)
        if (failed_for_us(good[i]))
            run_again(lane, good[i]);
    for (size_t i = 0; i < count; i++)
        end(lane, calls[i], i);
}

static void run(struct lane *lane, struct queue_item **items, size_t count)
{
    struct call *calls[LANE_BATCH_MAX];
    for (size_t i = 0; i < count; i++)
        calls[i] = call_of(items[i]);
    hold(lane, calls, count);
    if (calls[0]->route->kind == ROUTE_BATCH)
        run_batch(lane, calls, count);
    else
        run_single(lane, calls[0]);
    db_until(lane->db, 0);
}

/* Between two calls: is the database there? So a lane also comes back to a database. */
static void look_around(struct lane *lane, bool idle)
{
    if (idle)
        (void)db_gate_ping(lane->db);
    lane->up = db_is_up(lane->db);
}

static size_t lanes_up(const struct lanes *l, enum lane_class class)
{
    size_t up = 0;
    for (size_t i = 0; i < l->count; i++)
        up += l->lanes[i].class == class && l->lanes[i].up;
    return up;
}

/* A lane that has lost its database takes no call while another of its class could run it. */
static bool leaves_it_to_others(const struct lane *lane)
{
    return !lane->up && lanes_up(lane->lanes, lane->class);
}

/* Where processors are scarce a dear check waits for one, and what is cheap does not: to Linux 0 is the thread that
 * asks, alone. */
static void yield_to_others(const struct lane *lane)
{
    if (lane->class == LANE_DEVICE_DEAR)
        (void)setpriority(PRIO_PROCESS, 0, DEAR_NICE);
}

static void *lane_run(void *context)
{
    struct lane *lane = context;
    struct queue *q = lane->lanes->queues[lane->class];
    struct queue_item *items[LANE_BATCH_MAX];
    yield_to_others(lane);
    while (!queue_is_done(q)) {
        size_t count = 0;
        if (leaves_it_to_others(lane))
            usleep(DOWN_MS * 1000);
        else
            count = queue_take(q, items, lane->up ? IDLE_MS : DOWN_MS);
        if (count)
            run(lane, items, count);
        look_around(lane, !count);
    }
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

_Static_assert((int)BATCH_COUNT <= (int)QUEUE_BANDS_MAX, "each batch operation has a band of its own");

/* Calls of one batch operation are taken together, so each has a band of its own. */
static void number_bands(int bands[ROUTE_COUNT])
{
    int next = 0;
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        bands[i] = router_at(i)->kind == ROUTE_BATCH ? next++ : 0;
}

static err_t open_lane(struct lanes *l, enum lane_class class, struct err_detail *d)
{
    char name[32];
    struct lane *lane = &l->lanes[l->count];
    snprintf(name, sizeof name, "idscope-api %s", class_words[class]);
    TRY(db_open(l->shared->cfg->database_url.p, name, takes_batches(class) ? DB_USE_LANE : DB_USE_GENERAL, d,
                &lane->db));
    lane->lanes = l;
    lane->class = class;
    lane->up = true;
    pthread_mutex_init(&lane->lock, NULL);
    l->count++;
    return NULL;
}

err_t lanes_open(const struct shared *shared, struct err_detail *d, struct lanes **ret)
{
    const struct cfg *cfg = shared->cfg;
    db_statements_end(cfg->request_timeout_ms / 2);
    const int64_t wanted[LANE_CLASSES] = {cfg->device_lanes, cfg->device_dear_lanes, cfg->service_lanes, cfg->hub_lanes,
                                          cfg->management_lanes};
    size_t at_most = (size_t)cfg->batch_max;
    assert(at_most <= LANE_BATCH_MAX);
    int64_t all = 0;
    for (int class = 0; class < LANE_CLASSES; class ++)
        all += wanted[class];
    struct arena *a = arena_new();
    struct lanes *l = ARENA_NEW(a, struct lanes);
    *l = (struct lanes){.arena = a, .shared = shared};
    number_bands(l->bands);
    l->lanes = ARENA_NEW_ARRAY(a, (size_t)all, struct lane);
    for (int class = 0; class < LANE_CLASSES; class ++) {
        l->queues[class] = queue_new((size_t)cfg->queue_max, takes_batches((enum lane_class) class) ? at_most : 1);
        pthread_mutex_init(&l->turns[class].lock, NULL);
        for (int64_t i = 0; i < wanted[class]; i++) {
            err_t e = open_lane(l, (enum lane_class) class, d);
            if (e) {
                lanes_free(l);
                return e;
            }
        }
    }
    token_keys_refresh(shared->tokens, l->lanes[l->count - 1].db, clock_wall_us()); /* so the first to ask finds keys */
    *ret = l;
    return NULL;
}

void lanes_start(struct lanes *l)
{
    for (; l->started < l->count; l->started++) {
        struct lane *lane = &l->lanes[l->started];
        crypt_must(pthread_create(&lane->thread, NULL, lane_run, lane) == 0, "starting a lane's thread");
        pthread_setname_np(lane->thread, class_words[lane->class]);
    }
    crypt_must(pthread_create(&l->watch, NULL, watch_run, l) == 0, "starting the watch");
    pthread_setname_np(l->watch, "watch");
}

void lanes_stop(struct lanes *l)
{
    l->stopping = true;
    db_hurry(STOP_MS); /* a database that is frozen must not keep us */
    for (int class = 0; class < LANE_CLASSES; class ++)
        queue_close(l->queues[class]);
    if (l->started)
        pthread_join(l->watch, NULL);
    for (; l->started; l->started--)
        pthread_join(l->lanes[l->started - 1].thread, NULL);
}

void lanes_free(struct lanes *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++) {
        db_close(l->lanes[i].db);
        pthread_mutex_destroy(&l->lanes[i].lock);
    }
    for (int class = 0; class < LANE_CLASSES; class ++) {
        queue_free(l->queues[class]);
        pthread_mutex_destroy(&l->turns[class].lock);
    }
    arena_free(l->arena);
}

/* --- what others may know ----------------------------------------------------------------------------------------- */

bool lanes_ready(const struct lanes *l)
{
    for (int class = 0; class < LANE_CLASSES; class ++)
        if (!lanes_up(l, (enum lane_class) class))
            return false;
    return db_answers(l->shared->cfg->database_url.p);
}

void lanes_metrics(const struct lanes *l, struct text *out)
{
    struct metric m = metric_begin(out, "idscope_queue_depth", "Requests that hold a place in a queue.", METRIC_GAUGE);
    for (int class = 0; class < LANE_CLASSES; class ++)
        metric_count(&m, queue_depth(l->queues[class]), METRIC_LABELS({"lane", class_words[class]}));
    m = metric_begin(out, "idscope_database_up", "Lanes with a connection to the database.", METRIC_GAUGE);
    for (int class = 0; class < LANE_CLASSES; class ++)
        metric_count(&m, lanes_up(l, (enum lane_class) class), METRIC_LABELS({"lane", class_words[class]}));
    m = metric_begin(out, "idscope_lane_calls_total", "Calls that a class of lanes has run to their end.",
                     METRIC_COUNTER);
    for (int class = 0; class < LANE_CLASSES; class ++)
        metric_count(&m, l->answered[class], METRIC_LABELS({"lane", class_words[class]}));
    m = metric_begin(out, "idscope_lane_wait_seconds_total", "What those calls waited for a lane, together.",
                     METRIC_COUNTER);
    for (int class = 0; class < LANE_CLASSES; class ++)
        metric_number(&m, (double)l->waited_us[class] / 1e6, METRIC_LABELS({"lane", class_words[class]}));
}
