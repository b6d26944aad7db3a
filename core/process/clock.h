/* clock.h: what time it is. Deadlines, waiting and spans go by the monotonic clock; what others read, and expiries in
 * tokens, by the wall's. */
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

/* Since 1970. */
static inline int64_t clock_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

/* Since some moment before the program's start; never goes back. */
static inline int64_t clock_span_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static inline int64_t clock_ms(void)
{
    return clock_span_us() / 1000;
}

#endif
