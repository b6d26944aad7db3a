/* cache.c: one table of counted entries under one lock; the list that uthash keeps of them is the order of their age.
 * It must never let go of an entry that somebody holds, nor give out one that is too old or was made before it was
 * forgotten.
 */
#include "cache.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "crypt.h"

#define uthash_fatal(what) crypt_give_up(what)
#include <uthash.h>

enum { SWEEP_AT_MOST = 8, SLOTS = 256 };

struct entry {
    struct arena *arena; /* holds the entry and all that it points to */
    struct str key;
    int64_t made_us;
    uint64_t forgotten;  /* of its slot, when it was made */
    _Atomic int holders; /* the table is one of them */
    UT_hash_handle hh;
    alignas(max_align_t) char value[];
};

struct cache {
    struct arena *arena;
    pthread_mutex_t lock;
    size_t most;
    int64_t fresh_us;
    uint64_t secret;           /* of the hash */
    struct entry *entries;     /* oldest first */
    uint64_t forgotten[SLOTS]; /* how often a key was, of those whose hashes fall together */
};

struct cache *cache_new(size_t most, int64_t fresh_us)
{
    struct arena *a = arena_new();
    struct cache *c = ARENA_NEW(a, struct cache);
    c->arena = a;
    c->most = most;
    c->fresh_us = fresh_us;
    crypt_random(&c->secret, sizeof c->secret);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static struct entry *entry_of(const void *value)
{
    return (struct entry *)((char *)(uintptr_t)value - offsetof(struct entry, value));
}

/* --- the table; all of this under the lock ------------------------------------------------------------------------ */

static unsigned hash_of(const struct cache *c, struct str key)
{
    return (unsigned)str_hash(key, c->secret);
}

static struct entry *look_up(const struct cache *c, struct str key, unsigned hash)
{
    struct entry *e;
    HASH_FIND_BYHASHVALUE(hh, c->entries, key.p, key.n, hash, e);
    return e;
}

/* Threads read the clock at slightly different times, so an entry may also be a little younger than now. */
static bool is_fresh(const struct cache *c, const struct entry *e, int64_t now_us)
{
    int64_t age_us = now_us - e->made_us;
    return age_us > -c->fresh_us && age_us < c->fresh_us;
}

static struct entry *fresh_one(const struct cache *c, struct str key, unsigned hash, int64_t now_us)
{
    struct entry *e = look_up(c, key, hash);
    return e && is_fresh(c, e, now_us) ? e : NULL;
}

static void *take(const struct cache *c, struct str key, unsigned hash, int64_t now_us)
{
    struct entry *e = fresh_one(c, key, hash, now_us);
    if (!e)
        return NULL;
    e->holders++;
    return e->value;
}

static uint64_t *forgotten_of(struct cache *c, unsigned hash)
{
    return &c->forgotten[hash % SLOTS];
}

static void drop(struct cache *c, struct entry *e)
{
    HASH_DELETE(hh, c->entries, e);
    cache_release(e->value);
}

static bool has_too_much(const struct cache *c, int64_t now_us)
{
    return c->entries && (HASH_COUNT(c->entries) >= c->most || !is_fresh(c, c->entries, now_us));
}

/* A few of the old ones each time, so that nobody pays for many. What was forgotten while somebody read it is not kept:
 * it may be what the other one wanted to be rid of. */
static void add(struct cache *c, struct entry *e, unsigned hash)
{
    if (e->forgotten != *forgotten_of(c, hash))
        return;
    struct entry *same = look_up(c, e->key, hash);
    if (same)
        drop(c, same);
    for (int i = 0; i < SWEEP_AT_MOST && has_too_much(c, e->made_us); i++)
        drop(c, c->entries);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, c->entries, e->key.p, e->key.n, hash, e);
    e->holders++;
}

/* --- the public face ---------------------------------------------------------------------------------------------- */

void cache_free(struct cache *c)
{
    if (!c)
        return;
    while (c->entries)
        drop(c, c->entries);
    pthread_mutex_destroy(&c->lock);
    arena_free(c->arena);
}

void *cache_find(struct cache *c, struct str key, int64_t now_us)
{
    unsigned hash = hash_of(c, key);
    pthread_mutex_lock(&c->lock);
    void *value = take(c, key, hash, now_us);
    pthread_mutex_unlock(&c->lock);
    return value;
}

size_t cache_missing(struct cache *c, struct str *keys, size_t count, int64_t now_us)
{
    size_t n = 0;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < count; i++)
        if (!fresh_one(c, keys[i], hash_of(c, keys[i]), now_us))
            keys[n++] = keys[i];
    pthread_mutex_unlock(&c->lock);
    return n;
}

void *cache_make(struct cache *c, struct str key, size_t size, int64_t now_us)
{
    unsigned hash = hash_of(c, key);
    struct arena *a = arena_new();
    struct entry *e = arena_alloc(a, sizeof *e + size);
    e->arena = a;
    e->key = arena_str(a, key);
    e->made_us = now_us;
    e->holders = 1;
    pthread_mutex_lock(&c->lock);
    e->forgotten = *forgotten_of(c, hash);
    pthread_mutex_unlock(&c->lock);
    return e->value;
}

struct arena *cache_arena(void *value)
{
    return entry_of(value)->arena;
}

int64_t cache_made_us(const void *value)
{
    return entry_of(value)->made_us;
}

void cache_keep(struct cache *c, void *value)
{
    struct entry *e = entry_of(value);
    unsigned hash = hash_of(c, e->key);
    pthread_mutex_lock(&c->lock);
    add(c, e, hash);
    pthread_mutex_unlock(&c->lock);
}

void *cache_keep_first(struct cache *c, void *value)
{
    struct entry *e = entry_of(value);
    unsigned hash = hash_of(c, e->key);
    pthread_mutex_lock(&c->lock);
    void *first = take(c, e->key, hash, e->made_us);
    if (!first)
        add(c, e, hash);
    pthread_mutex_unlock(&c->lock);
    if (first)
        cache_release(value);
    return first ? first : value;
}

void cache_release(const void *value)
{
    struct entry *e = value ? entry_of(value) : NULL;
    if (e && --e->holders == 0)
        arena_free(e->arena);
}

void cache_forget(struct cache *c, struct str key)
{
    unsigned hash = hash_of(c, key);
    pthread_mutex_lock(&c->lock);
    struct entry *e = look_up(c, key, hash);
    if (e)
        drop(c, e);
    ++*forgotten_of(c, hash);
    pthread_mutex_unlock(&c->lock);
}
