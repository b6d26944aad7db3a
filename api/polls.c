/* polls.c: counts the polls of each device since its first one of the last ten seconds. Devices are told apart by a
 * keyed hash over a fixed number of places: there is nothing to sweep or to fill up. Of two that fall together the
 * later one takes the place, and both may ask more often; it must never refuse a device for what another one asked. */
#include "api/polls.h"

#include <pthread.h>

#include "core/crypt.h"

enum { PLACES = 1 << 15 };

struct place {
    uint64_t device;
    int64_t since_us, count;
};

struct polls {
    struct arena *arena;
    int64_t at_most;
    uint64_t secret;
    pthread_mutex_t lock;
    struct place *places;
};

struct polls *polls_new(int64_t at_most)
{
    struct arena *a = arena_new();
    struct polls *p = ARENA_NEW(a, struct polls);
    *p = (struct polls){.arena = a, .at_most = at_most, .places = ARENA_NEW_ARRAY(a, PLACES, struct place)};
    crypt_random(&p->secret, sizeof p->secret);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void polls_free(struct polls *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    arena_free(p->arena);
}

static uint64_t hash_of(const struct polls *p, const struct db_device *device)
{
    return str_hash(device->registration_key, str_hash(device->id_scope, p->secret));
}

static bool count_in(struct place *at, uint64_t device, int64_t at_most, int64_t now_us)
{
    bool same =
        at->device == device && now_us >= at->since_us && now_us - at->since_us < POLLS_WINDOW_S * INT64_C(1000000);
    if (!same)
        *at = (struct place){.device = device, .since_us = now_us};
    return ++at->count <= at_most;
}

bool polls_take(struct polls *p, const struct db_device *device, int64_t now_us)
{
    if (!p->at_most)
        return true;
    uint64_t hash = hash_of(p, device);
    pthread_mutex_lock(&p->lock);
    bool ret = count_in(&p->places[hash % PLACES], hash, p->at_most, now_us);
    pthread_mutex_unlock(&p->lock);
    return ret;
}
