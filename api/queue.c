/* queue.c: the bounded, fair queue. All its memory is laid out when it is made: as many key slots as places, found by a
 * hash of the key, and rings of the keys that have items waiting, one ring per band. It must never allocate, wait or
 * look at an item's content under its lock. */
#include "api/queue.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/crypt.h"

struct lineup {
    struct queue_item *first, *last;
    struct queue_key *next, *previous; /* in the ring of this band, while there are items */
};

struct queue_key {
    uint64_t hash;
    size_t held; /* places, reserved or filled; 0: the slot is free */
    struct queue_key *next_in_bucket;
    struct lineup bands[QUEUE_BANDS_MAX];
};

/* A taker that waits. */
struct waiter {
    pthread_cond_t called;
    bool is_called;
    struct waiter *below;
};

struct queue {
    struct arena *arena;
    pthread_mutex_t lock;
    pthread_condattr_t monotonic;
    struct waiter *waiters; /* the last one to come is called first: what it needs is still in the processor's caches */
    uint64_t secret;        /* of the hash: keys that fall together share a quarter of the places */
    size_t places, held, at_most;
    size_t waiting[QUEUE_BANDS_MAX];    /* items pushed and not taken */
    size_t on_the_way[QUEUE_BANDS_MAX]; /* takes that were not passed */
    bool closed;
    int last_band;                            /* that was taken from */
    struct queue_key *rings[QUEUE_BANDS_MAX]; /* the key whose turn is next */
    struct queue_key *free;                   /* linked by next_in_bucket */
    struct queue_key **buckets;
};

struct queue *queue_new(size_t places, size_t at_most)
{
    struct arena *a = arena_new();
    struct queue *q = ARENA_NEW(a, struct queue);
    q->arena = a;
    q->places = places;
    q->at_most = at_most;
    q->buckets = ARENA_NEW_ARRAY(a, places, struct queue_key *);
    struct queue_key *keys = ARENA_NEW_ARRAY(a, places, struct queue_key);
    for (size_t i = 0; i < places; i++) {
        keys[i].next_in_bucket = q->free;
        q->free = &keys[i];
    }
    crypt_random(&q->secret, sizeof q->secret);
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&q->monotonic);
    pthread_condattr_setclock(&q->monotonic, CLOCK_MONOTONIC);
    return q;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    pthread_condattr_destroy(&q->monotonic);
    pthread_mutex_destroy(&q->lock);
    arena_free(q->arena);
}

static struct queue_key **bucket_of(struct queue *q, uint64_t hash)
{
    return &q->buckets[hash % q->places];
}

/* There is always a free slot: a key holds a place, and there are as many slots as places. */
static struct queue_key *find_or_add(struct queue *q, uint64_t hash)
{
    struct queue_key **bucket = bucket_of(q, hash);
    for (struct queue_key *k = *bucket; k; k = k->next_in_bucket)
        if (k->hash == hash)
            return k;
    struct queue_key *k = q->free;
    q->free = k->next_in_bucket;
    *k = (struct queue_key){.hash = hash, .next_in_bucket = *bucket};
    *bucket = k;
    return k;
}

static void drop_if_idle(struct queue *q, struct queue_key *k)
{
    if (k->held)
        return;
    struct queue_key **at = bucket_of(q, k->hash);
    while (*at != k)
        at = &(*at)->next_in_bucket;
    *at = k->next_in_bucket;
    k->next_in_bucket = q->free;
    q->free = k;
}

bool queue_reserve(struct queue *q, struct str key, int band, int64_t until_us, struct queue_item *item)
{
    uint64_t hash = str_hash(key, q->secret);
    pthread_mutex_lock(&q->lock);
    bool has_place = !q->closed && q->held < q->places;
    if (has_place) {
        struct queue_key *k = find_or_add(q, hash);
        has_place = k->held < q->places / 4;
        if (has_place) {
            k->held++;
            q->held++;
            *item = (struct queue_item){NULL, k, band, until_us};
        }
        drop_if_idle(q, k);
    }
    pthread_mutex_unlock(&q->lock);
    return has_place;
}

/* A key with new work stands at the end of its ring: before the one whose turn is next. */
static void enter_ring(struct queue_key **ring, struct queue_key *k, int band)
{
    struct lineup *mine = &k->bands[band];
    if (!*ring) {
        mine->next = mine->previous = k;
        *ring = k;
        return;
    }
    struct queue_key *next = *ring, *last = next->bands[band].previous;
    mine->next = next;
    mine->previous = last;
    last->bands[band].next = k;
    next->bands[band].previous = k;
}

static void leave_ring(struct queue_key **ring, struct queue_key *k, int band)
{
    struct lineup *mine = &k->bands[band];
    if (*ring == k)
        *ring = mine->next == k ? NULL : mine->next;
    mine->previous->bands[band].next = mine->next;
    mine->next->bands[band].previous = mine->previous;
}

static bool is_due(const struct queue *q, int band)
{
    return q->rings[band] && (!q->on_the_way[band] || q->waiting[band] >= q->at_most || q->closed);
}

static void call_one(struct queue *q)
{
    struct waiter *w = q->waiters;
    if (!w)
        return;
    q->waiters = w->below;
    w->is_called = true;
    pthread_cond_signal(&w->called);
}

static void call_if_due(struct queue *q, int band)
{
    if (is_due(q, band))
        call_one(q);
}

void queue_push(struct queue *q, struct queue_item *item)
{
    pthread_mutex_lock(&q->lock);
    struct lineup *l = &item->key->bands[item->band];
    if (l->first)
        l->last->next = item;
    else
        l->first = item;
    if (l->first == item)
        enter_ring(&q->rings[item->band], item->key, item->band);
    l->last = item;
    q->waiting[item->band]++;
    call_if_due(q, item->band);
    pthread_mutex_unlock(&q->lock);
}

/* The band whose turn it is, or -1 when none is due. */
static int next_band(const struct queue *q)
{
    for (int i = 1; i <= QUEUE_BANDS_MAX; i++) {
        int band = (q->last_band + i) % QUEUE_BANDS_MAX;
        if (is_due(q, band))
            return band;
    }
    return -1;
}

/* The first item of a key that has some. */
static struct queue_item *take_first(struct queue *q, struct queue_key *k, int band)
{
    struct lineup *l = &k->bands[band];
    struct queue_item *item = l->first;
    l->first = item->next;
    item->next = NULL;
    if (!l->first)
        leave_ring(&q->rings[band], k, band);
    q->waiting[band]--;
    k->held--;
    q->held--;
    drop_if_idle(q, k);
    return item;
}

/* Of the key whose turn it is, which then goes to the end. */
static struct queue_item *take_one(struct queue *q, int band)
{
    struct queue_key *k = q->rings[band];
    if (k->bands[band].first->next)
        q->rings[band] = k->bands[band].next;
    return take_first(q, k, band);
}

/* A key of the band whose first item's time is over. */
static struct queue_key *find_late(const struct queue *q, int band, int64_t now_us)
{
    struct queue_key *k = q->rings[band];
    if (!k)
        return NULL;
    do {
        if (k->bands[band].first->until_us <= now_us)
            return k;
        k = k->bands[band].next;
    } while (k != q->rings[band]);
    return NULL;
}

static struct timespec after_ms(int ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static void start_waiting(struct queue *q, struct waiter *w)
{
    pthread_cond_init(&w->called, &q->monotonic);
    w->below = q->waiters;
    q->waiters = w;
}

static void stop_waiting(struct queue *q, struct waiter *w)
{
    struct waiter **at = &q->waiters;
    while (*at && *at != w)
        at = &(*at)->below;
    if (*at)
        *at = w->below;
    pthread_cond_destroy(&w->called);
}

/* Until it is called; false: nobody did in time. */
static bool wait_to_be_called(struct queue *q, const struct timespec *end)
{
    struct waiter w = {.is_called = false};
    int waited = 0;
    start_waiting(q, &w);
    while (!w.is_called && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&w.called, &q->lock, end);
    stop_waiting(q, &w);
    return w.is_called;
}

size_t queue_take(struct queue *q, struct queue_item **ret, int wait_ms)
{
    struct timespec end = after_ms(wait_ms);
    size_t count = 0;
    int band;
    bool waits = true;
    pthread_mutex_lock(&q->lock);
    while ((band = next_band(q)) < 0 && !q->closed && waits)
        waits = wait_to_be_called(q, &end);
    if (band >= 0) {
        q->last_band = band;
        while (count < q->at_most && q->rings[band])
            ret[count++] = take_one(q, band);
        q->on_the_way[band]++;
    }
    pthread_mutex_unlock(&q->lock);
    return count;
}

void queue_pass(struct queue *q, int band)
{
    pthread_mutex_lock(&q->lock);
    q->on_the_way[band]--;
    call_if_due(q, band);
    pthread_mutex_unlock(&q->lock);
}

size_t queue_take_late(struct queue *q, struct queue_item **ret, size_t at_most, int64_t now_us)
{
    size_t count = 0;
    struct queue_key *k;
    pthread_mutex_lock(&q->lock);
    for (int band = 0; band < QUEUE_BANDS_MAX; band++)
        while (count < at_most && (k = find_late(q, band, now_us)))
            ret[count++] = take_first(q, k, band);
    pthread_mutex_unlock(&q->lock);
    return count;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    while (q->waiters)
        call_one(q);
    pthread_mutex_unlock(&q->lock);
}

bool queue_is_done(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool done = q->closed && !q->held;
    pthread_mutex_unlock(&q->lock);
    return done;
}

size_t queue_depth(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t held = q->held;
    pthread_mutex_unlock(&q->lock);
    return held;
}
