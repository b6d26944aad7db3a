/* reply.h: the last step of a request: an error becomes a status and a body in the shape of its plane, and every reply
 * gets the headers that all replies of its plane have. The only place that knows these shapes. */
#ifndef IDSCOPE_REPLY_H
#define IDSCOPE_REPLY_H

#include "api/plane.h"

/* When r->error is set, makes the reply for it. Called once, after the operation. */
void reply_finish(struct call *r);

/* Calls `add` for each header of the finished reply: those of the operation and those of the plane. */
void reply_headers(struct call *r, plane_header_fn add, void *context);

/* The shapes that planes.def names. */
void reply_arm_error(struct call *r, err_t shown, struct str sentence, struct text *body);
void reply_sign_in_error(struct call *r, err_t shown, struct str sentence, struct text *body);
void reply_data_error(struct call *r, err_t shown, struct str sentence, struct text *body);
void reply_hub_error(struct call *r, err_t shown, struct str sentence, struct text *body);
void reply_arm_headers(struct call *r, plane_header_fn add, void *context);
void reply_data_headers(struct call *r, plane_header_fn add, void *context);

#endif
