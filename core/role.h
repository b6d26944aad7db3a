/* role.h: what a role lets its holder do, and where. A role is assigned for a scope: the path of a subscription, a
 * resource group, a hub or an instance, in lower case and without a slash at its end; "" is all of the tenant. It is
 * good for what the path names and for all that stands below it. */
#ifndef IDSCOPE_ROLE_H
#define IDSCOPE_ROLE_H

#include "model.h"

/* A built-in role as clients know it (the ids are Azure's own). */
struct role_kind {
    struct str id, name, description;
    const char *const *actions, *const *not_actions, *const *data_actions; /* NULL-terminated */
    int rights; /* on the service plane: service_right bits */
};
extern const struct role_kind role_kinds[]; /* in the order of enum role, from its second */
extern const size_t role_kind_count;
/* The role of an id, in any case; ROLE_NONE when it is of none. */
enum role role_of_id(struct str id);

/* May who has `has` do on the management plane what `wanted` (of the first three) may? */
bool role_manages(enum role has, enum role wanted);

/* Does the scope name `at`, or something that it stands below? */
bool role_covers(struct str scope, struct str at);

#endif
