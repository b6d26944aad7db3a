/* instance.h: what hangs on an instance of the management plane begins by finding it. */
#ifndef IDSCOPE_INSTANCE_OP_H
#define IDSCOPE_INSTANCE_OP_H

#include "api/op/arm.h"
#include "db/instance.h"

/* The instance of the path; the part that is missing gives its 404. */
err_t instance_named(struct call *r, struct arm_target *ret_target, struct instance_row *ret);
/* The same inside of a transaction, to the end of which it is held: writers of one instance go one after the other. */
err_t instance_hold(struct call *r, struct db *db, const struct arm_target *t, struct instance_locked *ret);
/* How many instances a subscription of the tenant may have; 0: as many as one likes. */
int64_t instances_most(const struct call *r, const struct tenant_holds *holds);

#endif
