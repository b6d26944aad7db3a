/* roles.c: what the client's roles let it do. It must never tell a client of a subscription of another tenant, nor
 * remember anything: the gate's view is a second old at most. */
#include "api/roles.h"

#include <string.h>

#include "db/resource.h"

/* --- what the roles say ------------------------------------------------------------------------------------------- */

bool roles_manage(const struct gate_client *client, struct str scope, enum role wanted)
{
    const struct gate_grants *g = &client->grants;
    for (size_t i = 0; i < g->roles.n; i++)
        if (role_manages((enum role)g->at[i].role, wanted) && role_covers(g->at[i].scope, scope))
            return true;
    return false;
}

int roles_rights(const struct gate_client *client, struct str scope)
{
    const struct gate_grants *g = &client->grants;
    int rights = 0;
    for (size_t i = 0; i < g->roles.n; i++)
        if (g->at[i].role && role_covers(g->at[i].scope, scope))
            rights |= role_kinds[g->at[i].role - 1].rights;
    return rights;
}

/* Has it any role there, in what that stands in or in something that stands there? */
static bool touches(const struct gate_client *client, struct str scope)
{
    const struct gate_grants *g = &client->grants;
    for (size_t i = 0; i < g->roles.n; i++)
        if (role_covers(g->at[i].scope, scope) || role_covers(scope, g->at[i].scope))
            return true;
    return false;
}

/* --- where -------------------------------------------------------------------------------------------------------- */

/* "Microsoft.Devices/IotHubs": what stands before {name} in the route's path, or in the request's. */
static struct str type_of(struct call *r)
{
    struct str sent = r->segments[SEGMENT_TYPE];
    const char *from = strstr(r->route->path, "/providers/"), *to = strstr(r->route->path, "/{name}");
    if (sent.p)
        return arena_printf(r->arena, "Microsoft.Devices/%.*s", STR_ARG(sent));
    from += strlen("/providers/");
    return (struct str){from, (size_t)(to - from)};
}

/* As the path spells it. */
static struct str place_of(struct call *r)
{
    const struct str *is = r->segments;
    struct text t;
    text_init(&t, r->arena, 256);
    if (is[SEGMENT_SUBSCRIPTION].p)
        text_printf(&t, "/subscriptions/%.*s", STR_ARG(is[SEGMENT_SUBSCRIPTION]));
    if (is[SEGMENT_GROUP].p)
        text_printf(&t, "/resourcegroups/%.*s", STR_ARG(is[SEGMENT_GROUP]));
    if (is[SEGMENT_NAME].p)
        text_printf(&t, "/providers/%.*s/%.*s", STR_ARG(type_of(r)), STR_ARG(is[SEGMENT_NAME]));
    return text_str(&t);
}

struct str roles_scope(struct call *r)
{
    return arena_lower(r->arena, place_of(r));
}

struct str_list roles_readable(struct call *r)
{
    const struct gate_grants *g = &r->client->grants;
    struct str here = roles_scope(r);
    struct str_list below = {ARENA_NEW_ARRAY(r->arena, g->roles.n, struct str), 0, true};
    if (roles_manage(r->client, here, ROLE_READER))
        return (struct str_list){0};
    for (size_t i = 0; i < g->roles.n; i++)
        if (role_manages((enum role)g->at[i].role, ROLE_READER) && role_covers(here, g->at[i].scope))
            below.at[below.n++] = g->at[i].scope;
    return below;
}

/* The path of a scope that is not "" begins with "/subscriptions/" and the id. */
struct str_list roles_subscriptions(struct call *r)
{
    static const struct str head = {"/subscriptions/", 15};
    const struct gate_grants *g = &r->client->grants;
    struct str_list ids = {ARENA_NEW_ARRAY(r->arena, g->roles.n, struct str), 0, true};
    for (size_t i = 0; i < g->roles.n; i++) {
        struct str scope = g->at[i].scope;
        if (!scope.n)
            return (struct str_list){0};
        (void)str_split((struct str){scope.p + head.n, scope.n - head.n}, '/', &ids.at[ids.n++]);
    }
    return ids;
}

/* --- what is refused, and in which words -------------------------------------------------------------------------- */

/* "Microsoft.Devices/IotHubs/write": the words of the route's path from its last provider on, and what is done there.
 */
static struct str action_of(struct call *r)
{
    struct text t;
    struct str word, rest = str_of(r->route->path + 1);
    text_init(&t, r->arena, 128);
    text_add(&t, STR("Microsoft.Resources"));
    while (rest.p) {
        rest = str_split(rest, '/', &word);
        if (word.p[0] == '{')
            continue;
        if (str_starts(word, STR("Microsoft.")))
            t.n = 0;
        else if (!str_same(word, STR("providers")) || !rest.p)
            text_add_char(&t, '/');
        else
            continue;
        text_add(&t, word);
    }
    static const char *const done[METHOD_OTHER] = {"read", "write", "action", "delete", "read", "write"};
    text_printf(&t, "/%s", done[r->method]);
    return text_str(&t);
}

/* A subscription that is not there looks the same to all. */
static err_t refuse(struct call *r)
{
    struct place_found found = {.subscription = true};
    struct place at = {.tenant_id = r->client->tenant_id};
    db_act(r->db, &r->actor);
    if (r->segments[SEGMENT_SUBSCRIPTION].p) {
        if (!dec_uuid(r->segments[SEGMENT_SUBSCRIPTION], &at.subscription_id))
            return E(SUBSCRIPTION_NOT_FOUND);
        TRY(db_place(r->db, r->arena, &at, &found));
    }
    if (!found.subscription)
        return E(SUBSCRIPTION_NOT_FOUND);
    const char *id = enc_uuid(r->arena, &r->client->client_id).p;
    return call_fail(
        r, E(FORBIDDEN),
        "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope "
        "'%s' or the scope is invalid.",
        id, id, action_of(r).p, place_of(r).p);
}

err_t roles_check(struct call *r)
{
    struct str scope = roles_scope(r);
    bool may = r->route->partial ? !scope.n || touches(r->client, scope)
                                 : roles_manage(r->client, scope, (enum role)r->route->right);
    return may ? NULL : refuse(r);
}
