/* auth.h: who is asking, and may they? */
#ifndef IDSCOPE_AUTH_H
#define IDSCOPE_AUTH_H

#include "api/call.h"

/* What can be said against the credential without asking anybody: that there is none, that it is garbled, for something
 * else or too old. A door may ask before it reads a body for nothing; where the body may prove something itself
 * (body_proves in routes.def), it waits for one that follows. */
err_t auth_read(struct call *r, bool body_follows);
/* The whole check, auth_read's part included; on a lane, before the operation.
 * Checks the credential that the route asks for and fills r->client, r->instance or r->hub, and r->actor. What was
 * wrong stands in r->log_detail. For CREDENTIAL_DEVICE only the ID scope is resolved; the credential belongs to an
 * enrollment, which the operation reads in its batch. */
err_t auth_check(struct call *r);
/* Gives back what auth_check took. */
void auth_release(struct call *r);

#endif
