/* hub.c: built-in hubs as resources of the management plane (wire.md 2): made, listed, their keys shown, deleted.
 * Their devices are hub_device.c's. */
#include "api/op/arm.h"
#include "api/op/hub_messages.h"
#include "api/op/later.h"
#include "api/op/op.h"
#include "api/op/policy.h"
#include "api/op/resource.h"
#include "api/op/resource_codec.h"
#include "api/op/tags.h"
#include "api/shared.h"
#include "core/word.h"
#include "db/hub.h"

/* --- on the wire -------------------------------------------------------------------------------------------------- */

struct hub_properties {
    struct common_properties common;
    struct event_hubs *event_hubs;                                       /* in */
    struct str network_rule_sets;                                        /* JSON; in */
    enum tri disable_local_auth, disable_device_sas, disable_module_sas; /* in */
    struct str host_name, locations;                                     /* out */
};

#define P_ struct hub_properties
static const struct codec properties_codec[] = {
    STATE_ROWS(P_),
    CODEC_TEXT(P_, host_name, "hostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(P_, locations, "locations", RESOURCE_JSON_MAX, CODEC_OUT),
    ACCESS_ROWS(P_),
    CODEC_OBJECT(P_, event_hubs, "eventHubEndpoints", event_hubs_codec, struct event_hubs, CODEC_IN),
    CODEC_JSON(P_, network_rule_sets, "networkRuleSets", RESOURCE_JSON_MAX, CODEC_IN),
    CODEC_BOOL(P_, disable_local_auth, "disableLocalAuth", CODEC_IN),
    CODEC_BOOL(P_, disable_device_sas, "disableDeviceSAS", CODEC_IN),
    CODEC_BOOL(P_, disable_module_sas, "disableModuleSAS", CODEC_IN),
    CODEC_END,
};
#undef P_

static const struct codec sku_codec[] = {SKU_ROWS(HUB_CAPACITY_LEAST, HUB_CAPACITY_MOST)};
static const struct codec resource_codec[] = {SERVICE_ROWS(sku_codec, properties_codec, struct hub_properties)};

/* The SKU as we spell it; one without a name: there is none. */
static struct sku find_sku(struct str name)
{
    static const struct str tiers[] = {['F'] = STR("Free"), ['S'] = STR("Standard"), ['B'] = STR("Basic")};
    struct sku sku = {.name = word_text(hub_sku_words, word_number_nocase(hub_sku_words, name))};
    if (sku.name.p)
        sku.tier = tiers[(unsigned char)sku.name.p[0]];
    return sku;
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

static void write_row(struct call *r, const struct resource_kind *k, const void *row, struct text *out)
{
    const struct hub_row *h = row;
    const struct hub_properties properties = {
        .common = resource_common(r, &h->is),
        .host_name = id_hub_host(r->arena, h->is.name, r->cfg->domain),
        .locations = arena_printf(r->arena, "[{\"location\":\"%.*s\",\"role\":\"primary\"}]", STR_ARG(h->is.location)),
    };
    struct sku sku = find_sku(h->sku_name);
    sku.capacity = (struct opt_i64){true, h->sku_capacity};
    resource_write(r, k, &h->is, &sku, &properties, out);
}

static err_t find_rows(struct call *r, const struct find *f, struct resource_page *ret)
{
    struct hub_row *rows;
    TRY(db_hub_find(r->db, r->arena, f, &ret->place, &rows, &ret->count, &ret->more));
    ret->rows = rows;
    return NULL;
}

static err_t find_policies(struct call *r, const struct find *f, struct str key_name_key, struct resource_policies *ret)
{
    ret->owner = policy_owner_hub(f->name_key);
    return db_hub_policies(r->db, r->arena, f, key_name_key, &ret->place, &ret->there, &ret->rows, &ret->count);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static err_t check_properties(struct call *r, const struct hub_properties *p)
{
    TRY(later_json(r, "properties.privateEndpointConnections", p->common.private_endpoint_connections, STR("[]")));
    TRY(later_json(r, "properties.networkRuleSets", p->network_rule_sets, STR("{}")));
    TRY(later_flag(r, "properties.disableLocalAuth", p->disable_local_auth));
    TRY(later_flag(r, "properties.disableDeviceSAS", p->disable_device_sas));
    return later_flag(r, "properties.disableModuleSAS", p->disable_module_sas);
}

static err_t check_sku(struct call *r, const struct sku *given, struct hub_row *to)
{
    to->sku_name = find_sku(given->name).name;
    if (!to->sku_name.p)
        return call_fail(r, E(BAD_FIELD), "sku.name must be one of %s.", word_list(r->arena, hub_sku_words).p);
    to->sku_capacity = given->capacity.set ? given->capacity.n : HUB_CAPACITY_LEAST;
    return NULL;
}

static err_t check(struct resource_put *p)
{
    struct hub_row *row = p->row = ARENA_NEW(p->r->arena, struct hub_row);
    const struct hub_properties *sent = p->body.properties_in;
    TRY(hub_messages(p->r->arena, p->target.find.name_key, sent->event_hubs, p->stored.properties,
                     &p->stored.properties));
    row->is = p->stored;
    TRY(check_sku(p->r, p->body.sku, row));
    return check_properties(p->r, sent);
}

static err_t lock(struct db *db, struct resource_put *p, struct resource_locked *ret)
{
    const struct hub_row *row = p->row;
    struct hub_locked old = {0};
    TRY(db_hub_lock(db, p->r->arena, &p->target.find, &old));
    *ret = (struct resource_locked){
        .there = old.hub_id != 0,
        .etag = old.etag,
        .location = old.location,
        .tags = old.tags,
        .properties = old.properties,
        .network = old.network,
        .differs = old.sku_capacity != row->sku_capacity || !str_same(old.sku_name, row->sku_name),
    };
    return NULL;
}

static err_t insert(struct db *db, struct resource_put *p)
{
    return db_hub_insert(db, p->r->arena, &p->target.find, p->row);
}

static err_t update(struct db *db, struct resource_put *p)
{
    return db_hub_update(db, p->r->arena, &p->target.find, p->row, p->changed);
}

static struct policy_owner owner(const struct resource_put *p)
{
    return policy_owner_hub(p->target.find.name_key);
}

static err_t put_policies(struct db *db, struct resource_put *p, const struct policy_row *rows, size_t count)
{
    TRY(db_hub_policy_put(db, p->r->arena, &p->target.find, rows, count));
    return db_hub_links_recheck(db, p->r->arena, &p->target.find);
}

static void forget(const struct resource_put *p)
{
    gate_forget_hub(p->r->shared->gate, p->target.find.name_key);
}

static err_t erase(struct call *r, const struct find *f, struct str etag, struct place_found *ret_found, bool *ret_gone)
{
    struct str host_tail = id_hub_host(r->arena, STR(""), r->cfg->domain);
    TRY(db_hub_delete(r->db, r->arena, f, etag, host_tail, ret_found, ret_gone));
    gate_forget_hub(r->shared->gate, f->name_key);
    return NULL;
}

/* wire.md 2 */
struct sku_capacity {
    struct opt_i64 minimum, maximum, initial;
    struct str scale_type;
};
struct sku_offer {
    struct str resource_type;
    struct sku *sku;
    struct sku_capacity *capacity;
};
static const struct codec capacity_codec[] = {
    CODEC_I64(struct sku_capacity, minimum, "minimum", 0, 0, CODEC_OUT),
    CODEC_I64(struct sku_capacity, maximum, "maximum", 0, 0, CODEC_OUT),
    CODEC_I64(struct sku_capacity, initial, "default", 0, 0, CODEC_OUT),
    CODEC_TEXT(struct sku_capacity, scale_type, "scaleType", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
static const struct codec offer_codec[] = {
    CODEC_TEXT(struct sku_offer, resource_type, "resourceType", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECT(struct sku_offer, sku, "sku", sku_codec, struct sku, CODEC_OUT),
    CODEC_OBJECT(struct sku_offer, capacity, "capacity", capacity_codec, struct sku_capacity, CODEC_OUT),
    CODEC_END,
};

static void write_skus(struct call *r, struct text *out)
{
    struct sku_capacity capacity = {
        {true, HUB_CAPACITY_LEAST}, {true, HUB_CAPACITY_MOST}, {true, HUB_CAPACITY_LEAST}, STR("Manual")};
    (void)r;
    text_add_char(out, '[');
    for (int i = 1; word_text(hub_sku_words, i).p; i++) {
        struct sku sku = find_sku(word_text(hub_sku_words, i));
        const struct sku_offer offer = {STR(HUB_TYPE), &sku, &capacity};
        arm_list_item(out);
        codec_encode(out, offer_codec, &offer);
    }
    text_add_char(out, ']');
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

static const struct resource_keys keys = {
    .find = find_policies,
    .owner = owner,
    .defaults = default_policies,
    .default_count = sizeof default_policies / sizeof *default_policies,
    .put = put_policies,
};

static const struct resource_kind hub_kind = {
    .noun = "hub",
    .article = "a",
    .type = HUB_TYPE,
    .global_names = true,
    .keys = &keys,
    .row_size = sizeof(struct hub_row),
    .find = find_rows,
    .write = write_row,
    .codec = resource_codec,
    .properties_codec = properties_codec,
    .properties_size = sizeof(struct hub_properties),
    .check = check,
    .lock = lock,
    .insert = insert,
    .update = update,
    .retag = db_hub_retag,
    .write_skus = write_skus,
    .forget = forget,
    .erase = erase,
};

RESOURCE_OPS(hub, hub_kind)
RESOURCE_KEYS_OPS(hub, hub_kind)
RESOURCE_SERVICE_OPS(hub, hub_kind)
static const struct tags_owner tags_owner = RESOURCE_TAGS(hub_kind);
TAGS_OPS(hub, tags_owner)
