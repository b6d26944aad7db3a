/* enrollment.c: individual enrollments (wire.md 3.2, 3.5; decisions.md 13, 15): which bodies are good, when a write
 * happens, which answer shows keys. It must never show a key but in the answers to PUT and attestationmechanism. */
#include "api/op/enrollment.h"

#include "api/op/op.h"
#include "api/op/service.h"
#include "api/op/stale.h"
#include "core/json.h"

/* --- showing ------------------------------------------------------------------------------------------------------ */

/* What is stored and does not open is nothing that the client did: the operator has to know. */
static err_t unopened(err_t e)
{
    return e == E(SEAL_BROKEN) ? E(ATTESTATION_BROKEN) : e;
}

/* The attestation with its keys in clear, or with `secret` without them. */
static err_t show_attestation(struct call *r, const struct enrollment_row *row, bool secret, struct attestation **ret)
{
    const struct attest_row stored = {r->shared->ring, row->attestation};
    *ret = ARENA_NEW(r->arena, struct attestation);
    return unopened((secret ? attest_mask : attest_show)(r->arena, &stored, &r->log_detail, *ret));
}

const struct enrollment *enrollment_shown(struct call *r, struct arena *a, struct enrollment_row *row)
{
    row->enrollment.etag = id_etag(a, &row->etag);
    if (row->registration.state.status)
        row->enrollment.registration_state = service_registration(r, a, &row->registration);
    return &row->enrollment;
}

static err_t reply_enrollment(struct call *r, struct enrollment_row *row, bool secret)
{
    TRY(show_attestation(r, row, secret, &row->enrollment.attestation));
    return call_reply_codec(r, 200, enrollment_codec, enrollment_shown(r, r->arena, row));
}

static err_t find_enrollment(struct call *r, struct enrollment_row *ret)
{
    struct str key;
    bool found;
    TRY(service_registration_id(r, &key));
    TRY(db_enrollment_find(r->db, r->arena, r->instance->id_scope, key, &found, ret));
    return found ? NULL : E(ENROLLMENT_NOT_FOUND);
}

err_t op_enrollment_get(struct call *r)
{
    struct enrollment_row row;
    TRY(find_enrollment(r, &row));
    return reply_enrollment(r, &row, true);
}

err_t op_enrollment_attestation(struct call *r)
{
    struct enrollment_row row;
    struct attestation *a;
    TRY(find_enrollment(r, &row));
    TRY(show_attestation(r, &row, false, &a));
    return call_reply_codec(r, 200, attestation_codec, a);
}

/* --- reading a body ----------------------------------------------------------------------------------------------- */

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
    if (e->registration_id.p && !str_same_nocase(e->registration_id, r->segments[SEGMENT_ID]))
        return call_fail(r, E(BAD_FIELD), "registrationId must be the one of the address.");
    if (e->device_id.p)
        TRY(id_device_check(e->device_id, &r->detail));
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

/* decisions.md 15; iotHubHostName counts as one named hub. */
static err_t check_policy(struct call *r, const struct enrollment *e)
{
    bool same = e->iot_hubs.n == 1 && str_same_nocase(e->iot_hubs.at[0], e->iot_hub_host_name);
    size_t named = e->iot_hubs.n ? e->iot_hubs.n : e->iot_hub_host_name.p != NULL;
    TRY(check_hubs(r, &e->iot_hubs));
    if (e->iot_hub_host_name.p && e->iot_hubs.n && !same)
        return call_fail(r, E(BAD_FIELD), "iotHubHostName names another hub than iotHubs.");
    if (e->allocation_policy == POLICY_CUSTOM)
        return call_fail(r, E(BAD_FIELD),
                         "allocationPolicy must be hashed, geoLatency or static; custom comes in a later version.");
    if (e->custom_allocation.p)
        return call_fail(r, E(BAD_FIELD),
                         "customAllocationDefinition comes in a later version, together with allocationPolicy custom.");
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

static void set_defaults(struct call *r, struct enrollment *e)
{
    e->registration_id = e->registration_id.p ? e->registration_id : r->segments[SEGMENT_ID];
    if (!e->provisioning_status)
        e->provisioning_status = PROVISIONING_ENABLED;
    if (!e->reprovision_policy.update_hub_assignment)
        e->reprovision_policy = (struct reprovision_policy){TRI_TRUE, TRI_TRUE};
    if (!e->capabilities.iot_edge)
        e->capabilities.iot_edge = TRI_FALSE;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct enrollment_write {
    struct enrollment_guard guard;
    struct uuid tag;
    enum match match;
    struct uuid merged; /* etag of the row whose attestation a part was taken from */
    struct enrollment body;
};

/* Why nothing was written, in the order of wire.md 3.2; NULL when it was. */
static err_t refusal(struct call *r, const struct enrollment_write *w, const struct enrollment_outcome *o)
{
    if (!o->live)
        return E(STALE);
    if (o->written)
        return NULL;
    if (w->match == MATCH_ABSENT && o->found)
        return E(ENROLLMENT_EXISTS);
    if (w->match != MATCH_ABSENT && !o->found)
        return E(ENROLLMENT_NOT_FOUND);
    if (w->match != MATCH_ABSENT && !o->matches)
        return w->match == MATCH_ANY ? E(STALE) : E(PRECONDITION_FAILED);
    if (o->unlinked.p)
        return call_fail(r, E(BAD_FIELD), "iotHubs: %.*s is not a linked hub of this instance.", STR_ARG(o->unlinked));
    return E(ENROLLMENT_EXISTS); /* made by another request in this moment */
}

/* What the write is checked against, as the gate has it now. An etag that is none of ours equals no row's. */
static void set_guard(struct call *r, struct enrollment_write *w)
{
    w->guard.tenant_id = r->instance->tenant_id;
    w->guard.id_scope = r->instance->id_scope;
    w->guard.scope_version = r->instance->version;
    w->guard.etag = w->match == MATCH_TAG || w->match == MATCH_NEVER ? &w->tag : NULL;
}

/* What an update does not say stays as it is. Where it says a part, the row is read for the other part, and the write
 * then holds for that state of the row only. */
static err_t find_kept(struct call *r, struct enrollment_write *w, struct attest_stored *ret)
{
    bool found;
    struct enrollment_row row;
    TRY(db_enrollment_find(r->db, r->arena, w->guard.id_scope, w->guard.registration_key, &found, &row));
    if (!found)
        return E(ENROLLMENT_NOT_FOUND);
    *ret = row.attestation;
    if (w->match == MATCH_ANY) {
        w->merged = row.etag;
        w->guard.etag = &w->merged;
    }
    return NULL;
}

static err_t seal_attestation(struct call *r, struct enrollment_write *w, struct attest_stored *ret)
{
    const struct attestation *in = w->body.attestation;
    enum attest_kept kept = w->match == MATCH_ABSENT ? ATTEST_KEEPS_NOTHING : attest_kept(in);
    struct attest_row row = {r->shared->ring, {.id_scope = w->guard.id_scope, .key = w->guard.registration_key}};
    if (kept == ATTEST_KEEPS_ALL) {
        *ret = (struct attest_stored){.type = in->type};
        return NULL;
    }
    if (kept == ATTEST_KEEPS_SOME)
        TRY(find_kept(r, w, &row.stored));
    return unopened(attest_seal(r->arena, &row, in, &r->detail, ret));
}

static err_t put_work(struct call *r, void *context)
{
    struct enrollment_write *w = context;
    struct enrollment_row row = {.enrollment = w->body}, written;
    struct enrollment_outcome outcome;
    bool update = w->match != MATCH_ABSENT;
    set_guard(r, w);
    TRY(seal_attestation(r, w, &row.attestation));
    TRY(db_enrollment_put(r->db, r->arena, &w->guard, &row, update, &outcome, &written));
    TRY(refusal(r, w, &outcome));
    return reply_enrollment(r, &written, false);
}

err_t op_enrollment_put(struct call *r)
{
    struct enrollment_write w = {0};
    TRY(service_registration_id(r, &w.guard.registration_key));
    TRY(call_decode(r, enrollment_codec, CODEC_KEEP_UNKNOWN, &w.body));
    TRY(attest_form(r->arena, w.body.attestation, &r->detail));
    TRY(check_ids(r, &w.body));
    TRY(check_policy(r, &w.body));
    TRY(clean_twin(r, &w.body.initial_twin));
    TRY(clean_information(r, &w.body.optional_device_information));
    set_defaults(r, &w.body);
    w.match = service_match(r->options.if_match, &w.tag);
    return stale_retry(r, put_work, &w);
}

static err_t delete_work(struct call *r, void *context)
{
    struct enrollment_write *w = context;
    struct enrollment_outcome outcome;
    set_guard(r, w);
    TRY(db_enrollment_delete(r->db, r->arena, &w->guard, r->cfg->lease_ms, &outcome));
    TRY(refusal(r, w, &outcome));
    return call_reply_empty(r, 204);
}

err_t op_enrollment_delete(struct call *r)
{
    struct enrollment_write w = {0};
    TRY(service_registration_id(r, &w.guard.registration_key));
    w.match = service_match(r->options.if_match, &w.tag);
    if (w.match == MATCH_ABSENT)
        w.match = MATCH_ANY;
    return stale_retry(r, delete_work, &w);
}
