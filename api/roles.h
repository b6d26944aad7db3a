/* roles.h: may the client of a call do here what it asks for? By the roles that it has been assigned (core/role.h), as
 * the gate knows them. */
#ifndef IDSCOPE_ROLES_H
#define IDSCOPE_ROLES_H

#include "api/call.h"
#include "core/role.h"

/* May the client manage as `wanted` may what the scope names? */
bool roles_manage(const struct gate_client *client, struct str scope, enum role wanted);
/* What it may on the service plane of the instance that the scope names: service_right bits. */
int roles_rights(const struct gate_client *client, struct str scope);

/* The scope that the path of a management call names: its resource, else its group, else its subscription, else "". */
struct str roles_scope(struct call *r);
/* Does the client have the role that the route asks for, there? For a route that is PARTIAL any role will do that is
 * for the scope, for what it stands in or for something in it: what is listed is what the client may read. FORBIDDEN
 * says what it may not do, and where; SUBSCRIPTION_NOT_FOUND: there is none, in the client's tenant. */
err_t roles_check(struct call *r);

/* The scopes below the one of the path that the client may read; not set: it may read all that is there. */
struct str_list roles_readable(struct call *r);
/* The ids of the subscriptions in which the client has a role; not set: in all of its tenant. */
struct str_list roles_subscriptions(struct call *r);

#endif
