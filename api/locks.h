/* locks.h: what locks forbid on the management plane. */
#ifndef IDSCOPE_LOCKS_H
#define IDSCOPE_LOCKS_H

#include "api/call.h"

/* The place that a call of the management plane names, as locks know it: its resource id in lower case. */
struct str locks_place(struct call *r);
/* SCOPE_LOCKED when a lock is over what the call would change, or, of a DELETE, over it or on what stands beneath. What
 * needs an owner is not held up: so locks themselves can be taken away. */
err_t locks_check(struct call *r);

#endif
