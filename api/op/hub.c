/* hub.c: built-in hubs as resources of the management plane (wire.md 2): made, listed, their keys shown, deleted.
 * Their devices are hub_device.c's. */
#include "api/op/arm.h"
#include "api/op/later.h"
#include "api/op/op.h"
#include "api/op/policy.h"
#include "api/op/resource.h"
#include "api/op/resource_codec.h"
#include "api/shared.h"
#include "db/hub.h"

static const char type_name[] = "IotHubs";
enum { CAPACITY_LEAST = 1, CAPACITY_MOST = 200 };

static const struct {
    struct str name, tier;
} skus[] = {{STR("F1"), STR("Free")},     {STR("S1"), STR("Standard")}, {STR("S2"), STR("Standard")},
            {STR("S3"), STR("Standard")}, {STR("B1"), STR("Basic")},    {STR("B2"), STR("Basic")},
            {STR("B3"), STR("Basic")}};

static bool find_sku(struct str name, struct sku *ret)
{
    for (size_t i = 0; i < sizeof skus / sizeof *skus; i++)
        if (str_same_nocase(name, skus[i].name)) {
            ret->name = skus[i].name;
            ret->tier = skus[i].tier;
            return true;
        }
    return false;
}

/* What a new hub has, in the order in which the service lists them. */
static const struct policy default_policies[] = {
    {.key_name = STR("iothubowner"), .rights = STR("RegistryWrite, ServiceConnect, DeviceConnect")},
    {.key_name = STR("service"), .rights = STR("ServiceConnect")},
    {.key_name = STR("device"), .rights = STR("DeviceConnect")},
    {.key_name = STR("registryRead"), .rights = STR("RegistryRead")},
    {.key_name = STR("registryReadWrite"), .rights = STR("RegistryWrite")},
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void write_hub(struct call *r, const struct hub_row *h, struct text *out)
{
    struct str location =
        arena_printf(r->arena, "[{\"location\":\"%.*s\",\"role\":\"primary\"}]", STR_ARG(h->location));
    struct hub_properties properties = {
        .state = STR("Active"),
        .provisioning_state = STR("Succeeded"),
        .host_name = id_hub_host(r->arena, h->name, r->cfg->domain),
        .locations = location,
        .public_network_access = STR("Enabled"),
    };
    struct sku sku = {.capacity = {true, h->sku_capacity}};
    find_sku(h->sku_name, &sku);
    struct resource res = {
        .id = arm_resource_id(r->arena, &h->subscription_id, h->group, type_name, h->name),
        .name = h->name,
        .type = STR("Microsoft.Devices/IotHubs"),
        .location = h->location,
        .resource_group = h->group,
        .subscription_id = enc_uuid(r->arena, &h->subscription_id),
        .etag = arm_etag(r->arena, &h->etag),
        .tags = h->tags,
        .sku = &sku,
        .properties = resource_join(r->arena, hub_properties_codec, &properties, h->properties),
    };
    codec_encode(out, hub_resource_codec, &res);
}

static void write_row(struct call *r, const void *rows, size_t i, struct text *out)
{
    write_hub(r, (const struct hub_row *)rows + i, out);
}

static err_t find_rows(struct call *r, const struct find *f, struct resource_page *ret)
{
    struct hub_row *rows;
    TRY(db_hub_find(r->db, r->arena, f, &ret->place, &rows, &ret->count, &ret->more));
    ret->rows = rows;
    if (ret->count)
        ret->last_name = rows[ret->count - 1].name;
    return NULL;
}

static err_t find_policies(struct call *r, const struct find *f, struct str key_name_key, struct resource_policies *ret)
{
    ret->owner = policy_owner_hub(f->name_key);
    return db_hub_policies(r->db, r->arena, f, key_name_key, &ret->place, &ret->there, &ret->rows, &ret->count);
}

static const struct resource_kind hub_kind = {"hub", find_rows, write_row, find_policies};

err_t op_hub_get(struct call *r)
{
    return resource_get(r, &hub_kind);
}

err_t op_hub_list_subscription(struct call *r)
{
    return resource_list_subscription(r, &hub_kind);
}

err_t op_hub_list_group(struct call *r)
{
    return resource_list_group(r, &hub_kind);
}

err_t op_hub_list_keys(struct call *r)
{
    return resource_list_keys(r, &hub_kind);
}

err_t op_hub_list_keys_of(struct call *r)
{
    return resource_list_keys_of(r, &hub_kind);
}

err_t op_hub_delete(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    struct str etag = arm_delete_match(r);
    bool gone;
    TRY(arm_resource(r, &t));
    TRY(db_hub_delete(r->db, r->arena, &t.find, etag, id_hub_host(r->arena, STR(""), r->cfg->domain), &found, &gone));
    TRY(arm_check_place(&t, &found));
    if (!gone && etag.p)
        return E(PRECONDITION_FAILED);
    gate_forget_hub(r->shared->gate, t.find.name_key);
    return call_reply_empty(r, 204);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct hub_put {
    struct call *r;
    struct arm_target target;
    struct hub_properties *properties;
    struct hub_row row;
    bool created;
};

static err_t check_properties(struct call *r, const struct hub_properties *p)
{
    TRY(later_network(r, p->public_network_access, p->ip_filter_rules, p->private_endpoint_connections));
    TRY(later_list(r, "properties.networkRuleSets", p->network_rule_sets));
    TRY(later_flag(r, "properties.disableLocalAuth", p->disable_local_auth));
    TRY(later_flag(r, "properties.disableDeviceSAS", p->disable_device_sas));
    return later_flag(r, "properties.disableModuleSAS", p->disable_module_sas);
}

static err_t check_sku(struct call *r, const struct sku *given, struct hub_row *to)
{
    struct sku sku;
    if (!find_sku(given->name, &sku))
        return call_fail(r, E(BAD_FIELD), "sku.name must be one of F1, S1, S2, S3, B1, B2, B3.");
    to->sku_name = sku.name;
    to->sku_capacity = given->capacity.set ? given->capacity.n : CAPACITY_LEAST;
    if (to->sku_capacity < CAPACITY_LEAST || to->sku_capacity > CAPACITY_MOST)
        return call_fail(r, E(BAD_FIELD), "sku.capacity must be a whole number from %d to %d.", CAPACITY_LEAST,
                         CAPACITY_MOST);
    return NULL;
}

static err_t read_body(struct call *r, struct hub_put *p)
{
    json_auto_t *body = NULL;
    struct resource res = {0};
    TRY(json_read(r->body, &r->detail, &body));
    TRY(codec_decode(r->arena, hub_resource_codec, CODEC_NO_CASE, (struct json_in){body, r->body}, &res, &r->detail));
    p->properties = res.hub ? res.hub : ARENA_NEW(r->arena, struct hub_properties);
    p->row.name = p->target.name;
    TRY(arm_location(r, "location", res.location, &p->row.location));
    TRY(arm_tags(r, res.tags, &p->row.tags));
    TRY(check_sku(r, res.sku, &p->row));
    TRY(later_identity(r, res.identity));
    TRY(check_properties(r, p->properties));
    return resource_extra(r->arena, hub_properties_codec, (struct json_in){body, r->body}, &r->detail,
                          &p->row.properties);
}

static err_t put_policies(struct db *db, struct hub_put *p, const struct policy *at, size_t count)
{
    struct policy_row *rows;
    struct policy_owner owner = policy_owner_hub(p->target.find.name_key);
    TRY(policy_rows(p->r, &owner, at, count, &rows));
    TRY(db_hub_policy_put(db, p->r->arena, &p->target.find, rows, count));
    return db_hub_links_recheck(db, p->r->arena, &p->target.find);
}

static err_t create(struct db *db, struct hub_put *p)
{
    struct place_found found;
    bool there, free;
    p->created = true;
    TRY(arm_check_match(p->r, NULL));
    TRY(db_group_hold(db, p->r->arena, &p->target.at, &there));
    if (!there) {
        TRY(db_place(db, p->r->arena, &p->target.at, &found));
        return found.subscription ? E(RESOURCE_GROUP_NOT_FOUND) : E(SUBSCRIPTION_NOT_FOUND);
    }
    TRY(db_hub_insert(db, p->r->arena, &p->target.find, &p->row));
    TRY(db_name_take(db, p->r->arena, "hub", p->target.find.name_key, &free));
    if (!free)
        return E(UNIQUE_VIOLATION);
    if (p->properties->authorization_policies.set)
        return NULL;
    return put_policies(db, p, default_policies, sizeof default_policies / sizeof *default_policies);
}

static err_t change(struct db *db, struct hub_put *p, const struct hub_locked *old)
{
    p->created = false;
    TRY(arm_check_match(p->r, &old->etag));
    if (!str_same(old->location, p->row.location))
        return call_fail(p->r, E(LOCATION_CONFLICT), "location: the hub is in %.*s; its location cannot change.",
                         STR_ARG(old->location));
    return db_hub_update(db, p->r->arena, &p->target.find, &p->row);
}

static err_t put_work(struct db *db, void *context)
{
    struct hub_put *p = context;
    struct hub_locked old;
    const struct obj_list *policies = &p->properties->authorization_policies;
    TRY(db_hub_lock(db, p->r->arena, &p->target.find, &old));
    TRY(old.hub_id ? change(db, p, &old) : create(db, p));
    return policies->set ? put_policies(db, p, policies->at, policies->n) : NULL;
}

err_t op_hub_put(struct call *r)
{
    struct hub_put p = {.r = r};
    TRY(arm_resource(r, &p.target));
    TRY(arm_check_new_name(r, "a hub", p.target.name));
    TRY(read_body(r, &p));
    err_t e = db_tx(r->db, put_work, &p);
    if (e == E(UNIQUE_VIOLATION)) /* taken; or a twin of this request was faster, then it is there now */
        e = db_tx(r->db, put_work, &p);
    gate_forget_hub(r->shared->gate, p.target.find.name_key);
    if (e == E(UNIQUE_VIOLATION))
        return call_fail(r, E(NAME_TAKEN), "name: %.*s is taken; hub names are unique across all tenants.",
                         STR_ARG(p.target.name));
    TRY(e);
    return resource_reply(r, &hub_kind, p.created ? 201 : 200, &p.target);
}
