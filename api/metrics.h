/* metrics.h: counters of the api, written as Prometheus text. Thread-safe and free of locks. */
#ifndef IDSCOPE_METRICS_H
#define IDSCOPE_METRICS_H

#include "api/call.h"

/* One request is done; `route` is NULL when it matched none. */
void metrics_request(const struct route *route, int status);
/* So many requests go to the database as one batch, which was prepared beside another one that was written, or alone.
 */
void metrics_batch(size_t size, bool beside);

void metrics_write(struct text *out);

#endif
