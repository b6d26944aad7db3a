/* reply.h: the last step of a request: an error becomes a status and a body in the shape of its plane, and every reply
 * gets the headers that all replies of its plane have. The only place that knows these shapes. */
#ifndef IDSCOPE_REPLY_H
#define IDSCOPE_REPLY_H

#include "api/call.h"

/* When r->error is set, makes the reply for it. Called once, after the operation. */
void reply_finish(struct call *r);

/* Calls `add` for each header of the finished reply: those of the operation and those of the plane. */
void reply_headers(struct call *r, void (*add)(void *context, const char *name, struct str value), void *context);

#endif
