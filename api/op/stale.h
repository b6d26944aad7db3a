/* stale.h: a write that lost because what it was checked against changed is looked up and checked once more, then
 * refused as STALE. */
#ifndef IDSCOPE_STALE_H
#define IDSCOPE_STALE_H

#include "api/call.h"

/* Runs `work`; when it gives STALE, drops what the gate remembers, checks the credential again and runs it a second
 * time. */
err_t stale_retry(struct call *r, err_t (*work)(struct call *r, void *context), void *context);

#endif
