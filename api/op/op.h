/* op.h: declares every operation, out of routes.def. An operation is defined in the file of its noun beside this one.
 */
#ifndef IDSCOPE_OP_H
#define IDSCOPE_OP_H

#include "api/call.h"

#define ROUTE(plane, method, path, op, credential, right, body_max, api_version) err_t op(struct call *r);
#define BATCH(plane, method, path, op, credential, right, body_max, api_version)                                       \
    void op(struct db *db, struct call **calls, size_t count);
#include "api/routes.def"
#undef ROUTE
#undef BATCH

#endif
