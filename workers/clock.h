/* clock.h: the clocks in the units of the worker. Waiting and deadlines go by the monotonic one, expiries in tokens by
 * the wall's. */
#ifndef IDSCOPE_WORKER_CLOCK_H
#define IDSCOPE_WORKER_CLOCK_H

#include "api/clock.h"

static inline int64_t clock_ms(void)
{
    return clock_span_us() / 1000;
}

static inline int64_t clock_wall_s(void)
{
    return clock_wall_us() / 1000000;
}

#endif
