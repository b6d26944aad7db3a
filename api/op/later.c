/* later.c: refuses what the contract knows and this version cannot enforce. It must never change a value. */
#include "api/op/later.h"

static err_t comes_later(struct call *r, const char *member)
{
    return call_fail(r, E(BAD_FIELD), "%s is not supported yet; it comes in a later version.", member);
}

err_t later_list(struct call *r, const char *member, struct str json)
{
    bool nothing = !json.p || str_same(json, STR("[]")) || str_same(json, STR("{}"));
    return nothing ? NULL : comes_later(r, member);
}

err_t later_flag(struct call *r, const char *member, enum tri flag)
{
    return flag == TRI_TRUE ? comes_later(r, member) : NULL;
}

err_t later_network(struct call *r, const struct common_properties *p)
{
    if (p->public_network_access.p && !str_same_nocase(p->public_network_access, STR("Enabled")))
        return call_fail(r, E(BAD_FIELD),
                         "properties.publicNetworkAccess must be Enabled; anything else comes in a later version.");
    TRY(later_list(r, "properties.ipFilterRules", p->ip_filter_rules));
    return later_list(r, "properties.privateEndpointConnections", p->private_endpoint_connections);
}

err_t later_identity(struct call *r, const struct managed_identity *identity)
{
    bool none = !identity || !identity->type.n || str_same_nocase(identity->type, STR("None"));
    return none ? NULL : comes_later(r, "identity.type");
}
