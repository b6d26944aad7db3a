/* filter.h: $filter of lists of the management plane: NAME eq 'VALUE', one or more joined by `and` (wire.md 1.10). */
#ifndef IDSCOPE_OP_FILTER_H
#define IDSCOPE_OP_FILTER_H

#include "api/call.h"

/* What is asked for; absent: anything. */
struct arm_filter {
    struct str resource_type, resource_group, name, location, tag_name, tag_value;
};
/* Of the request; `of_groups`: of a list of resource groups, which has none but tags. BAD_REQUEST for what is no such
 * filter, asks twice for one thing, or has a tag's value without its name: nothing that was asked for is overlooked. */
err_t arm_filter(struct call *r, bool of_groups, struct arm_filter *ret);

#endif
