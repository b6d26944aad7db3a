/* subscription.h: what stands in a subscription begins by finding it. */
#ifndef IDSCOPE_SUBSCRIPTION_OP_H
#define IDSCOPE_SUBSCRIPTION_OP_H

#include "api/op/arm.h"

/* The subscription of the path; SUBSCRIPTION_NOT_FOUND: there is none, or it is another tenant's, which is the same. */
err_t subscription_named(struct call *r, struct arm_target *ret_target, struct subscription_row *ret);

#endif
