/* clock.h: what time it is. Wall clock for what others read, monotonic for spans. */
#ifndef IDSCOPE_CLOCK_H
#define IDSCOPE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_us(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t clock_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

static inline int64_t clock_span_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

#endif
