/* frozen.c: latency figures that are held still for a while. It must never hold one for longer. */
#include "workers/frozen.h"

#include "core/process/clock.h"
#include "workers/schedule.h"

enum { FROZEN_MAX = 256 };

struct figures {
    struct db_latency_of *at;
    size_t count;
};

struct cache *frozen_new(void)
{
    return cache_new(FROZEN_MAX, KEEP_frozen_MS * 1000);
}

/* Another thread may have asked at the same time: the first answer is everybody's. */
static err_t read_figures(struct cache *f, struct db *db, struct str key, struct str id_scope, struct str region,
                          int64_t fresh_s, const struct figures **ret)
{
    struct figures *mine = cache_make(f, key, sizeof *mine, clock_span_us());
    err_t e = db_latency_of_scope(db, cache_arena(mine), id_scope, region, fresh_s, &mine->at, &mine->count);
    if (e)
        cache_release(mine);
    else
        *ret = cache_keep_first(f, mine);
    return e;
}

err_t frozen_latencies(struct cache *f, struct db *db, struct arena *a, struct str id_scope, struct str region,
                       int64_t fresh_s, struct db_latency_of **ret, size_t *ret_count)
{
    struct str key = arena_printf(a, "%.*s\n%.*s", STR_ARG(id_scope), STR_ARG(region));
    const struct figures *known = cache_find(f, key, clock_span_us());
    if (!known)
        TRY(read_figures(f, db, key, id_scope, region, fresh_s, &known));
    *ret_count = known->count;
    *ret = ARENA_NEW_ARRAY(a, known->count, struct db_latency_of);
    for (size_t i = 0; i < known->count; i++)
        (*ret)[i] = (struct db_latency_of){arena_str(a, known->at[i].host), known->at[i].p50_us};
    cache_release(known);
    return NULL;
}
