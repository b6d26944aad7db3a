/* enrollment_body.c: which bodies of enrollments, individual or of a group, are good, and what is made of what they
 * leave open (wire.md 3.5; decisions.md 13, 15). It must never ask the database. */
#include "api/op/enrollment.h"
#include "core/json.h"
#include "core/webhook.h"

/* Some clients send what is not set as an empty text. */
static void drop_empty(struct str *s)
{
    if (!s->n)
        *s = (struct str){NULL, 0};
}

static err_t check_ids(struct call *r, struct enrollment *e)
{
    drop_empty(&e->device_id);
    drop_empty(&e->iot_hub_host_name);
    if (e->device_id.p)
        TRY(id_device_check(e->device_id, "deviceId", &r->detail));
    if (e->iot_hub_host_name.p && !id_host_valid(e->iot_hub_host_name))
        return call_fail(r, E(BAD_FIELD), "iotHubHostName must be a host name without a port.");
    return NULL;
}

static err_t check_hubs(struct call *r, const struct str_list *hubs)
{
    for (size_t i = 0; i < hubs->n; i++) {
        if (!id_host_valid(hubs->at[i]))
            return call_fail(r, E(BAD_FIELD), "iotHubs[%zu] must be a host name without a port.", i);
        for (size_t j = 0; j < i; j++)
            if (str_same_nocase(hubs->at[i], hubs->at[j]))
                return call_fail(r, E(BAD_FIELD), "iotHubs[%zu] stands twice.", i);
    }
    return NULL;
}

static err_t check_custom(struct call *r, struct enrollment *e)
{
    struct custom_allocation *c = e->custom_allocation;
    if (c && !c->webhook_url.n && !c->api_version.n)
        c = e->custom_allocation = NULL;
    if (c)
        return webhook_check(c, &r->detail);
    if (e->allocation_policy == POLICY_CUSTOM)
        return call_fail(r, E(BAD_FIELD), "customAllocationDefinition is required when allocationPolicy is custom.");
    return NULL;
}

/* decisions.md 15; iotHubHostName counts as one named hub. */
static err_t check_policy(struct call *r, const struct enrollment *e)
{
    bool same = e->iot_hubs.n == 1 && str_same_nocase(e->iot_hubs.at[0], e->iot_hub_host_name);
    size_t named = e->iot_hubs.n ? e->iot_hubs.n : e->iot_hub_host_name.p != NULL;
    TRY(check_hubs(r, &e->iot_hubs));
    if (e->iot_hub_host_name.p && e->iot_hubs.n && !same)
        return call_fail(r, E(BAD_FIELD), "iotHubHostName names another hub than iotHubs.");
    if (e->allocation_policy == POLICY_STATIC && named != 1)
        return call_fail(r, E(BAD_FIELD), "iotHubs must name exactly one hub when allocationPolicy is static.");
    return NULL;
}

/* Clients write the reserved members of a twin collection as nulls beside the user's data. */
static void drop_reserved(json_t *collection)
{
    static const char *const reserved[] = {"version", "count", "metadata"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (json_is_null(json_object_get(collection, reserved[i])))
            json_object_del(collection, reserved[i]);
}

static err_t check_collection(struct call *r, const char *member, json_t *collection)
{
    if (collection && !json_is_object(collection) && !json_is_null(collection))
        return call_fail(r, E(BAD_FIELD), "%s must be an object.", member);
    drop_reserved(collection);
    return NULL;
}

static struct str compact(struct arena *a, struct json_in in)
{
    struct text t;
    text_init(&t, a, 256);
    json_value(&t, in);
    return text_str(&t);
}

static err_t clean_twin(struct call *r, struct str *twin)
{
    json_auto_t *v = NULL;
    if (!twin->p)
        return NULL;
    TRY(json_read(*twin, &r->detail, &v));
    json_t *properties = json_object_get(v, "properties");
    TRY(check_collection(r, "initialTwin.tags", json_object_get(v, "tags")));
    TRY(check_collection(r, "initialTwin.properties", properties));
    TRY(check_collection(r, "initialTwin.properties.desired", json_object_get(properties, "desired")));
    *twin = compact(r->arena, (struct json_in){v, *twin});
    return NULL;
}

static err_t clean_information(struct call *r, struct str *information)
{
    json_auto_t *v = NULL;
    if (!information->p)
        return NULL;
    TRY(json_read(*information, &r->detail, &v));
    drop_reserved(v);
    *information = compact(r->arena, (struct json_in){v, *information});
    return NULL;
}

static void set_defaults(struct enrollment *e)
{
    if (!e->provisioning_status)
        e->provisioning_status = PROVISIONING_ENABLED;
    if (!e->reprovision_policy.update_hub_assignment)
        e->reprovision_policy = (struct reprovision_policy){TRI_TRUE, TRI_TRUE};
    if (!e->capabilities.iot_edge)
        e->capabilities.iot_edge = TRI_FALSE;
}

err_t enrollment_check(struct call *r, const struct enrollment_kind *kind, struct enrollment *e)
{
    TRY(attest_form(r->arena, e->attestation, &r->detail));
    TRY(attest_fits(e->attestation, kind->of_group, &r->detail));
    TRY(check_ids(r, e));
    TRY(check_policy(r, e));
    TRY(check_custom(r, e));
    TRY(clean_twin(r, &e->initial_twin));
    TRY(clean_information(r, &e->optional_device_information));
    set_defaults(e);
    return NULL;
}
