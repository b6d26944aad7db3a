/* bucket.h: how often something may be asked: so many times in a window, the first ones at once, then each as soon as
 * its share of the window is over (the generic cell rate algorithm, ITU-T I.371: a leaking bucket as one number). Pure.
 */
#ifndef IDSCOPE_BUCKET_H
#define IDSCOPE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t empty_us; /* when all that was asked has leaked away; 0: nothing was asked */
};

/* Takes one of `most` (at least 1) in window_us. False: none is left, and *ret_wait_us says how long it will be so. A
 * clock that went back by more than the window begins anew. */
bool bucket_take(struct bucket *b, int64_t most, int64_t window_us, int64_t now_us, int64_t *ret_wait_us);
/* How many of them are taken. */
int64_t bucket_taken(const struct bucket *b, int64_t most, int64_t window_us, int64_t now_us);

#endif
