/* provider.c: the resource providers, which clients ask for the versions of a resource type and believe that they must
 * register (wire.md 1.10). All are there at all times: it must never keep a state of them. */
#include "api/op/arm.h"
#include "api/op/op.h"
#include "api/op/resource_codec.h"

struct provider_type {
    struct str name;
    struct str_list locations, versions;
};
struct provider {
    struct str id, space, registration_state, registration_policy;
    struct obj_list types; /* struct provider_type */
};

static const struct codec type_codec[] = {
    CODEC_TEXT(struct provider_type, name, "resourceType", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXTS(struct provider_type, locations, "locations", 0, CODEC_OUT),
    CODEC_TEXTS(struct provider_type, versions, "apiVersions", 0, CODEC_OUT),
    CODEC_END,
};
static const struct codec provider_codec[] = {
    CODEC_TEXT(struct provider, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(struct provider, space, "namespace", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct provider, registration_state, "registrationState", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct provider, registration_policy, "registrationPolicy", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECTS(struct provider, types, "resourceTypes", type_codec, struct provider_type, 0, CODEC_OUT),
    CODEC_END,
};

/* Every version is good (decisions.md 2); these are the ones that clients in use send, the newest first, since that is
 * the one that they take. Any location is good, too, so none is named. */
#define TYPE(word, texts)                                                                                              \
    {                                                                                                                  \
        .name = STR(word), .locations = {NULL, 0, true}, .versions = { texts, sizeof(texts) / sizeof *(texts), true }  \
    }
static struct str hub_versions[] = {STR("2023-06-30"), STR("2022-04-30-preview"), STR("2021-07-02")};
static struct str instance_versions[] = {STR("2022-12-12"), STR("2022-02-05"), STR("2021-10-15")};
static struct str resource_versions[] = {STR("2022-09-01"), STR("2021-04-01"), STR("2019-11-01")};
static struct provider_type device_types[] = {
    TYPE("IotHubs", hub_versions),
    TYPE("checkNameAvailability", hub_versions),
    TYPE("ProvisioningServices", instance_versions),
    TYPE("checkProvisioningServiceNameAvailability", instance_versions),
    TYPE("operations", instance_versions),
};
static struct provider_type resource_types[] = {
    TYPE("resourceGroups", resource_versions),
    TYPE("resources", resource_versions),
    TYPE("subscriptions", resource_versions),
    TYPE("tenants", resource_versions),
};
static const struct {
    struct str space;
    struct obj_list types;
} providers[] = {
    {STR("Microsoft.Devices"), {device_types, sizeof device_types / sizeof *device_types, true}},
    {STR("Microsoft.Resources"), {resource_types, sizeof resource_types / sizeof *resource_types, true}},
};
enum { PROVIDERS = sizeof providers / sizeof *providers };

/* `of`: "/subscriptions/…", or nothing. */
static void write_provider(struct call *r, struct str of, size_t i, struct text *out)
{
    const struct provider p = {
        .id = arena_printf(r->arena, "%.*s/providers/%s", STR_ARG(of), providers[i].space.p),
        .space = providers[i].space,
        .registration_state = STR("Registered"),
        .registration_policy = STR("RegistrationFree"),
        .types = providers[i].types,
    };
    codec_encode(out, provider_codec, &p);
}

static err_t reply_list(struct call *r, struct str of)
{
    struct text out;
    arm_list_begin(r, &out);
    for (size_t i = 0; i < PROVIDERS; i++) {
        arm_list_item(&out);
        write_provider(r, of, i, &out);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

err_t op_provider_list(struct call *r)
{
    return reply_list(r, STR(""));
}

/* The subscription of the path, which must be there: its id as paths begin with it. */
static err_t find_subscription(struct call *r, struct str *ret)
{
    struct arm_target t;
    struct place_found found;
    TRY(arm_subscription(r, &t));
    TRY(db_place(r->db, r->arena, &t.find.at, &found));
    TRY(arm_check_place(&t, &found));
    *ret = arm_group_id(r->arena, &t.find.at.subscription_id, (struct str){NULL, 0});
    return NULL;
}

err_t op_provider_list_subscription(struct call *r)
{
    struct str of;
    TRY(find_subscription(r, &of));
    return reply_list(r, of);
}

err_t op_provider_get(struct call *r)
{
    struct str of;
    struct text out;
    TRY(find_subscription(r, &of));
    for (size_t i = 0; i < PROVIDERS; i++) {
        if (!str_same_nocase(r->segments[SEGMENT_PROVIDER], providers[i].space))
            continue;
        text_init(&out, r->arena, 2048);
        write_provider(r, of, i, &out);
        return call_reply(r, 200, text_str(&out));
    }
    return E(PROVIDER_NOT_FOUND);
}

/* There is nothing to do. */
err_t op_provider_register(struct call *r)
{
    return op_provider_get(r);
}

/* --- what the provider of hubs and instances can do --------------------------------------------------------------- */

struct shown_words {
    struct str provider, resource, operation, description;
};
struct shown_operation {
    struct str name;
    struct shown_words *display;
};
#define W_ struct shown_words
static const struct codec words_codec[] = {
    CODEC_TEXT(W_, provider, "provider", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(W_, resource, "resource", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(W_, operation, "operation", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(W_, description, "description", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
#undef W_
static const struct codec operation_codec[] = {
    CODEC_TEXT(struct shown_operation, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECT(struct shown_operation, display, "display", words_codec, struct shown_words, CODEC_OUT),
    CODEC_END,
};
static const struct {
    const char *name, *resource, *operation;
} operations[] = {
    {"register/action", "Provider", "Register the provider"},
    {"operations/Read", "Provider", "List what the provider can do"},
    {"checkNameAvailability/Action", "IotHub", "Ask whether a name is available"},
    {"IotHubs/Read", "IotHub", "Read hubs"},
    {"IotHubs/Write", "IotHub", "Make or change a hub"},
    {"IotHubs/Delete", "IotHub", "Delete a hub"},
    {"IotHubs/listkeys/Action", "IotHub", "Read all keys of a hub"},
    {"IotHubs/iotHubKeys/listkeys/Action", "IotHub", "Read the keys of one policy"},
    {"IotHubs/iotHubStats/Read", "IotHub", "Read how many devices a hub has"},
    {"IotHubs/quotaMetrics/Read", "IotHub", "Read what a hub may hold"},
    {"IotHubs/eventHubEndpoints/consumerGroups/Read", "IotHub", "Read consumer groups"},
    {"checkProvisioningServiceNameAvailability/Action", "ProvisioningService", "Ask whether a name is available"},
    {"provisioningServices/Read", "ProvisioningService", "Read instances"},
    {"provisioningServices/Write", "ProvisioningService", "Make or change an instance"},
    {"provisioningServices/Delete", "ProvisioningService", "Delete an instance"},
    {"provisioningServices/listkeys/Action", "ProvisioningService", "Read all keys of an instance"},
    {"provisioningServices/keys/listkeys/Action", "ProvisioningService", "Read the keys of one policy"},
    {"provisioningServices/skus/Read", "ProvisioningService", "Read the SKUs of an instance"},
    {"provisioningServices/certificates/Read", "ProvisioningService", "Read CA certificates"},
    {"provisioningServices/certificates/Write", "ProvisioningService", "Make or change a CA certificate"},
    {"provisioningServices/certificates/Delete", "ProvisioningService", "Delete a CA certificate"},
    {"provisioningServices/certificates/generateVerificationCode/Action", "ProvisioningService", "Ask for a code"},
    {"provisioningServices/certificates/verify/Action", "ProvisioningService", "Prove a CA certificate"},
};

err_t op_provider_operations(struct call *r)
{
    struct text out;
    arm_list_begin(r, &out);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        struct str words = str_of(operations[i].operation);
        struct shown_words display = {STR("Microsoft Devices"), str_of(operations[i].resource), words, words};
        const struct shown_operation o = {arena_printf(r->arena, "Microsoft.Devices/%s", operations[i].name), &display};
        arm_list_item(&out);
        codec_encode(&out, operation_codec, &o);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}
