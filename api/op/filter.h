/* filter.h: $filter of lists of the management plane: NAME eq 'VALUE', one or more joined by `and` (wire.md 1.10). */
#ifndef IDSCOPE_OP_FILTER_H
#define IDSCOPE_OP_FILTER_H

#include "api/call.h"

/* NAME OP VALUE, the value in single quotes or bare. */
struct filter_term {
    struct str name, op, value;
    bool is_quoted;
};
/* The next term of a filter that is not over; *rest is what stands behind it and its `and`. False: it is none. */
bool filter_next(struct arena *a, struct str *rest, struct filter_term *ret);

/* What is asked for; absent: anything. */
struct arm_filter {
    struct str resource_type, resource_group, name, location, tag_name, tag_value;
};
/* Of the request; `of_groups`: of a list of resource groups, which has none but tags. BAD_REQUEST for what is no such
 * filter, asks twice for one thing, or has a tag's value without its name: nothing that was asked for is overlooked. */
err_t arm_filter(struct call *r, bool of_groups, struct arm_filter *ret);

/* A text in single quotes, in which two of them are one; *rest is what stands behind it. Absent: there is none. */
struct str filter_quoted(struct arena *a, struct str *rest);

#endif
