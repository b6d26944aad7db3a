/* later.c: refuses what the contract knows and this version cannot enforce. It must never change a value. */
#include "api/op/later.h"

static err_t comes_later(struct call *r, const char *member)
{
    return call_fail(r, E(BAD_FIELD), "%s is not supported yet; it comes in a later version.", member);
}

err_t later_json(struct call *r, const char *member, struct str json, struct str nothing)
{
    return !json.p || str_same(json, nothing) ? NULL : comes_later(r, member);
}

err_t later_flag(struct call *r, const char *member, enum tri flag)
{
    return flag == TRI_TRUE ? comes_later(r, member) : NULL;
}

err_t later_identity(struct call *r, const struct managed_identity *identity)
{
    bool none = !identity || !identity->type.n || str_same_nocase(identity->type, STR("None"));
    return none ? NULL : comes_later(r, "identity.type");
}
