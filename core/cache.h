/* cache.h: what was got at some cost, kept under its key for a while and shared by all who use it meanwhile. A value is
 * made in an arena of its own, does not change once it is kept, and lives until the cache and everybody else has let go
 * of it. Thread-safe; the caller says what time it is. */
#ifndef IDSCOPE_CACHE_H
#define IDSCOPE_CACHE_H

#include "arena.h"

struct cache;

/* Keeps up to `most` values, the youngest ones, and gives each out for `fresh_us`. */
struct cache *cache_new(size_t most, int64_t fresh_us);
void cache_free(struct cache *c); /* NULL is allowed; what somebody holds lives on */

/* The value of a key, to be released; NULL: there is none, or none that is fresh. */
void *cache_find(struct cache *c, struct str key, int64_t now_us);
/* Puts those of the keys under which nothing fresh is kept to the front, in their order, and counts them. */
size_t cache_missing(struct cache *c, struct str *keys, size_t count, int64_t now_us);
/* A new value: `size` zeroed bytes, to be released, which nobody else knows before it is kept. What it points to lives
 * in cache_arena. Make it before what it holds is read: so cache_forget reaches it too. */
void *cache_make(struct cache *c, struct str key, size_t size, int64_t now_us);
struct arena *cache_arena(void *value);
int64_t cache_made_us(const void *value);
/* From now on the value is what is found under its key, unless that was forgotten since the value was made. */
void cache_keep(struct cache *c, void *value);
/* The same, unless a fresh one came first: then that one, to be released instead. */
void *cache_keep_first(struct cache *c, void *value);
void cache_release(const void *value); /* NULL is allowed */
/* What is kept under the key is not found any more, nor will be what is being made for it at this moment. */
void cache_forget(struct cache *c, struct str key);

#endif
