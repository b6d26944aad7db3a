/* frozen.h: latency figures as allocation sees them. Figures of a scope and region stay the same for a while, so that
 * the devices of that while are chosen by the same inputs, which are stored once. Shared by all threads. */
#ifndef IDSCOPE_FROZEN_H
#define IDSCOPE_FROZEN_H

#include "core/cache.h"
#include "db/link.h"

struct cache *frozen_new(void);
/* The figures of the scope's links, from memory or from the database. */
err_t frozen_latencies(struct cache *f, struct db *db, struct arena *a, struct str id_scope, struct str region,
                       int64_t fresh_s, struct db_latency_of **ret, size_t *ret_count);

#endif
