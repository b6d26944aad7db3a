/* later.h: properties that exist in the contract and that this version cannot enforce yet. They are refused by name:
 * never accepted and then not enforced. */
#ifndef IDSCOPE_LATER_H
#define IDSCOPE_LATER_H

#include "api/op/resource_codec.h"
#include "api/call.h"

/* Each gives BAD_FIELD naming the member unless the value asks for nothing. */
err_t later_identity(struct call *r, const struct managed_identity *identity);
/* `nothing`: an empty list or object, as JSON. */
err_t later_json(struct call *r, const char *member, struct str json, struct str nothing);
err_t later_flag(struct call *r, const char *member, enum tri flag);

#endif
