/* frozen.c: a small table of latency figures that are held still for a while. It must never hold one for longer, nor
 * grow. */
#include "workers/frozen.h"

#include <pthread.h>

#include "core/process/clock.h"

enum { FROZEN_MS = 30000, FROZEN_MAX = 256 };

struct entry {
    struct arena *arena; /* of what stands below */
    struct str id_scope, region;
    int64_t until_ms;
    struct db_latency_of *at;
    size_t count;
};

struct frozen {
    pthread_mutex_t lock;
    struct entry entries[FROZEN_MAX];
};

struct frozen *frozen_new(struct arena *a)
{
    struct frozen *f = ARENA_NEW(a, struct frozen);
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void frozen_free(struct frozen *f)
{
    for (size_t i = 0; f && i < FROZEN_MAX; i++)
        arena_free(f->entries[i].arena);
}

/* Arrays of the caller's arena: an entry may be replaced as soon as the lock is gone. */
static void copy(struct arena *a, const struct db_latency_of *from, size_t count, struct db_latency_of **ret)
{
    *ret = ARENA_NEW_ARRAY(a, count, struct db_latency_of);
    for (size_t i = 0; i < count; i++)
        (*ret)[i] = (struct db_latency_of){arena_str(a, from[i].host), from[i].p50_us};
}

static bool find(struct frozen *f, struct arena *a, struct str id_scope, struct str region, struct db_latency_of **ret,
                 size_t *ret_count)
{
    int64_t now_ms = clock_ms();
    for (size_t i = 0; i < FROZEN_MAX; i++) {
        const struct entry *e = &f->entries[i];
        if (e->until_ms <= now_ms || !str_same(e->id_scope, id_scope) || !str_same(e->region, region))
            continue;
        copy(a, e->at, e->count, ret);
        *ret_count = e->count;
        return true;
    }
    return false;
}

/* Takes the entry that ends first. */
static void put(struct frozen *f, struct str id_scope, struct str region, const struct db_latency_of *at, size_t count)
{
    struct entry *e = &f->entries[0];
    for (size_t i = 1; i < FROZEN_MAX; i++)
        if (f->entries[i].until_ms < e->until_ms)
            e = &f->entries[i];
    if (!e->arena)
        e->arena = arena_new();
    arena_reset(e->arena);
    e->id_scope = arena_str(e->arena, id_scope);
    e->region = arena_str(e->arena, region);
    e->until_ms = clock_ms() + FROZEN_MS;
    copy(e->arena, at, count, &e->at);
    e->count = count;
}

err_t frozen_latencies(struct frozen *f, struct db *db, struct arena *a, struct str id_scope, struct str region,
                       int64_t fresh_s, struct db_latency_of **ret, size_t *ret_count)
{
    pthread_mutex_lock(&f->lock);
    bool found = find(f, a, id_scope, region, ret, ret_count);
    pthread_mutex_unlock(&f->lock);
    if (found)
        return NULL;
    TRY(db_latency_of_scope(db, a, id_scope, region, fresh_s, ret, ret_count));
    struct db_latency_of *theirs;
    size_t theirs_count;
    pthread_mutex_lock(&f->lock);
    /* Another thread may have asked at the same time: the first answer is everybody's. */
    found = find(f, a, id_scope, region, &theirs, &theirs_count);
    if (!found)
        put(f, id_scope, region, *ret, *ret_count);
    pthread_mutex_unlock(&f->lock);
    if (found) {
        *ret = theirs;
        *ret_count = theirs_count;
    }
    return NULL;
}
