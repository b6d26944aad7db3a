/* links.c: an instance's linked hubs (decisions.md 7, 10; wire.md 1.4, 1.5). It decides which credential a link has
 * after a PUT, of the whole array or of one link. It must never show a key, nor let a masked one replace a real one. */
#include "api/op/links.h"

#include "api/op/resource.h"
#include "api/roles.h"
#include "api/shared.h"
#include "core/limits.h"

enum {
#define AHEAD(name, ms, sentence) AHEAD_##name##_MS = (ms),
#include "core/jobs.def"
};

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
    const char *at; /* where the entry stands in the body: "properties.iotHubs[3]" */
    const struct link_entry *in;
    struct str default_location;     /* of a link that has none yet; absent: it must say */
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
    return arena_printf(p->r->arena, "%s.%s", p->at, name).p;
}

static const struct linked_row *find_stored(const struct stored_links *s, struct str host)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_same_nocase(s->at[i].host, host))
            return &s->at[i];
    return NULL;
}

/* --- by connection string ----------------------------------------------------------------------------------------- */

/* A credential of a link by connection string: the first one, or the second. */
struct link_key {
    const char *member; /* that tells it */
    bool second;
    struct str key_name;
    struct bytes sealed; /* p NULL: there is none */
};

static err_t parse_string(struct planned *p, const char *name, struct str text, struct connection_string *ret)
{
    struct err_detail why = {""};
    err_t e = id_connection_string(p->r->arena, text, &why, ret);
    return e ? call_fail(p->r, e, "%s: %s", member(p, name), why.text) : NULL;
}

/* Keeps the first credential of the stored link, of either kind. */
static void keep_stored(struct planned *p)
{
    p->row.hub_key = p->stored->hub_key;
    p->row.key_name = p->stored->key_name;
    p->row.primary_sealed = p->stored->primary_sealed;
}

/* The second one goes with a key of the link's own: a policy of the hub has both. */
static void keep_second(struct planned *p)
{
    if (!p->stored || p->row.hub_key.p)
        return;
    p->row.secondary_key_name = p->stored->secondary_key_name;
    p->row.secondary_sealed = p->stored->secondary_sealed;
}

static struct seal_id link_row_id(struct arena *a, struct str id_scope, struct str host)
{
    return (struct seal_id){"linked_hub", id_scope, arena_lower(a, host)};
}

/* A key that is sent again in full is no change. */
static err_t same_key(struct planned *p, const struct seal_id *row, const struct link_key *old, struct bytes key,
                      bool *ret)
{
    struct keypair keys;
    const struct bytes none = {NULL, 0};
    const struct keypair_sealed sealed = {old->second ? none : old->sealed, old->second ? old->sealed : none};
    TRY(keypair_open(p->r->arena, p->r->shared->ring, row, &sealed, &keys));
    *ret = crypt_same(old->second ? keys.secondary : keys.primary, key);
    return NULL;
}

/* Makes of the stored credential (`c->sealed.p` NULL: there is none) the one that a connection string tells. */
static err_t plan_key(struct planned *p, struct str id_scope, const struct connection_string *in, struct link_key *c)
{
    struct bytes key = {NULL, 0};
    bool same = c->sealed.p && str_same(c->key_name, in->key_name);
    const struct seal_id row = link_row_id(p->r->arena, id_scope, in->host);
    dec_base64(p->r->arena, in->key, &key); /* its form was checked with the connection string's */
    if (same)
        TRY(same_key(p, &row, c, key, &same));
    if (same)
        return NULL;
    struct keypair pair = {.primary = key};
    if (c->second)
        pair = (struct keypair){.secondary = key};
    struct keypair_sealed sealed = keypair_seal(p->r->arena, p->r->shared->ring, &row, &pair);
    c->key_name = in->key_name;
    c->sealed = c->second ? sealed.secondary : sealed.primary;
    p->changed = true;
    return NULL;
}

static err_t refuse_masked(struct planned *p, const char *name)
{
    return call_fail(p->r, E(BAD_FIELD),
                     "%s: the key is masked, and no linked hub has this HostName and SharedAccessKeyName.",
                     member(p, name));
}

static err_t plan_string(struct planned *p, const struct stored_links *s, const struct connection_string *in)
{
    struct link_key c = {.member = "connectionString"};
    if (in->masked) {
        if (!p->stored || !str_same_nocase(p->stored->key_name, in->key_name))
            return refuse_masked(p, c.member);
        keep_stored(p);
        return NULL;
    }
    if (p->stored)
        c.key_name = p->stored->key_name, c.sealed = p->stored->primary_sealed;
    TRY(plan_key(p, s->id_scope, in, &c));
    p->row.key_name = c.key_name;
    p->row.primary_sealed = c.sealed;
    return NULL;
}

/* The second credential as the body of a link tells it: one that it does not tell, the link has no more. */
static err_t plan_second(struct planned *p, const struct stored_links *s, struct str text)
{
    static const char name[] = "secondaryConnectionString";
    struct connection_string in = {0};
    struct link_key c = {.second = true, .key_name = p->row.secondary_key_name, .sealed = p->row.secondary_sealed};
    if (text.n) {
        TRY(parse_string(p, name, text, &in));
        if (p->row.hub_key.p)
            return call_fail(p->r, E(BAD_FIELD), "%s: a link by hubResourceId has the keys of the hub's policy.",
                             member(p, name));
        if (!str_same_nocase(in.host, p->row.host))
            return call_fail(p->r, E(BAD_FIELD), "%s: HostName must be that of the link, %.*s.", member(p, name),
                             STR_ARG(p->row.host));
        if (in.masked)
            return c.sealed.p && str_same_nocase(c.key_name, in.key_name) ? NULL : refuse_masked(p, name);
        TRY(plan_key(p, s->id_scope, &in, &c));
    } else {
        p->changed |= c.sealed.p != NULL;
        c = (struct link_key){0};
    }
    p->row.secondary_key_name = c.key_name;
    p->row.secondary_sealed = c.sealed;
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
    TRY(parse_string(p, "connectionString", p->in->connection_string, &c));
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

/* Who links a hub by its id uses its keys. */
static err_t check_keys(struct planned *p, const struct find *hub)
{
    struct arena *a = p->r->arena;
    struct str id = arm_resource_id(a, &hub->at.subscription_id, hub->at.group_key, HUB_TYPE, hub->name_key);
    if (roles_manage(p->r->client, arena_lower(a, id), ROLE_CONTRIBUTOR))
        return NULL;
    return call_fail(p->r, E(FORBIDDEN), "%s: the client may not list the keys of this hub.",
                     member(p, "hubResourceId"));
}

static err_t plan_resource(struct planned *p, const struct stored_links *s)
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
    p->default_location = target.location;
    if (same_hub && str_same_nocase(policy, p->stored->key_name)) {
        keep_stored(p);
        return NULL;
    }
    TRY(check_rights(p, &target, policy));
    TRY(check_keys(p, &hub));
    p->changed = true;
    p->row.hub_key = hub.name_key;
    p->row.key_name = target.key_name;
    return NULL;
}

/* --- the whole array ---------------------------------------------------------------------------------------------- */

static err_t plan_credential(struct planned *p, const struct stored_links *s)
{
    struct connection_string c = {0};
    if (p->in->hub_resource_id.n)
        return plan_resource(p, s);
    if (!p->in->connection_string.n)
        return call_fail(p->r, E(BAD_FIELD), "%s is required, or hubResourceId.", member(p, "connectionString"));
    TRY(parse_string(p, "connectionString", p->in->connection_string, &c));
    p->stored = find_stored(s, c.host);
    p->row.host_name = c.host;
    return plan_string(p, s, &c);
}

static err_t plan_location(struct planned *p)
{
    struct str given = p->in->location.n ? p->in->location : p->stored ? p->stored->location : p->default_location;
    if (!given.n)
        return call_fail(p->r, E(BAD_FIELD), "%s is required: the region of the hub.", member(p, "location"));
    return arm_location(p->r, member(p, "location"), given, &p->row.location);
}

static err_t plan_entry(struct planned *p, const struct stored_links *s)
{
    if (p->in->authentication_type.n && !str_same_nocase(p->in->authentication_type, STR("KeyBased")))
        return call_fail(p->r, E(BAD_FIELD), "%s must be KeyBased; identities come in a later version.",
                         member(p, "authenticationType"));
    TRY(plan_credential(p, s));
    TRY(plan_location(p));
    keep_second(p);
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

/* Would anybody, to whom it is shown at that place of the array? */
static bool differs(const struct planned *p, const struct stored_links *s, size_t place)
{
    const struct linked_row *old = p->stored, *new = &p->row;
    return p->changed || !old || (size_t)(old - s->at) != place || old->weight != new->weight ||
           old->apply != new->apply || !str_same(old->host_name, new->host_name) ||
           !str_same(old->location, new->location);
}

static void add_row(const struct planned *p, const struct stored_links *s, struct link_plan *plan)
{
    plan->differs |= differs(p, s, plan->count);
    plan->inputs_changed |= inputs_differ(p->stored, &p->row);
    plan->rows[plan->count++] = p->row;
    if (p->changed)
        plan->changed[plan->changed_count++] = p->row.host;
}

static err_t add_entry(struct planned *p, const struct stored_links *s, struct link_plan *plan)
{
    TRY(plan_entry(p, s));
    for (size_t i = 0; i < plan->count; i++)
        if (str_same(plan->rows[i].host, p->row.host))
            return call_fail(p->r, E(BAD_FIELD), "%s: the hub %.*s stands twice.", p->at, STR_ARG(p->row.host));
    add_row(p, s, plan);
    return NULL;
}

static struct link_plan new_plan(struct arena *a, const struct stored_links *s, size_t most)
{
    return (struct link_plan){.rows = ARENA_NEW_ARRAY(a, most, struct linked_row),
                              .changed = ARENA_NEW_ARRAY(a, most, struct str),
                              .gone = ARENA_NEW_ARRAY(a, s->n, struct str)};
}

static bool is_planned(const struct link_plan *plan, struct str host)
{
    for (size_t i = 0; i < plan->count; i++)
        if (str_same(plan->rows[i].host, host))
            return true;
    return false;
}

static void note_gone(const struct stored_links *s, struct link_plan *plan)
{
    for (size_t i = 0; s->at && i < s->n; i++)
        if (!is_planned(plan, s->at[i].host))
            plan->gone[plan->gone_count++] = s->at[i].host;
}

static err_t load(struct call *r, struct db *db, struct str id_scope, struct stored_links *ret)
{
    ret->id_scope = id_scope;
    return db_linked_find(db, r->arena, &r->client->tenant_id, &id_scope, 1, (struct str){NULL, 0}, &ret->at, &ret->n);
}

err_t links_plan(struct call *r, struct db *db, struct str id_scope, const struct obj_list *entries,
                 struct link_plan *ret)
{
    struct stored_links s;
    TRY(load(r, db, id_scope, &s));
    *ret = new_plan(r->arena, &s, entries->n);
    ret->differs = ret->inputs_changed = entries->n != s.n;
    for (size_t i = 0; i < entries->n; i++) {
        struct planned p = {.r = r,
                            .db = db,
                            .at = arena_printf(r->arena, "properties.iotHubs[%zu]", i).p,
                            .in = (const struct link_entry *)entries->at + i};
        TRY(add_entry(&p, &s, ret));
    }
    note_gone(&s, ret);
    return NULL;
}

/* --- one link ----------------------------------------------------------------------------------------------------- */

static err_t plan_body(struct planned *p, const struct stored_links *s, struct str host, struct str second)
{
    TRY(plan_entry(p, s));
    if (!str_same_nocase(p->row.host, host))
        return call_fail(p->r, E(BAD_FIELD), "%s: the hub is %.*s, and the path names another one.",
                         member(p, p->in->hub_resource_id.n ? "hubResourceId" : "connectionString"),
                         STR_ARG(p->row.host));
    return plan_second(p, s, second);
}

/* The others as they are, and this one in its place, or behind them. */
static void replace(const struct stored_links *s, const struct planned *p, struct link_plan *plan)
{
    bool there = false;
    for (size_t i = 0; i < s->n; i++) {
        there |= p->stored == &s->at[i];
        if (p->stored == &s->at[i])
            add_row(p, s, plan);
        else
            plan->rows[plan->count++] = s->at[i];
    }
    if (!there)
        add_row(p, s, plan);
}

err_t links_plan_one(struct call *r, struct db *db, const struct link_body *body, struct link_plan *ret)
{
    struct stored_links s;
    struct planned p = {
        .r = r, .db = db, .at = "properties", .in = &body->entry, .default_location = body->default_location};
    TRY(load(r, db, body->id_scope, &s));
    const struct linked_row *stored = find_stored(&s, body->host);
    TRY(arm_check_match(r, stored ? &stored->etag : NULL));
    TRY(plan_body(&p, &s, body->host, body->secondary));
    if (!stored && s.n >= LINKS_MOST)
        return call_fail(r, E(QUOTA_EXCEEDED), "The instance links %d hubs, as many as it may.", LINKS_MOST);
    *ret = new_plan(r->arena, &s, s.n + 1);
    ret->there = stored != NULL;
    replace(&s, &p, ret);
    return NULL;
}

err_t links_plan_without(struct call *r, struct db *db, struct str id_scope, struct str host, struct link_plan *ret)
{
    struct stored_links s;
    TRY(load(r, db, id_scope, &s));
    const struct linked_row *stored = find_stored(&s, host);
    *ret = new_plan(r->arena, &s, s.n);
    ret->differs = ret->inputs_changed = ret->there = stored != NULL;
    if (stored || arm_if_match(r).p)
        TRY(arm_check_match(r, stored ? &stored->etag : NULL));
    for (size_t i = 0; i < s.n; i++)
        if (stored != &s.at[i])
            ret->rows[ret->count++] = s.at[i];
    note_gone(&s, ret);
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* A tenant's links cost the workers' time, which all tenants share. Asked behind what is written, so that of two writes
 * at the same time one counts what the other wrote. What was there before the bound was lowered stays. */
static err_t check_count(struct call *r, struct db *db)
{
    struct tenant_holds holds;
    const struct place all = {.tenant_id = r->client->tenant_id};
    TRY(db_tenant_holds(db, r->arena, &all, &holds));
    if (holds.links <= r->cfg->links_max)
        return NULL;
    return call_fail(r, E(QUOTA_EXCEEDED), "A tenant's instances link at most %lld hubs together.",
                     (long long)r->cfg->links_max);
}

err_t links_write(struct call *r, struct db *db, struct str id_scope, const struct link_plan *plan)
{
    if (!plan->differs)
        return NULL;
    TRY(db_linked_put(db, r->arena, &r->client->tenant_id, id_scope, plan->rows, plan->count));
    if (!plan->changed_count)
        return NULL;
    TRY(db_linked_jobs(db, r->arena, id_scope, AHEAD_first_probe_MS, plan->changed, plan->changed_count));
    return check_count(r, db);
}

/* Counted when the links are gone, since none that names them is written from then on. The write stands, so what
 * cannot be counted is not told and fails nothing. */
void links_tell_named(struct call *r, struct str id_scope, const struct link_plan *plan)
{
    int64_t enrollments;
    if (!plan->gone_count || db_linked_named_count(r->db, r->arena, &r->client->tenant_id, id_scope, plan->gone,
                                                   plan->gone_count, &enrollments))
        return;
    call_header(r, "x-idscope-enrollments", arena_printf(r->arena, "%lld", (long long)enrollments));
}

/* --- shown -------------------------------------------------------------------------------------------------------- */

static struct str masked(struct arena *a, struct str host_name, struct str key_name)
{
    return arena_printf(a, "HostName=%.*s;SharedAccessKeyName=%.*s;SharedAccessKey=****", STR_ARG(host_name),
                        STR_ARG(key_name));
}

struct str links_second(struct call *r, const struct linked_row *l)
{
    return l->secondary_sealed.p ? masked(r->arena, l->host_name, l->secondary_key_name) : (struct str){NULL, 0};
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
        .connection_string = masked(a, l->host_name, l->key_name),
    };
    if (l->hub_key.p)
        e.access_policy = l->key_name;
    if (l->hub_name.p)
        e.hub_resource_id =
            arm_resource_id(a, &l->hub_subscription, l->hub_group, "Microsoft.Devices/IotHubs", l->hub_name);
    return e;
}
