/* op.h: declares every operation, out of routes.def. An operation is defined in the file of its noun beside this one.
 */
#ifndef IDSCOPE_OP_H
#define IDSCOPE_OP_H

#include "api/call.h"

#define DECLARE_OP(name) err_t op_##name(struct call *r);
#define DECLARE_INLINE(name) err_t op_##name(struct call *r);
#define DECLARE_BATCH(name) extern const struct batch_op op_##name;
#define ROUTE(kind, name, method, path, ...) DECLARE_##kind(name)
#include "api/routes.def"
#undef ROUTE
#undef DECLARE_OP
#undef DECLARE_INLINE
#undef DECLARE_BATCH

#endif
