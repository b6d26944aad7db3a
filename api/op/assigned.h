/* assigned.h: whether the hub that a registration names is still the one that it was assigned to. */
#ifndef IDSCOPE_OP_ASSIGNED_H
#define IDSCOPE_OP_ASSIGNED_H

#include "api/call.h"

/* Is `host` a built-in hub that was deleted since then, or one that was made under its name after that? Nobody is to be
 * told such a hub: the next register chooses anew. False where that cannot be found out. */
bool assigned_hub_is_gone(struct call *r, struct str host, int64_t assigned_us);

#endif
