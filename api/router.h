/* router.h: which plane and which operation a request belongs to: by its Host header, method and path alone
 * (decisions.md 1, 2, 5). Knows no HTTP library and asks nobody, so it runs before anything waits or is looked up. */
#ifndef IDSCOPE_ROUTER_H
#define IDSCOPE_ROUTER_H

#include "api/call.h"

/* `method` is a word of HTTP; `host_port` the Host header as sent; `target` the request line's target, still encoded,
 * which lives as long as the call. A door of another protocol says them for what it was asked. Sets method, host,
 * host_port, plane, name, path, query, segments, api_version and route. On an error (BAD_REQUEST, NOT_FOUND,
 * METHOD_NOT_ALLOWED with its Allow header, api-version errors) the plane is set, so that the reply has the right
 * shape; route is set whenever the operation is known. */
err_t router_resolve(struct call *r, struct str method, struct str host_port, struct str target);

/* All routes, in the order of routes.def: ROUTE_COUNT of them, of which BATCH_COUNT are batches. */
#define ROUTE(kind, name, ...) ROUTE_NUMBER_##name,
enum route_number {
#include "api/routes.def"
    ROUTE_COUNT
};
#undef ROUTE
#define COUNT_OP 0
#define COUNT_INLINE 0
#define COUNT_BATCH 1
#define ROUTE(kind, ...) +COUNT_##kind
enum {
    BATCH_COUNT =
#include "api/routes.def"
};
#undef ROUTE
#undef COUNT_OP
#undef COUNT_INLINE
#undef COUNT_BATCH

const struct route *router_at(size_t index);
size_t router_index(const struct route *route);

#endif
