/* stale.c: another look at what a write was checked against. It must never run a write without a fresh check of the
 * credential. */
#include "api/op/stale.h"

#include "api/auth.h"
#include "api/shared.h"

static void forget(struct call *r)
{
    if (r->instance)
        gate_forget_instance(r->shared->gate, r->instance->id_scope, r->name);
    if (r->hub)
        gate_forget_hub(r->shared->gate, r->name);
}

err_t stale_retry(struct call *r, err_t (*work)(struct call *r, void *context), void *context)
{
    err_t e = work(r, context);
    for (int tries = 1; e == E(STALE) && tries < STALE_TRIES; tries++) {
        forget(r);
        auth_release(r);
        TRY(auth_check(r));
        e = work(r, context);
    }
    return e;
}
