/* stale.h: a write that lost because what it was checked against changed is looked up and checked anew, a few times,
 * then refused as STALE. */
#ifndef IDSCOPE_STALE_H
#define IDSCOPE_STALE_H

#include "api/call.h"

/* How often a write is tried in all. One who changes an instance writes twice or three times within milliseconds; who
 * loses against all of that has met a stream of changes, and comes back later. */
enum { STALE_TRIES = 4 };

/* Runs `work`; when it gives STALE, drops what the gate remembers, checks the credential again and runs it anew, in all
 * STALE_TRIES times. Returns what the last one gave, or why the credential is not good any more. */
err_t stale_retry(struct call *r, err_t (*work)(struct call *r, void *context), void *context);

#endif
