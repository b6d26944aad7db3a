/* instance.c: provisioning service instances as resources of the management plane (wire.md 1): made, configured,
 * listed, their keys shown, deleted. What an array of linked hubs means is links.c's. */
#include "db/instance.h"

#include "api/op/arm.h"
#include "api/op/later.h"
#include "api/op/links.h"
#include "api/op/op.h"
#include "api/op/policy.h"
#include "api/op/resource.h"
#include "api/shared.h"

static const char type_name[] = "ProvisioningServices";
enum { CAPACITY_LEAST = 1, CAPACITY_MOST = 1000, SCOPE_TRIES = 8 };

static const struct policy default_policy = {.key_name = STR("provisioningserviceowner"),
                                             .rights = STR("ServiceConfig, DeviceConnect, EnrollmentWrite")};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct obj_list write_links(struct call *r, const struct instance_row *i)
{
    struct link_entry *entries = ARENA_NEW_ARRAY(r->arena, i->link_count, struct link_entry);
    for (size_t n = 0; n < i->link_count; n++)
        entries[n] = links_entry(r, &i->links[n]);
    return (struct obj_list){entries, i->link_count, true};
}

static void write_instance(struct call *r, const struct instance_row *i, struct text *out)
{
    struct instance_properties properties = {
        .state = STR("Active"),
        .provisioning_state = STR("Succeeded"),
        .allocation_policy = i->allocation_policy,
        .public_network_access = STR("Enabled"),
        .iot_hubs = write_links(r, i),
        .service_host = id_service_host(r->arena, i->name, r->cfg->domain),
        .device_host = id_device_host(r->arena, r->cfg->domain),
        .id_scope = i->id_scope_text,
    };
    struct sku sku = {STR("S1"), STR("Standard"), {true, i->sku_capacity}};
    struct resource res = {
        .id = arm_resource_id(r->arena, &i->subscription_id, i->group, type_name, i->name),
        .name = i->name,
        .type = STR("Microsoft.Devices/ProvisioningServices"),
        .location = i->location,
        .resource_group = i->group,
        .subscription_id = enc_uuid(r->arena, &i->subscription_id),
        .etag = arm_etag(r->arena, &i->etag),
        .tags = i->tags,
        .sku = &sku,
        .properties = resource_join(r->arena, instance_properties_codec, &properties, i->properties),
    };
    codec_encode(out, instance_resource_codec, &res);
}

static void write_row(struct call *r, const void *rows, size_t i, struct text *out)
{
    write_instance(r, (const struct instance_row *)rows + i, out);
}

static err_t find_rows(struct call *r, const struct find *f, struct resource_page *ret)
{
    struct instance_row *rows;
    TRY(db_instance_find(r->db, r->arena, f, &ret->place, &rows, &ret->count, &ret->more));
    ret->rows = rows;
    if (ret->count)
        ret->last_name = rows[ret->count - 1].name;
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

static const struct resource_kind instance_kind = {"instance", find_rows, write_row, find_policies};

err_t op_instance_get(struct call *r)
{
    return resource_get(r, &instance_kind);
}

err_t op_instance_list_subscription(struct call *r)
{
    return resource_list_subscription(r, &instance_kind);
}

err_t op_instance_list_group(struct call *r)
{
    return resource_list_group(r, &instance_kind);
}

err_t op_instance_list_keys(struct call *r)
{
    return resource_list_keys(r, &instance_kind);
}

err_t op_instance_list_keys_of(struct call *r)
{
    return resource_list_keys_of(r, &instance_kind);
}

err_t op_instance_delete(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    struct str id_scope, etag = arm_delete_match(r);
    TRY(arm_resource(r, &t));
    TRY(db_instance_delete(r->db, r->arena, &t.find, etag, &found, &id_scope));
    TRY(arm_check_place(&t, &found));
    if (!id_scope.p && etag.p)
        return E(PRECONDITION_FAILED);
    gate_forget_instance(r->shared->gate, id_scope, t.find.name_key);
    return call_reply_empty(r, 204);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct instance_put {
    struct call *r;
    struct arm_target target;
    struct instance_properties *properties;
    struct instance_row row;
    bool created, inputs_changed, links_added;
};

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

static err_t check_body(struct call *r, const struct resource *body, struct instance_put *p)
{
    struct instance_properties *properties = p->properties;
    p->row.sku_capacity = body->sku->capacity.set ? body->sku->capacity.n : CAPACITY_LEAST;
    if (p->row.sku_capacity < CAPACITY_LEAST || p->row.sku_capacity > CAPACITY_MOST)
        return call_fail(r, E(BAD_FIELD), "sku.capacity must be a whole number from %d to %d.", CAPACITY_LEAST,
                         CAPACITY_MOST);
    TRY(arm_location(r, "location", body->location, &p->row.location));
    TRY(arm_tags(r, body->tags, &p->row.tags));
    TRY(later_identity(r, body->identity));
    return later_network(r, properties->public_network_access, properties->ip_filter_rules,
                         properties->private_endpoint_connections);
}

static err_t read_body(struct call *r, struct resource *ret_body, struct instance_put *p)
{
    json_auto_t *body = NULL;
    TRY(json_read(r->body, &r->detail, &body));
    TRY(codec_decode(r->arena, instance_resource_codec, CODEC_NO_CASE, (struct json_in){body, r->body}, ret_body,
                     &r->detail));
    p->properties = ret_body->instance ? ret_body->instance : ARENA_NEW(r->arena, struct instance_properties);
    return resource_extra(r->arena, instance_properties_codec, (struct json_in){body, r->body}, &r->detail,
                          &p->row.properties);
}

static err_t issue_scope(struct db *db, struct instance_put *p)
{
    for (int i = 0; i < SCOPE_TRIES; i++) {
        bool issued;
        p->row.id_scope_text = id_scope_new(p->r->arena);
        p->row.id_scope = arena_lower(p->r->arena, p->row.id_scope_text);
        TRY(db_scope_issue(db, p->r->arena, &p->target.at.tenant_id, p->row.id_scope, &issued));
        if (issued)
            return NULL;
    }
    return E(CONFLICT);
}

static err_t put_policies(struct db *db, struct instance_put *p, const struct policy *at, size_t count)
{
    struct policy_row *rows;
    struct policy_owner owner = policy_owner_instance(p->row.id_scope);
    TRY(policy_rows(p->r, &owner, at, count, &rows));
    return db_instance_policy_put(db, p->r->arena, &p->target.at.tenant_id, p->row.id_scope, rows, count);
}

static err_t create(struct db *db, struct instance_put *p)
{
    struct place_found found;
    bool there, free;
    p->created = true;
    p->row.allocation_policy = p->properties->allocation_policy ? p->properties->allocation_policy : POLICY_HASHED;
    TRY(arm_check_match(p->r, NULL));
    TRY(db_group_hold(db, p->r->arena, &p->target.at, &there));
    if (!there) {
        TRY(db_place(db, p->r->arena, &p->target.at, &found));
        return found.subscription ? E(RESOURCE_GROUP_NOT_FOUND) : E(SUBSCRIPTION_NOT_FOUND);
    }
    TRY(issue_scope(db, p));
    TRY(db_instance_insert(db, p->r->arena, &p->target.find, &p->row));
    TRY(db_name_take(db, p->r->arena, "instance", p->target.find.name_key, &free));
    if (!free)
        return E(UNIQUE_VIOLATION);
    return p->properties->authorization_policies.set ? NULL : put_policies(db, p, &default_policy, 1);
}

static err_t change(struct db *db, struct instance_put *p, const struct instance_locked *old)
{
    p->created = false;
    p->row.id_scope = old->id_scope;
    p->row.allocation_policy =
        p->properties->allocation_policy ? p->properties->allocation_policy : old->allocation_policy;
    p->inputs_changed = p->row.allocation_policy != old->allocation_policy;
    TRY(arm_check_match(p->r, &old->etag));
    if (!str_same(old->location, p->row.location))
        return call_fail(p->r, E(LOCATION_CONFLICT), "location: the instance is in %.*s; its location cannot change.",
                         STR_ARG(old->location));
    return db_instance_update(db, p->r->arena, &p->target.at.tenant_id, &p->row);
}

static err_t put_links(struct db *db, struct instance_put *p)
{
    struct link_plan plan;
    TRY(links_plan(p->r, db, p->row.id_scope, &p->properties->iot_hubs, &plan));
    TRY(db_linked_put(db, p->r->arena, &p->target.at.tenant_id, p->row.id_scope, plan.rows, plan.count));
    p->inputs_changed |= plan.inputs_changed;
    p->links_added = plan.changed_count > 0;
    return plan.changed_count ? db_linked_jobs(db, p->r->arena, p->row.id_scope, plan.changed, plan.changed_count)
                              : NULL;
}

/* What a tenant may have at most: its links cost the workers' time, which all tenants share. PUTs at the same time may
 * pass together, so the bound is kept but for as many as there are lanes. What was there before a bound was lowered
 * stays. */
static err_t check_holdings(struct db *db, struct instance_put *p)
{
    struct tenant_holds holds;
    const struct cfg *cfg = p->r->cfg;
    if (!p->created && !p->links_added)
        return NULL;
    TRY(db_tenant_holds(db, p->r->arena, &p->target.at.tenant_id, &holds));
    if (p->created && holds.instances > cfg->instances_max)
        return call_fail(p->r, E(QUOTA_EXCEEDED), "A tenant has at most %lld instances.",
                         (long long)cfg->instances_max);
    if (p->links_added && holds.links > cfg->links_max)
        return call_fail(p->r, E(QUOTA_EXCEEDED),
                         "properties.iotHubs: the instances of a tenant link at most %lld hubs together.",
                         (long long)cfg->links_max);
    return NULL;
}

static err_t put_work(struct db *db, void *context)
{
    struct instance_put *p = context;
    struct instance_locked old;
    const struct obj_list *policies = &p->properties->authorization_policies;
    TRY(db_instance_lock(db, p->r->arena, &p->target.find, &old));
    TRY(old.id_scope.p ? change(db, p, &old) : create(db, p));
    if (policies->set)
        TRY(put_policies(db, p, policies->at, policies->n));
    if (p->properties->iot_hubs.set)
        TRY(put_links(db, p));
    TRY(check_holdings(db, p));
    return p->created ? NULL : db_scope_touch(db, p->r->arena, p->row.id_scope, p->inputs_changed);
}

err_t op_instance_put(struct call *r)
{
    struct instance_put p = {.r = r};
    struct resource body = {0};
    TRY(arm_resource(r, &p.target));
    TRY(arm_check_new_name(r, "an instance", p.target.name));
    p.row.name = p.target.name;
    TRY(read_body(r, &body, &p));
    if (!str_same_nocase(body.sku->name, STR("S1")))
        return refuse_sku(r);
    TRY(check_body(r, &body, &p));
    err_t e = db_tx(r->db, put_work, &p);
    if (e == E(UNIQUE_VIOLATION)) /* taken; or a twin of this request was faster, then it is there now */
        e = db_tx(r->db, put_work, &p);
    gate_forget_instance(r->shared->gate, p.row.id_scope, p.target.find.name_key);
    if (e == E(UNIQUE_VIOLATION))
        return call_fail(r, E(NAME_TAKEN), "name: %.*s is taken; instance names are unique across all tenants.",
                         STR_ARG(p.target.name));
    TRY(e);
    return resource_reply(r, &instance_kind, p.created ? 201 : 200, &p.target);
}
