/* rates.c: buckets at a fixed number of places, found by a keyed hash of whose they are: there is nothing to sweep or
 * to fill up. Of two that fall together the later one takes the place, and both may ask more often; it must never
 * refuse one for what another one asked. */
#include "api/rates.h"

#include <pthread.h>
#include <stdatomic.h>

#include "api/shared.h"
#include "core/bucket.h"
#include "core/crypt.h"

enum { PLACES = 1 << 15, SECOND_US = 1000000 };

struct place {
    uint64_t whose;
    struct bucket bucket;
};

struct rates {
    struct arena *arena;
    _Atomic int64_t processes;
    uint64_t secret;
    pthread_mutex_t lock;
    struct place *places;
};

struct rates *rates_new(void)
{
    struct arena *a = arena_new();
    struct rates *t = ARENA_NEW(a, struct rates);
    *t = (struct rates){.arena = a, .processes = 1, .places = ARENA_NEW_ARRAY(a, PLACES, struct place)};
    crypt_random(&t->secret, sizeof t->secret);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void rates_free(struct rates *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    arena_free(t->arena);
}

void rates_share(struct rates *t, int64_t processes)
{
    t->processes = processes;
}

static int64_t processes_of(const struct rates *t, enum quota quota)
{
    return quota_rows[quota].kind == QUOTA_RATE ? t->processes : 1;
}

static int64_t share_of(const struct rates *t, enum quota quota, int64_t most)
{
    int64_t share = most / processes_of(t, quota);
    return share ? share : 1;
}

/* Under the lock. */
static struct place *place_of(struct rates *t, enum quota quota, struct str id_scope, struct str device)
{
    uint64_t whose = str_hash(device, str_hash(id_scope, t->secret + quota));
    struct place *at = &t->places[whose % PLACES];
    if (at->whose != whose)
        *at = (struct place){.whose = whose};
    return at;
}

bool rates_take(struct rates *t, enum quota quota, int64_t most, struct str id_scope, struct str device, int64_t now_us,
                int64_t *ret_wait_s)
{
    int64_t wait_us = 0;
    if (!most)
        return true;
    pthread_mutex_lock(&t->lock);
    bool taken = bucket_take(&place_of(t, quota, id_scope, device)->bucket, share_of(t, quota, most),
                             quota_rows[quota].window_s * SECOND_US, now_us, &wait_us);
    pthread_mutex_unlock(&t->lock);
    *ret_wait_s = (wait_us + SECOND_US - 1) / SECOND_US;
    return taken;
}

int64_t rates_taken(struct rates *t, enum quota quota, int64_t most, struct str id_scope, int64_t now_us)
{
    if (!most)
        return 0;
    pthread_mutex_lock(&t->lock);
    int64_t taken = bucket_taken(&place_of(t, quota, id_scope, (struct str){NULL, 0})->bucket, share_of(t, quota, most),
                                 quota_rows[quota].window_s * SECOND_US, now_us);
    pthread_mutex_unlock(&t->lock);
    return taken * processes_of(t, quota);
}

err_t rates_reached(struct call *r, err_t e, enum quota quota, int64_t most)
{
    return call_fail(r, e, "The limit %s is reached: %lld %s.", quota_rows[quota].wire.p, (long long)most,
                     quota_rows[quota].sentence);
}

err_t rates_full(struct call *r, enum quota quota)
{
    return rates_reached(r, E(LIMIT_REACHED), quota, r->instance->quotas.most[quota]);
}

err_t rates_check(struct call *r, enum quota quota, struct str device)
{
    int64_t most = r->instance->quotas.most[quota], wait_s;
    if (rates_take(r->shared->rates, quota, most, r->instance->id_scope, device, r->now_us, &wait_s))
        return NULL;
    r->retry_after_s = wait_s;
    return rates_reached(r, E(THROTTLED), quota, most);
}
