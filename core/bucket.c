/* bucket.c: one number per bucket. It must never ask what time it is. */
#include "bucket.h"

static int64_t filled_us(const struct bucket *b, int64_t window_us, int64_t now_us)
{
    int64_t left_us = b->empty_us - now_us;
    return left_us < 0 || left_us > window_us ? 0 : left_us;
}

/* What one of them fills; at least something, so that there is a bound. */
static int64_t share_us(int64_t most, int64_t window_us)
{
    return most < window_us ? window_us / most : 1;
}

bool bucket_take(struct bucket *b, int64_t most, int64_t window_us, int64_t now_us, int64_t *ret_wait_us)
{
    int64_t share = share_us(most, window_us), filled = filled_us(b, window_us, now_us);
    if (filled + share > window_us) {
        *ret_wait_us = filled + share - window_us;
        return false;
    }
    b->empty_us = now_us + filled + share;
    return true;
}

int64_t bucket_taken(const struct bucket *b, int64_t most, int64_t window_us, int64_t now_us)
{
    int64_t share = share_us(most, window_us);
    return (filled_us(b, window_us, now_us) + share - 1) / share;
}
