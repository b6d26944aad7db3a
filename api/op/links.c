/* links.c: an instance's linked hubs (decisions.md 7, 10; wire.md 1.4, 1.5). It decides which credential a link has
 * after a PUT. It must never show a key, nor let a masked one replace a real one. */
#include "api/op/links.h"

#include "api/op/arm.h"
#include "api/shared.h"
#include "core/limits.h"

enum { WEIGHT_UNSET = 0 }; /* decisions.md 29 */

/* --- on the wire -------------------------------------------------------------------------------------------------- */

#define L_ struct link_entry
const struct codec link_entry_codec[] = {
    CODEC_TEXT(L_, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, host_name, "hostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, connection_string, "connectionString", CONNECTION_MAX, 0),
    CODEC_TEXT(L_, location, "location", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(L_, authentication_type, "authenticationType", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(L_, hub_resource_id, "hubResourceId", RESOURCE_URL_MAX, 0),
    CODEC_TEXT(L_, access_policy, "accessPolicy", RESOURCE_TEXT_MAX, 0),
    CODEC_I64(L_, weight, "allocationWeight", WEIGHT_UNSET, WEIGHT_MOST, CODEC_NULL),
    CODEC_BOOL(L_, apply, "applyAllocationPolicy", CODEC_NULL),
    CODEC_END,
};
#undef L_

/* --- reading an entry --------------------------------------------------------------------------------------------- */

/* One entry on its way to a row. */
struct planned {
    struct call *r;
    struct db *db;
    size_t index;
    const struct link_entry *in;
    const struct linked_row *stored; /* the link of the same host; NULL: none */
    struct linked_row row;
    bool changed; /* new credential */
};

struct stored_links {
    struct str id_scope;
    struct linked_row *at;
    size_t n;
};

/* The words about a member of this entry, as they are written into the refusal. */
static const char *member(const struct planned *p, const char *name)
{
    return arena_printf(p->r->arena, "properties.iotHubs[%zu].%s", p->index, name).p;
}

static const struct linked_row *find_stored(const struct stored_links *s, struct str host)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_same_nocase(s->at[i].host, host))
            return &s->at[i];
    return NULL;
}

/* --- by connection string ----------------------------------------------------------------------------------------- */

static err_t parse_string(struct planned *p, struct connection_string *ret)
{
    struct err_detail why = {""};
    if (!p->in->connection_string.n)
        return call_fail(p->r, E(BAD_FIELD), "%s is required, or hubResourceId.", member(p, "connectionString"));
    err_t e = id_connection_string(p->r->arena, p->in->connection_string, &why, ret);
    return e ? call_fail(p->r, e, "%s: %s", member(p, "connectionString"), why.text) : NULL;
}

/* Keeps the credential of the stored link, of either kind. */
static void keep_stored(struct planned *p)
{
    p->row.hub_key = p->stored->hub_key;
    p->row.key_name = p->stored->key_name;
    p->row.primary_sealed = p->stored->primary_sealed;
}

static err_t restore_masked(struct planned *p, const struct connection_string *c)
{
    if (!p->stored || !str_same_nocase(p->stored->key_name, c->key_name))
        return call_fail(p->r, E(BAD_FIELD),
                         "%s: the key is masked, and no linked hub has this HostName and SharedAccessKeyName.",
                         member(p, "connectionString"));
    keep_stored(p);
    return NULL;
}

static struct seal_id link_row_id(struct arena *a, struct str id_scope, struct str host)
{
    return (struct seal_id){"linked_hub", id_scope, arena_lower(a, host)};
}

/* A key that is sent again in full is no change. */
static err_t same_key(struct planned *p, const struct stored_links *s, const struct connection_string *c,
                      struct bytes key, bool *ret)
{
    struct keypair old;
    *ret = p->stored && p->stored->primary_sealed.p && str_same(p->stored->key_name, c->key_name);
    if (!*ret)
        return NULL;
    const struct seal_id row = link_row_id(p->r->arena, s->id_scope, c->host);
    const struct keypair_sealed sealed = {.primary = p->stored->primary_sealed};
    TRY(keypair_open(p->r->arena, p->r->shared->ring, &row, &sealed, &old));
    *ret = crypt_same(old.primary, key);
    return NULL;
}

static err_t plan_string(struct planned *p, const struct stored_links *s, const struct connection_string *c)
{
    struct bytes key = {NULL, 0};
    bool same = false;
    if (c->masked)
        return restore_masked(p, c);
    dec_base64(p->r->arena, c->key, &key); /* its form was checked with the connection string's */
    TRY(same_key(p, s, c, key, &same));
    if (same) {
        keep_stored(p);
        return NULL;
    }
    p->changed = true;
    p->row.key_name = c->key_name;
    const struct seal_id row = link_row_id(p->r->arena, s->id_scope, c->host);
    p->row.primary_sealed =
        keypair_seal(p->r->arena, p->r->shared->ring, &row, &(struct keypair){.primary = key}).primary;
    return NULL;
}

/* --- by resource -------------------------------------------------------------------------------------------------- */

/* The hub that hubResourceId names: /subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}, words
 * in any case. */
static bool parse_id(struct arena *a, struct str id, struct find *ret)
{
    static const char *const words[] = {
        "", "subscriptions", NULL, "resourceGroups", NULL, "providers", "Microsoft.Devices", "IotHubs", NULL};
    struct str parts[sizeof words / sizeof *words], rest = id;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!rest.p)
            return false;
        rest = str_split(rest, '/', &parts[i]);
        if (words[i] && !str_same_nocase(parts[i], str_of(words[i])))
            return false;
    }
    if (rest.n || !dec_uuid(parts[2], &ret->at.subscription_id) || !id_resource_group_valid(parts[4]) ||
        !id_service_name_valid(parts[8]))
        return false;
    ret->at.group_key = arena_lower(a, parts[4]);
    ret->name_key = arena_lower(a, parts[8]);
    return true;
}

static err_t check_rights(struct planned *p, const struct linked_target *t, struct str policy)
{
    int rights = hub_rights_implied(t->rights);
    const char *missing = !(rights & HUB_RIGHT_REGISTRY_WRITE) ? "RegistryWrite" : "ServiceConnect";
    if (!t->rights)
        return call_fail(p->r, E(BAD_FIELD), "%s: the hub has no policy %.*s.", member(p, "accessPolicy"),
                         STR_ARG(policy));
    if ((rights & (HUB_RIGHT_REGISTRY_WRITE | HUB_RIGHT_SERVICE_CONNECT)) ==
        (HUB_RIGHT_REGISTRY_WRITE | HUB_RIGHT_SERVICE_CONNECT))
        return NULL;
    return call_fail(p->r, E(BAD_FIELD), "%s: the policy %.*s lacks the right %s.", member(p, "accessPolicy"),
                     STR_ARG(policy), missing);
}

/* What comes beside hubResourceId may only be what we show beside it ourselves. */
static err_t check_beside(struct planned *p, struct str host)
{
    struct connection_string c = {0};
    if (!p->in->connection_string.n)
        return NULL;
    TRY(parse_string(p, &c));
    if (c.masked && str_same_nocase(c.host, host))
        return NULL;
    return call_fail(p->r, E(BAD_FIELD), "%s: give either a connection string or hubResourceId, not both.",
                     member(p, "connectionString"));
}

static err_t find_hub(struct planned *p, struct find *ret)
{
    ret->at.tenant_id = p->r->client->tenant_id;
    if (!parse_id(p->r->arena, p->in->hub_resource_id, ret))
        return call_fail(
            p->r, E(BAD_FIELD),
            "%s must be a hub's resource id: /subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Devices/"
            "IotHubs/{name}.",
            member(p, "hubResourceId"));
    return NULL;
}

static err_t plan_resource(struct planned *p, const struct stored_links *s, struct str *ret_default_location)
{
    struct find hub = {0};
    struct linked_target target;
    bool there;
    struct arena *a = p->r->arena;
    TRY(find_hub(p, &hub));
    struct str host = id_hub_host(a, hub.name_key, p->r->cfg->domain);
    p->stored = find_stored(s, host);
    bool same_hub = p->stored && str_same(p->stored->hub_key, hub.name_key);
    struct str policy = p->in->access_policy.n ? p->in->access_policy
                        : same_hub             ? p->stored->key_name
                                               : STR("iothubowner");
    TRY(db_linked_target(p->db, a, &hub, arena_lower(a, policy), &there, &target));
    if (!there)
        return call_fail(p->r, E(BAD_FIELD), "%s: there is no such hub.", member(p, "hubResourceId"));
    TRY(check_beside(p, host));
    p->row.host_name = id_hub_host(a, target.hub_name, p->r->cfg->domain);
    *ret_default_location = target.location;
    if (same_hub && str_same_nocase(policy, p->stored->key_name)) {
        keep_stored(p);
        return NULL;
    }
    TRY(check_rights(p, &target, policy));
    p->changed = true;
    p->row.hub_key = hub.name_key;
    p->row.key_name = target.key_name;
    return NULL;
}

/* --- the whole array ---------------------------------------------------------------------------------------------- */

static err_t plan_credential(struct planned *p, const struct stored_links *s, struct str *ret_default_location)
{
    struct connection_string c = {0};
    if (p->in->hub_resource_id.n)
        return plan_resource(p, s, ret_default_location);
    TRY(parse_string(p, &c));
    p->stored = find_stored(s, c.host);
    p->row.host_name = c.host;
    return plan_string(p, s, &c);
}

static err_t plan_location(struct planned *p, struct str default_location)
{
    struct str given = p->in->location.n ? p->in->location : p->stored ? p->stored->location : default_location;
    if (!given.n)
        return call_fail(p->r, E(BAD_FIELD), "%s is required: the region of the hub.", member(p, "location"));
    return arm_location(p->r, member(p, "location"), given, &p->row.location);
}

static err_t plan_entry(struct planned *p, const struct stored_links *s)
{
    struct str default_location = {NULL, 0};
    if (p->in->authentication_type.n && !str_same_nocase(p->in->authentication_type, STR("KeyBased")))
        return call_fail(p->r, E(BAD_FIELD), "%s must be KeyBased; identities come in a later version.",
                         member(p, "authenticationType"));
    TRY(plan_credential(p, s, &default_location));
    TRY(plan_location(p, default_location));
    p->row.host = arena_lower(p->r->arena, p->row.host_name);
    p->row.weight = p->in->weight.set ? p->in->weight.n : 0;
    p->row.apply = p->in->apply;
    return NULL;
}

static int64_t weight_of(const struct linked_row *l)
{
    return l->weight ? l->weight : 1;
}

/* Would a choice see a difference between the stored link (NULL: none) and the new one? */
static bool inputs_differ(const struct linked_row *old, const struct linked_row *new)
{
    return !old || weight_of(old) != weight_of(new) || (old->apply == TRI_FALSE) != (new->apply == TRI_FALSE);
}

/* Would anybody, to whom it is shown? */
static bool differs(const struct planned *p, const struct stored_links *s)
{
    const struct linked_row *old = p->stored, *new = &p->row;
    return p->changed || !old || (size_t)(old - s->at) != p->index || old->weight != new->weight ||
           old->apply != new->apply || !str_same(old->host_name, new->host_name) ||
           !str_same(old->location, new->location);
}

static err_t add_entry(struct planned *p, const struct stored_links *s, struct link_plan *plan)
{
    TRY(plan_entry(p, s));
    for (size_t i = 0; i < plan->count; i++)
        if (str_same(plan->rows[i].host, p->row.host))
            return call_fail(p->r, E(BAD_FIELD), "properties.iotHubs[%zu]: the hub %.*s stands twice.", p->index,
                             STR_ARG(p->row.host));
    plan->rows[plan->count++] = p->row;
    if (p->changed)
        plan->changed[plan->changed_count++] = p->row.host;
    plan->differs |= differs(p, s);
    plan->inputs_changed |= inputs_differ(p->stored, &p->row);
    return NULL;
}

err_t links_plan(struct call *r, struct db *db, struct str id_scope, const struct obj_list *entries,
                 struct link_plan *ret)
{
    struct stored_links s = {.id_scope = id_scope};
    TRY(db_linked_find(db, r->arena, &r->client->tenant_id, &id_scope, 1, (struct str){NULL, 0}, &s.at, &s.n));
    *ret = (struct link_plan){
        .rows = ARENA_NEW_ARRAY(r->arena, entries->n, struct linked_row),
        .changed = ARENA_NEW_ARRAY(r->arena, entries->n, struct str),
        .differs = entries->n != s.n,
        .inputs_changed = entries->n != s.n,
    };
    for (size_t i = 0; i < entries->n; i++) {
        struct planned p = {.r = r, .db = db, .index = i, .in = (const struct link_entry *)entries->at + i};
        TRY(add_entry(&p, &s, ret));
    }
    return NULL;
}

struct link_entry links_entry(struct call *r, const struct linked_row *l)
{
    struct arena *a = r->arena;
    struct link_entry e = {
        .name = l->host_name,
        .host_name = l->host_name,
        .location = l->location,
        .authentication_type = STR("KeyBased"),
        .weight = {l->weight != 0, l->weight},
        .apply = l->apply,
        .connection_string = arena_printf(a, "HostName=%.*s;SharedAccessKeyName=%.*s;SharedAccessKey=****",
                                          STR_ARG(l->host_name), STR_ARG(l->key_name)),
    };
    if (l->hub_key.p)
        e.access_policy = l->key_name;
    if (l->hub_name.p)
        e.hub_resource_id =
            arm_resource_id(a, &l->hub_subscription, l->hub_group, "Microsoft.Devices/IotHubs", l->hub_name);
    return e;
}
