/* auth.c: bearer tokens of clients, SAS tokens of instance and hub policies. It decides whether an Authorization header
 * lets a request through; the arithmetic is core/jwt.c's and core/sas.c's, the facts are the gate's. It must never tell
 * a client which part of a SAS token was wrong, nor treat what belongs to another tenant differently from what is not
 * there. */
#include "api/auth.h"

#include "api/plane.h"
#include "api/roles.h"
#include "api/shared.h"
#include "core/sas.h"

/* --- who acts ----------------------------------------------------------------------------------------------------- */

/* What a management request names: its path in the spelling that ids have, and without the word that a POST ends with.
 * Of other planes the statement knows it that writes the event. */
static struct str resource_of(const struct call *r)
{
    struct str rest = r->path, segment;
    struct text id;
    if (r->plane != PLANE_MANAGEMENT)
        return (struct str){NULL, 0};
    text_init(&id, r->arena, 256);
    while (rest.p) {
        rest = str_split(rest, '/', &segment);
        bool action = !rest.p && r->method == METHOD_POST;
        if (segment.n && !action)
            text_printf(&id, "/%.*s",
                        STR_ARG(str_same_nocase(segment, STR("resourcegroups")) ? STR("resourceGroups") : segment));
    }
    return text_str(&id);
}

static struct db_actor actor_of(const struct call *r, int kind, struct uuid tenant, struct str id)
{
    return (struct db_actor){.tenant = tenant,
                             .kind = kind,
                             .id = id,
                             .tracking_id = r->tracking_id,
                             .operation = str_of(r->route->name),
                             .address = r->presented.address,
                             .resource_id = resource_of(r)};
}

static void client_acts(struct call *r)
{
    r->actor = actor_of(r, ACTOR_CLIENT, r->client->tenant_id, enc_uuid(r->arena, &r->client->client_id));
}

static void policy_acts(struct call *r, const struct gate_policy *policy)
{
    int kind = r->instance ? ACTOR_INSTANCE_POLICY : ACTOR_HUB_POLICY;
    struct uuid tenant = r->instance ? r->instance->tenant_id : r->hub->tenant_id;
    struct str id = arena_printf(r->arena, "%.*s/%.*s", STR_ARG(r->name), STR_ARG(policy->name));
    r->actor = actor_of(r, kind, tenant, id);
}

/* --- bearer tokens ------------------------------------------------------------------------------------------------ */

static bool audience_good(const struct call *r, struct str audience)
{
    struct str host = id_url_host(audience);
    return plane_audience(r, r->plane, host) || (planes[r->plane].own_audience && str_same_nocase(host, r->host));
}

static bool is_own(const struct call *r, struct str issuer)
{
    return str_same(issuer, id_issuer(r->arena, r->cfg->domain));
}

/* With the keys of the issuer that the token names, and no others. */
static err_t verify_with(struct call *r, const struct token_view *view, struct str issuer, struct str token,
                         struct jwt_claims *ret)
{
    const struct jwt_keys *keys = is_own(r, issuer) ? &view->own : token_keys_of(view, issuer);
    err_t e = keys ? jwt_verify(r->arena, keys, token, r->now_us, &r->detail, ret)
                   : call_fail(r, E(INVALID_TOKEN), "The bearer token is of another issuer.");
    token_keys_release(view);
    return e;
}

/* A token of a key that was made a moment ago is good, even if our view of the keys is older. */
static err_t verify(struct call *r, struct str token, struct jwt_claims *ret)
{
    const struct token_view *view;
    struct str issuer = {NULL, 0};
    TRY(jwt_issuer(r->arena, token, &r->detail, &issuer));
    TRY(token_keys_get(r->shared->tokens, r->db, r->now_us, &view));
    err_t e = verify_with(r, view, issuer, token, ret);
    if (e != E(INVALID_TOKEN))
        return e;
    TRY(token_keys_get_anew(r->shared->tokens, r->db, issuer, r->now_us, &view));
    return verify_with(r, view, issuer, token, ret);
}

static bool has_scheme(const struct call *r, struct str scheme, struct str *ret_rest)
{
    struct str all = r->presented.authorization;
    if (all.n < scheme.n || !str_same_nocase((struct str){all.p, scheme.n}, scheme))
        return false;
    *ret_rest = str_trim((struct str){all.p + scheme.n, all.n - scheme.n});
    return true;
}

/* The client that a token was issued to must still be there, whatever the token says; its roles are the present ones.
 */
static err_t find_client(struct call *r, const struct jwt_claims *claims)
{
    struct uuid client_id, tenant_id;
    if (!dec_uuid(claims->subject, &client_id) || !dec_uuid(claims->tenant_id, &tenant_id))
        return call_refuse(r, E(INVALID_TOKEN), "sub or tid of the token is no guid");
    err_t e = gate_client_by_id(r->shared->gate, r->db, &client_id, r->now_us, &r->client);
    if (e == E(INVALID_CLIENT))
        return call_refuse(r, E(INVALID_TOKEN), "the client of the token is gone or disabled");
    TRY(e);
    if (!uuid_same(&r->client->tenant_id, &tenant_id))
        return call_refuse(r, E(INVALID_TOKEN), "the token is of another tenant than its client");
    return NULL;
}

/* Of an outside issuer's subjects only those are let in that are registered as a client of the tenant that the token
 * says. */
static err_t find_federated(struct call *r, const struct jwt_claims *claims)
{
    const struct db_federated f = {claims->issuer, claims->subject, claims->tenant_id};
    err_t e = gate_client_federated(r->shared->gate, r->db, r->arena, &f, r->now_us, &r->client);
    return e == E(INVALID_CLIENT)
               ? call_refuse(r, E(INVALID_TOKEN), "nobody is registered as the subject of the token, in its tenant")
               : e;
}

/* What stands in a disabled subscription is read and no more. */
static err_t check_enabled(struct call *r)
{
    const struct str_list *disabled = &r->client->disabled_subscriptions;
    for (size_t i = 0; r->route->right > ROLE_READER && i < disabled->n; i++)
        if (str_same_nocase(disabled->at[i], r->segments[SEGMENT_SUBSCRIPTION]))
            return E(SUBSCRIPTION_DISABLED);
    return NULL;
}

static err_t check_bearer(struct call *r, struct str token)
{
    struct jwt_claims claims = {.issued_s = 0};
    TRY(verify(r, token, &claims));
    bool own = is_own(r, claims.issuer);
    if (own && !audience_good(r, claims.audience))
        return call_fail(r, E(INVALID_TOKEN), "The bearer token is for another audience.");
    TRY(own ? find_client(r, &claims) : find_federated(r, &claims));
    client_acts(r);
    return NULL;
}

/* --- shared access signatures ------------------------------------------------------------------------------------- */

static const struct gate_policy *find_policy(const struct gate_policies *policies, struct str name)
{
    for (size_t i = 0; i < policies->key_names.n; i++)
        if (str_same_nocase(policies->at[i].name, name))
            return &policies->at[i];
    return NULL;
}

/* All that a SAS token says without its key. */
static err_t read_sas(struct call *r, struct sas *ret)
{
    TRY(sas_parse(r->arena, r->presented.authorization, &r->log_detail, ret));
    if (!sas_covers(ret, arena_printf(r->arena, "%.*s%.*s", STR_ARG(r->host), STR_ARG(r->path))))
        return call_refuse(r, E(UNAUTHORIZED), "the SAS token is for another resource");
    if (!sas_alive(ret, r->now_us))
        return call_refuse(r, E(UNAUTHORIZED), "the SAS token has expired");
    return NULL;
}

/* The token of a policy that is not there is checked with nobody's keys. */
static err_t check_sas(struct call *r, const struct gate_policies *policies)
{
    struct sas token;
    TRY(read_sas(r, &token));
    const struct gate_policy *policy = find_policy(policies, token.key_name);
    const struct keypair *keys = policy ? &policy->keys : &keypair_of_nobody;
    bool primary = sas_signed_with(&token, keys->primary);
    bool secondary = sas_signed_with(&token, keys->secondary);
    if (!policy)
        return call_refuse(r, E(UNAUTHORIZED), "the SAS token names no policy that is there");
    if (!primary && !secondary)
        return call_refuse(r, E(UNAUTHORIZED), "the SAS token was signed with another key");
    if ((policy->rights & r->route->right) != r->route->right)
        return call_refuse(r, E(UNAUTHORIZED), "the policy lacks a right that the operation needs");
    policy_acts(r, policy);
    return NULL;
}

/* --- one check per kind of credential ----------------------------------------------------------------------------- */

static err_t read_bearer(struct call *r, struct str *ret_token)
{
    if (!has_scheme(r, STR("Bearer "), ret_token))
        return call_refuse(r, E(INVALID_TOKEN), "there is no bearer token");
    return NULL;
}

/* Asked before any credential is looked at, so who is refused learns nothing of it, not even that rules are there
 * (wire.md 1.5). */
static err_t check_address(struct call *r, const struct ip_filter *filter, enum ip_target target)
{
    const struct ip_rule *rule;
    if (ip_filter_admits(filter, r->presented.address, target, &rule))
        return NULL;
    if (rule)
        return call_refuse(r, E(ADDRESS_REFUSED), "the IP filter rule %.*s refuses the address", STR_ARG(rule->name));
    return call_refuse(r, E(ADDRESS_REFUSED),
                       filter->access == NETWORK_DISABLED ? "no address may call while publicNetworkAccess is Disabled"
                                                          : "there are IP filter rules, and the address is not known");
}

static err_t check_management(struct call *r)
{
    struct str token = {NULL, 0};
    TRY(read_bearer(r, &token));
    TRY(check_bearer(r, token));
    TRY(roles_check(r));
    return check_enabled(r);
}

/* To the client of another tenant the instance is not there. */
static err_t check_instance_bearer(struct call *r, struct str token)
{
    TRY(check_bearer(r, token));
    struct bytes mine = {r->client->tenant_id.b, sizeof r->client->tenant_id.b};
    struct bytes its = {r->instance->tenant_id.b, sizeof r->instance->tenant_id.b};
    if (!crypt_same(mine, its))
        return call_refuse(r, E(INSTANCE_NOT_FOUND), "the instance is another tenant's");
    if ((roles_rights(r->client, r->instance->role_scope) & r->route->right) != r->route->right)
        return call_refuse(r, E(FORBIDDEN), "the client has no role with the rights that the operation needs");
    return NULL;
}

static err_t check_instance(struct call *r)
{
    struct str token;
    TRY(gate_instance_by_name(r->shared->gate, r->db, r->name, r->now_us, &r->instance));
    TRY(check_address(r, &r->instance->filter, IP_SERVICE));
    if (has_scheme(r, STR("Bearer "), &token))
        return check_instance_bearer(r, token);
    return check_sas(r, &r->instance->policies);
}

static err_t check_hub(struct call *r)
{
    TRY(gate_hub_by_name(r->shared->gate, r->db, r->name, r->now_us, &r->hub));
    TRY(check_address(r, &r->hub->filter, IP_SERVICE));
    return check_sas(r, &r->hub->policies);
}

static err_t read_device(struct call *r, bool body_follows)
{
    if (!presented_any(&r->presented) && !(body_follows && r->route->body_proves))
        return call_refuse(r, E(UNAUTHORIZED), "the device sent no credential");
    if (!id_scope_valid(r->segments[SEGMENT_SCOPE]))
        return call_refuse(r, E(UNAUTHORIZED), "the ID scope is none");
    return NULL;
}

static err_t check_device(struct call *r)
{
    TRY(read_device(r, r->body.n > 0));
    struct str key = arena_lower(r->arena, r->segments[SEGMENT_SCOPE]);
    TRY(gate_instance_by_scope(r->shared->gate, r->db, key, r->now_us, &r->instance));
    return check_address(r, &r->instance->filter, IP_DEVICE);
}

err_t auth_read(struct call *r, bool body_follows)
{
    struct str bearer;
    struct sas sas;
    switch (r->route->credential) {
    case CREDENTIAL_NONE:
        return NULL;
    case CREDENTIAL_BEARER:
        return read_bearer(r, &bearer);
    case CREDENTIAL_INSTANCE:
        return has_scheme(r, STR("Bearer "), &bearer) ? NULL : read_sas(r, &sas);
    case CREDENTIAL_HUB:
        return read_sas(r, &sas);
    case CREDENTIAL_DEVICE:
        return read_device(r, body_follows);
    }
    return E(INTERNAL);
}

err_t auth_check(struct call *r)
{
    switch (r->route->credential) {
    case CREDENTIAL_NONE:
        return NULL;
    case CREDENTIAL_BEARER:
        return check_management(r);
    case CREDENTIAL_INSTANCE:
        return check_instance(r);
    case CREDENTIAL_HUB:
        return check_hub(r);
    case CREDENTIAL_DEVICE:
        return check_device(r);
    }
    return E(INTERNAL);
}

void auth_release(struct call *r)
{
    gate_release(r->client);
    gate_release(r->instance);
    gate_release(r->hub);
    r->client = NULL;
    r->instance = NULL;
    r->hub = NULL;
}
