/* instance.c: provisioning service instances as resources of the management plane (wire.md 1): made, configured,
 * listed, their keys shown, deleted. What an array of linked hubs means is links.c's. */
#include "db/instance.h"

#include "api/op/instance.h"
#include "api/op/arm.h"
#include "api/op/later.h"
#include "api/op/links.h"
#include "api/op/op.h"
#include "api/op/policy.h"
#include "api/op/resource.h"
#include "api/op/tags.h"
#include "api/rates.h"
#include "api/shared.h"

enum { SCOPE_TRIES = 8 };

/* --- on the wire -------------------------------------------------------------------------------------------------- */

/* Members of our own (decisions.md 31). `idScope` in another case is the ID scope that clients send back. */
struct instance_ours {
    int existing_device; /* enum existing_device */
};
static const struct codec ours_codec[] = {
    CODEC_WORD(struct instance_ours, existing_device, "existingDevice", existing_device_words, 0),
    CODEC_END,
};

struct instance_properties {
    struct common_properties common;
    struct obj_list iot_hubs;                       /* struct link_entry */
    int allocation_policy;                          /* enum allocation_policy */
    struct str id_scope, service_host, device_host; /* out */
    struct instance_ours *ours;
};

#define P_ struct instance_properties
static const struct codec properties_codec[] = {
    STATE_ROWS(P_),
    CODEC_WORD(P_, allocation_policy, "allocationPolicy", instance_policy_words, 0),
    ACCESS_ROWS(P_),
    CODEC_OBJECTS(P_, iot_hubs, "iotHubs", link_entry_codec, struct link_entry, LINKS_MOST, 0),
    CODEC_TEXT(P_, service_host, "serviceOperationsHostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, device_host, "deviceProvisioningHostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, id_scope, "idScope", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECT(P_, ours, "idscope", ours_codec, struct instance_ours, CODEC_EXACT),
    CODEC_END,
};
#undef P_

static const struct codec sku_codec[] = {SKU_ROWS(INSTANCE_CAPACITY_LEAST, INSTANCE_CAPACITY_MOST)};
static const struct codec resource_codec[] = {SERVICE_ROWS(sku_codec, properties_codec, struct instance_properties)};

/* The provider's own error shape. */
struct devices_error {
    struct opt_i64 code;
    struct str http_status_code, message;
};
static const struct codec devices_error_codec[] = {
    CODEC_I64(struct devices_error, code, "code", 0, INT32_MAX, CODEC_OUT),
    CODEC_TEXT(struct devices_error, http_status_code, "httpStatusCode", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct devices_error, message, "message", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_END,
};

static const struct policy default_policy = {.key_name = STR(FIRST_POLICY_NAME), .rights = STR(FIRST_POLICY_RIGHTS)};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct obj_list write_links(struct call *r, const struct instance_row *i)
{
    struct link_entry *entries = ARENA_NEW_ARRAY(r->arena, i->link_count, struct link_entry);
    for (size_t n = 0; n < i->link_count; n++)
        entries[n] = links_entry(r, &i->links[n]);
    return (struct obj_list){entries, i->link_count, true};
}

static void write_row(struct call *r, const struct resource_kind *k, const void *row, struct text *out)
{
    const struct instance_row *i = row;
    struct instance_ours ours = {i->existing_device};
    const struct instance_properties properties = {
        .common = resource_common(r, &i->is),
        .allocation_policy = i->allocation_policy,
        .iot_hubs = write_links(r, i),
        .service_host = id_service_host(r->arena, i->is.name, r->cfg->domain),
        .device_host = id_device_host(r->arena, r->cfg->domain),
        .id_scope = i->id_scope_text,
        .ours = r->options.extensions ? &ours : NULL,
    };
    struct sku sku = {STR("S1"), STR("Standard"), {true, i->sku_capacity}};
    resource_write(r, k, &i->is, &sku, &properties, out);
}

static err_t find_rows(struct call *r, const struct find *f, struct resource_page *ret)
{
    struct instance_row *rows;
    TRY(db_instance_find(r->db, r->arena, f, &ret->place, &rows, &ret->count, &ret->more));
    ret->rows = rows;
    return NULL;
}

static err_t find_policies(struct call *r, const struct find *f, struct str key_name_key, struct resource_policies *ret)
{
    struct str id_scope;
    TRY(db_instance_policies(r->db, r->arena, f, key_name_key, &ret->place, &id_scope, &ret->rows, &ret->count));
    ret->there = id_scope.p != NULL;
    ret->owner = policy_owner_instance(id_scope);
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* The row of a PUT. */
struct instance_put {
    struct instance_row row;
    bool inputs_changed; /* something that allocation depends on */
    struct link_plan links;
};

static const struct instance_properties *properties_of(const struct resource_put *p)
{
    return p->body.properties_in;
}

/* The one refusal in the provider's own shape (wire.md 1.2). */
static err_t refuse_sku(struct call *r)
{
    static const struct str sentence =
        STR("sku.name must be S1: other SKUs are not allowed for a provisioning service.");
    struct devices_error e = {
        .code = {true, 400059},
        .http_status_code = STR("BadRequest"),
        .message = arena_printf(r->arena, "%.*s correlation identifier: %s, timestamp: %s, errorcode: IH400059.",
                                STR_ARG(sentence), r->tracking_id.p, enc_time_iso(r->arena, r->now_us).p),
    };
    call_refuse(r, NULL, "%.*s", STR_ARG(sentence));
    return call_reply_codec(r, 400, devices_error_codec, &e);
}

static err_t check(struct resource_put *p)
{
    const struct instance_properties *properties = properties_of(p);
    struct instance_put *put = p->row = ARENA_NEW(p->r->arena, struct instance_put);
    if (!str_same_nocase(p->body.sku->name, STR("S1")))
        return refuse_sku(p->r);
    put->row = (struct instance_row){
        .is = p->stored,
        .sku_capacity = p->body.sku->capacity.set ? p->body.sku->capacity.n : INSTANCE_CAPACITY_LEAST,
        .allocation_policy = properties->allocation_policy,
    };
    return later_json(p->r, "properties.privateEndpointConnections", properties->common.private_endpoint_connections,
                      STR("[]"));
}

/* Of a member of ours null is the default, and absent what it was. */
static int existing_device(const struct resource_put *p, int stored)
{
    json_auto_t *body = NULL;
    const struct instance_ours *sent = properties_of(p)->ours;
    if (sent && sent->existing_device)
        return sent->existing_device;
    if (!stored || json_read(p->r->body, NULL, &body))
        return EXISTING_ADOPT;
    const json_t *ours = json_object_get(resource_member(body, "properties"), "idscope");
    return json_is_null(ours) || json_is_null(resource_member(ours, "existingDevice")) ? EXISTING_ADOPT : stored;
}

/* Members that were not sent stay as they are. */
static err_t lock(struct db *db, struct resource_put *p, struct resource_locked *ret)
{
    struct instance_put *put = p->row;
    struct instance_locked old = {0};
    int sent = properties_of(p)->allocation_policy;
    TRY(db_instance_lock(db, p->r->arena, &p->target.find, &old));
    put->row.id_scope = old.id_scope;
    put->row.allocation_policy = sent ? sent : old.id_scope.p ? old.allocation_policy : POLICY_HASHED;
    put->row.existing_device = existing_device(p, old.existing_device);
    put->inputs_changed = put->row.allocation_policy != old.allocation_policy;
    *ret = (struct resource_locked){
        .there = old.id_scope.p != NULL,
        .etag = old.etag,
        .location = old.location,
        .tags = old.tags,
        .properties = old.properties,
        .network = old.network,
        .differs = put->inputs_changed || put->row.existing_device != old.existing_device ||
                   put->row.sku_capacity != old.sku_capacity,
    };
    return NULL;
}

static err_t insert(struct db *db, struct resource_put *p)
{
    struct instance_row *row = &((struct instance_put *)p->row)->row;
    for (int i = 0; i < SCOPE_TRIES; i++) {
        bool issued;
        row->id_scope_text = id_scope_new(p->r->arena);
        row->id_scope = arena_lower(p->r->arena, row->id_scope_text);
        TRY(db_instance_insert(db, p->r->arena, &p->target.find, row, &issued));
        if (issued)
            return NULL;
    }
    return E(CONFLICT);
}

static err_t update(struct db *db, struct resource_put *p)
{
    const struct instance_put *put = p->row;
    TRY(db_instance_update(db, p->r->arena, &p->target.find.at.tenant_id, &put->row, p->changed));
    return p->changed ? db_scope_touch(db, p->r->arena, put->row.id_scope, put->inputs_changed) : NULL;
}

static struct policy_owner owner(const struct resource_put *p)
{
    return policy_owner_instance(((const struct instance_put *)p->row)->row.id_scope);
}

static err_t put_policies(struct db *db, struct resource_put *p, const struct policy_row *rows, size_t count)
{
    const struct instance_put *put = p->row;
    return db_instance_policy_put(db, p->r->arena, &p->target.find.at.tenant_id, put->row.id_scope, rows, count);
}

static err_t put_links(struct db *db, struct resource_put *p)
{
    struct instance_put *put = p->row;
    struct str id_scope = put->row.id_scope;
    struct link_plan *plan = &put->links;
    TRY(links_plan(p->r, db, id_scope, &properties_of(p)->iot_hubs, plan));
    p->changed |= plan->differs;
    put->inputs_changed |= plan->inputs_changed;
    return links_write(p->r, db, id_scope, plan);
}

int64_t instances_most(const struct call *r, const struct tenant_holds *holds)
{
    struct quotas quotas = *r->shared->quotas;
    for (size_t i = 0; i < holds->limit_names.n; i++)
        quotas_set(&quotas, holds->limit_names.at[i], holds->limits.at[i]);
    return quotas.most[QUOTA_OF_INSTANCES];
}

static err_t check_subscription(struct call *r, const struct tenant_holds *holds)
{
    int64_t most = instances_most(r, holds);
    return most && holds->of_subscription > most ? rates_reached(r, E(QUOTA_EXCEEDED), QUOTA_OF_INSTANCES, most) : NULL;
}

/* Asked behind what is written, as links are counted (links.c). What was there before the bound was lowered stays. */
static err_t check_count(struct db *db, const struct resource_put *p)
{
    struct tenant_holds holds;
    TRY(db_tenant_holds(db, p->r->arena, &p->target.find.at, &holds));
    TRY(check_subscription(p->r, &holds));
    return holds.instances <= p->r->cfg->instances_max
               ? NULL
               : call_fail(p->r, E(QUOTA_EXCEEDED), "A tenant has at most %lld instances.",
                           (long long)p->r->cfg->instances_max);
}

static err_t children(struct db *db, struct resource_put *p)
{
    if (properties_of(p)->iot_hubs.set)
        TRY(put_links(db, p));
    return p->created ? check_count(db, p) : NULL;
}

static void forget(const struct resource_put *p)
{
    const struct instance_put *put = p->row;
    gate_forget_instance(p->r->shared->gate, put->row.id_scope, p->target.find.name_key);
}

static void tell(const struct resource_put *p)
{
    const struct instance_put *put = p->row;
    links_tell_named(p->r, put->row.id_scope, &put->links);
}

static err_t erase(struct call *r, const struct find *f, struct str etag, struct place_found *ret_found, bool *ret_gone)
{
    struct str id_scope;
    TRY(db_instance_delete(r->db, r->arena, f, etag, r->cfg->undelete_days * DAY_S, ret_found, &id_scope));
    *ret_gone = id_scope.p != NULL;
    gate_forget_instance(r->shared->gate, id_scope, f->name_key);
    return NULL;
}

static void write_skus(struct call *r, struct text *out)
{
    (void)r;
    text_add(out, STR("[{\"name\":\"S1\"}]"));
}

err_t instance_named(struct call *r, struct arm_target *ret_target, struct instance_row *ret)
{
    struct place_found found;
    struct instance_row *rows;
    size_t count;
    bool more;
    TRY(arm_resource(r, ret_target));
    TRY(db_instance_find(r->db, r->arena, &ret_target->find, &found, &rows, &count, &more));
    TRY(arm_check_place(ret_target, &found));
    if (!count)
        return E(RESOURCE_NOT_FOUND);
    *ret = rows[0];
    return NULL;
}

err_t instance_hold(struct call *r, struct db *db, const struct arm_target *t, struct instance_locked *ret)
{
    struct place_found found;
    TRY(db_instance_lock(db, r->arena, &t->find, ret));
    if (ret->id_scope.p)
        return NULL;
    TRY(db_place(db, r->arena, &t->find.at, &found));
    TRY(arm_check_place(t, &found));
    return E(RESOURCE_NOT_FOUND);
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

static const struct resource_keys keys = {
    .find = find_policies,
    .owner = owner,
    .defaults = &default_policy,
    .default_count = 1,
    .put = put_policies,
};

static const struct resource_kind instance_kind = {
    .noun = "instance",
    .article = "an",
    .type = INSTANCE_TYPE,
    .global_names = true,
    .keys = &keys,
    .row_size = sizeof(struct instance_row),
    .find = find_rows,
    .write = write_row,
    .codec = resource_codec,
    .properties_codec = properties_codec,
    .properties_size = sizeof(struct instance_properties),
    .check = check,
    .lock = lock,
    .insert = insert,
    .update = update,
    .retag = db_instance_retag,
    .write_skus = write_skus,
    .children = children,
    .forget = forget,
    .tell = tell,
    .erase = erase,
};

RESOURCE_OPS(instance, instance_kind)
RESOURCE_KEYS_OPS(instance, instance_kind)
RESOURCE_SERVICE_OPS(instance, instance_kind)
static const struct tags_owner tags_owner = RESOURCE_TAGS(instance_kind);
TAGS_OPS(instance, tags_owner)
