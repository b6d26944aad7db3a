/* lane.c: takes requests off the queues, resolves their credentials, runs their operations, and hands the finished
 * replies back. Batches of the device plane are whatever gathered while the last one was committed: nothing waits for
 * company. It must never let one request spoil another one's answer: what failed together for a reason of ours is run
 * again one by one. */
#include "api/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "api/auth.h"
#include "api/metrics.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/shared.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/metric.h"
#include "db/gate.h"

enum { IDLE_MS = 1000, DOWN_MS = 100, STOP_MS = 1000 };

static const char *const class_words[LANE_CLASSES] = {"device", "service", "hub", "management"};

struct lane {
    struct lanes *lanes;
    enum lane_class class;
    struct db *db;
    pthread_t thread;
    _Atomic bool up;
};

struct lanes {
    struct arena *arena;
    const struct shared *shared;
    void (*done)(struct lane_work *w);
    struct queue *queues[LANE_CLASSES];
    int *bands; /* of each route */
    struct lane *lanes;
    size_t count, started;
    _Atomic bool stopping;
};

/* --- one request -------------------------------------------------------------------------------------------------- */

static enum lane_class class_of(enum plane plane)
{
    switch (plane) {
    case PLANE_DEVICE:
        return LANE_DEVICE;
    case PLANE_SERVICE:
        return LANE_SERVICE;
    case PLANE_HUB:
        return LANE_HUB;
    case PLANE_MANAGEMENT:
    case PLANE_SIGN_IN:
        break;
    }
    return LANE_MANAGEMENT;
}

/* Whose place in the queue it is, before the credential has been looked at: scope, instance, hub, subscription, or else
 * the address. */
static struct str fairness_key(struct call *r)
{
    switch (class_of(r->plane)) {
    case LANE_DEVICE:
        return arena_lower(r->arena, r->segments[SEGMENT_SCOPE]);
    case LANE_SERVICE:
    case LANE_HUB:
        return r->name;
    case LANE_MANAGEMENT:
    case LANE_CLASSES:
        break;
    }
    return r->segments[SEGMENT_SUBSCRIPTION].n ? arena_lower(r->arena, r->segments[SEGMENT_SUBSCRIPTION])
                                               : r->presented.address;
}

bool lanes_reserve(struct lanes *l, struct lane_work *w)
{
    w->class = class_of(w->call->plane);
    w->reserved_us = clock_span_us();
    return queue_reserve(l->queues[w->class], fairness_key(w->call), l->bands[router_index(w->call->route)], &w->item);
}

void lanes_push(struct lanes *l, struct lane_work *w)
{
    queue_push(l->queues[w->class], &w->item);
}

static struct lane_work *work_of(struct queue_item *item)
{
    return (struct lane_work *)((char *)item - offsetof(struct lane_work, item));
}

static void note_owner(struct lane_work *w)
{
    const struct call *r = w->call;
    if (r->instance) {
        w->owner_kind = "idScope";
        w->owner = arena_str(r->arena, r->instance->id_scope_text);
    } else if (r->hub) {
        w->owner_kind = "hub";
        w->owner = arena_str(r->arena, r->hub->name);
    } else if (r->client) {
        w->owner_kind = "tenant";
        w->owner = enc_uuid(r->arena, &r->client->tenant_id);
    }
}

/* False when the request is answered already: it waited too long, or its credential was refused. */
static bool begin(struct lane *lane, struct lane_work *w, int64_t wall_us, int64_t span_us)
{
    struct call *r = w->call;
    w->begun_us = span_us;
    r->db = lane->db;
    r->now_us = wall_us;
    if (lane->lanes->stopping || span_us - w->reserved_us > r->cfg->request_timeout_ms * 1000)
        r->error = call_refuse(r, E(OVERLOADED), "not run: it waited too long, or the service stops");
    else
        r->error = auth_check(r);
    return !r->error;
}

static bool is_database_error(err_t e)
{
    return e == E(DATABASE_STATEMENT) || e == E(DATABASE_UNAVAILABLE) || e == E(DATABASE_RETRY) ||
           e == E(UNIQUE_VIOLATION);
}

static void end(struct lane *lane, struct lane_work *w)
{
    struct call *r = w->call;
    if (is_database_error(r->error) && !r->log_detail.text[0])
        err_say(&r->log_detail, r->error, "%s", db_message(lane->db));
    note_owner(w);
    auth_release(r);
    r->db = NULL;
    reply_finish(r);
    lane->lanes->done(w);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static void run_single(struct lane *lane, struct lane_work *w)
{
    if (begin(lane, w, clock_wall_us(), clock_span_us()))
        w->call->error = w->call->route->op(w->call);
    end(lane, w);
}

/* Runs alone what a batch failed at, for a reason that is not the client's and not that the database is away. The
 * request still holds its instance: one that lost it was let down by the gate, not by its company. */
static void run_again(struct lane *lane, struct call *r)
{
    r->error = NULL;
    r->status = 0;
    r->header_count = 0;
    r->reply = (struct str){NULL, 0};
    r->log_detail.text[0] = '\0';
    r->route->batch(lane->db, &r, 1);
}

/* One look-up for all the ID scopes of a batch. */
static void read_scopes(struct lane *lane, struct queue_item **items, size_t count, int64_t wall_us)
{
    struct str keys[LANE_BATCH_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct call *r = work_of(items[i])->call;
        if (presented_any(&r->presented) && id_scope_valid(r->segments[SEGMENT_SCOPE]))
            keys[n++] = arena_lower(r->arena, r->segments[SEGMENT_SCOPE]);
    }
    gate_read_scopes(lane->lanes->shared->gate, lane->db, keys, n, wall_us);
}

static void run_batch(struct lane *lane, struct queue_item **items, size_t count)
{
    struct call *good[LANE_BATCH_MAX];
    size_t n = 0;
    int64_t wall_us = clock_wall_us(), span_us = clock_span_us();
    if (work_of(items[0])->call->route->credential == CREDENTIAL_DEVICE)
        read_scopes(lane, items, count, wall_us);
    for (size_t i = 0; i < count; i++)
        if (begin(lane, work_of(items[i]), wall_us, span_us))
            good[n++] = work_of(items[i])->call;
    if (n) {
        metrics_batch(n);
        good[0]->route->batch(lane->db, good, n);
    }
    for (size_t i = 0; n > 1 && i < n; i++)
        if (good[i]->error && !good[i]->error->http_status && good[i]->instance)
            run_again(lane, good[i]);
    for (size_t i = 0; i < count; i++)
        end(lane, work_of(items[i]));
}

static void *lane_run(void *context)
{
    struct lane *lane = context;
    struct queue *q = lane->lanes->queues[lane->class];
    struct queue_item *items[LANE_BATCH_MAX];
    size_t at_most = lane->class == LANE_DEVICE ? (size_t)lane->lanes->shared->cfg->batch_max : 1;
    while (!queue_is_done(q)) {
        size_t count = queue_take(q, items, at_most, lane->up ? IDLE_MS : DOWN_MS);
        if (!count)
            (void)db_gate_ping(lane->db); /* idle: only to know whether the database is there, and to come back to it */
        else if (work_of(items[0])->call->route->batch)
            run_batch(lane, items, count);
        else
            run_single(lane, work_of(items[0]));
        lane->up = db_is_up(lane->db);
    }
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Requests of one batch operation are taken together, so each has a band of its own. */
static int *number_bands(struct arena *a)
{
    int *bands = ARENA_NEW_ARRAY(a, router_count(), int);
    int next = 0;
    for (size_t i = 0; i < router_count(); i++)
        if (router_at(i)->batch)
            bands[i] = next++;
    assert(next <= QUEUE_BANDS_MAX);
    return bands;
}

static err_t open_lane(struct lanes *l, enum lane_class class, struct err_detail *d)
{
    char name[32];
    struct lane *lane = &l->lanes[l->count];
    snprintf(name, sizeof name, "idscope-api %s", class_words[class]);
    TRY(db_open(l->shared->cfg->database_url.p, name, class == LANE_DEVICE ? DB_USE_LANE : DB_USE_GENERAL, d,
                &lane->db));
    lane->lanes = l;
    lane->class = class;
    lane->up = true;
    l->count++;
    return NULL;
}

err_t lanes_open(const struct shared *shared, void (*done)(struct lane_work *w), struct err_detail *d,
                 struct lanes **ret)
{
    const struct cfg *cfg = shared->cfg;
    const int64_t wanted[LANE_CLASSES] = {cfg->device_lanes, cfg->service_lanes, cfg->hub_lanes, cfg->management_lanes};
    struct arena *a = arena_new();
    struct lanes *l = ARENA_NEW(a, struct lanes);
    *l = (struct lanes){.arena = a, .shared = shared, .done = done, .bands = number_bands(a)};
    l->lanes = ARENA_NEW_ARRAY(a, (size_t)(wanted[0] + wanted[1] + wanted[2] + wanted[3]), struct lane);
    for (int class = 0; class < LANE_CLASSES; class ++) {
        l->queues[class] = queue_new((size_t)cfg->queue_max);
        for (int64_t i = 0; i < wanted[class]; i++) {
            err_t e = open_lane(l, (enum lane_class) class, d);
            if (e) {
                lanes_free(l);
                return e;
            }
        }
    }
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
}

void lanes_stop(struct lanes *l)
{
    l->stopping = true;
    db_hurry(STOP_MS); /* a database that is frozen must not keep us */
    for (int class = 0; class < LANE_CLASSES; class ++)
        queue_close(l->queues[class]);
    for (; l->started; l->started--)
        pthread_join(l->lanes[l->started - 1].thread, NULL);
}

void lanes_free(struct lanes *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        db_close(l->lanes[i].db);
    for (int class = 0; class < LANE_CLASSES; class ++)
        queue_free(l->queues[class]);
    arena_free(l->arena);
}

/* --- what others may know ----------------------------------------------------------------------------------------- */

static size_t lanes_up(const struct lanes *l, enum lane_class class)
{
    size_t up = 0;
    for (size_t i = 0; i < l->count; i++)
        up += l->lanes[i].class == class && l->lanes[i].up;
    return up;
}

bool lanes_ready(const struct lanes *l)
{
    for (int class = 0; class < LANE_CLASSES; class ++)
        if (!lanes_up(l, (enum lane_class) class))
            return false;
    return true;
}

void lanes_metrics(const struct lanes *l, struct text *out)
{
    struct metric m = metric_begin(out, "idscope_queue_depth", "Requests that hold a place in a queue.", METRIC_GAUGE);
    for (int class = 0; class < LANE_CLASSES; class ++)
        metric_count(&m, queue_depth(l->queues[class]), METRIC_LABELS({"lane", class_words[class]}));
    m = metric_begin(out, "idscope_database_up", "Lanes with a connection to the database.", METRIC_GAUGE);
    for (int class = 0; class < LANE_CLASSES; class ++)
        metric_count(&m, lanes_up(l, (enum lane_class) class), METRIC_LABELS({"lane", class_words[class]}));
}
