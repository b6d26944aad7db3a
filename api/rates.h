/* rates.h: how often something may be asked, by the rows RATE of core/quota.def, in the memory of each process: of what
 * all of them have together, each gives out its share. Shared by threads. */
#ifndef IDSCOPE_RATES_H
#define IDSCOPE_RATES_H

#include "api/call.h"
#include "core/quota.h"

struct rates;

struct rates *rates_new(void);
void rates_free(struct rates *t); /* NULL is allowed */
/* So many api processes serve the deployment (at least 1). */
void rates_share(struct rates *t, int64_t processes);
/* Takes one of `most` (0: as many as one likes) of an ID scope, or of a device of it. False: none is left for
 * *ret_wait_s seconds. */
bool rates_take(struct rates *t, enum quota quota, int64_t most, struct str id_scope, struct str device, int64_t now_us,
                int64_t *ret_wait_s);
/* How many all processes have given out, going by what this one has. */
int64_t rates_taken(struct rates *t, enum quota quota, int64_t most, struct str id_scope, int64_t now_us);
/* The same for a call, whose instance says how many there are: THROTTLED, with words and Retry-After. `device` is
 * absent where the instance's own are meant. */
err_t rates_check(struct call *r, enum quota quota, struct str device);
/* LIMIT_REACHED, with words: there are as many as its instance may have. */
err_t rates_full(struct call *r, enum quota quota);
/* Gives `e`, in the words of all that refuse at a limit of `most`. */
err_t rates_reached(struct call *r, err_t e, enum quota quota, int64_t most);

#endif
