/* resource_codec.h: what the resources of the management plane share as C structs, and the tables that name their
 * members on the wire (wire.md 1.3 to 1.6, 2). Read with CODEC_NO_CASE: templates spell members in many ways. A member
 * `properties` is read through its own table and written as text, because what clients put there and nobody here
 * understands is kept and given back. */
#ifndef IDSCOPE_RESOURCE_CODEC_H
#define IDSCOPE_RESOURCE_CODEC_H

#include "core/limits.h"
#include "core/model.h"

/* What every resource has. `properties` is written as it stands. */
struct resource {
    struct str id, name, type, location, resource_group, subscription_id, etag;
    struct str tags; /* JSON object of texts */
    struct sku *sku;
    struct str properties;             /* out */
    void *properties_in;               /* in: the struct of the kind */
    struct managed_identity *identity; /* in */
};
struct sku {
    struct str name, tier;
    struct opt_i64 capacity;
};
struct managed_identity {
    struct str type;
};
extern const struct codec identity_codec[];

enum { RESOURCE_TEXT_MAX = 300, RESOURCE_URL_MAX = 1024, RESOURCE_JSON_MAX = 65536, RESOURCE_POLICIES_MAX = 100 };

/* clang-format off */
/* The rows that every resource's table begins with; members that clients only send back are skipped on the way in. */
#define RESOURCE_ROWS(sku_codec) \
    CODEC_TEXT(struct resource, id, "id", RESOURCE_URL_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, location, "location", RESOURCE_TEXT_MAX, CODEC_MUST), \
    CODEC_TEXT(struct resource, resource_group, "resourcegroup", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, subscription_id, "subscriptionid", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, etag, "etag", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_JSON(struct resource, tags, "tags", RESOURCE_JSON_MAX, CODEC_OBJECT_ONLY), \
    CODEC_OBJECT(struct resource, sku, "sku", sku_codec, struct sku, CODEC_MUST), \
    CODEC_OBJECT(struct resource, identity, "identity", identity_codec, struct managed_identity, CODEC_IN), \
    CODEC_JSON(struct resource, properties, "properties", RESOURCE_JSON_MAX, CODEC_OUT)
/* The rows of a SKU; what its capacity may be is the kind's. */
#define SKU_ROWS(capacity_least, capacity_most) \
    CODEC_TEXT(struct sku, name, "name", RESOURCE_TEXT_MAX, CODEC_MUST), \
    CODEC_TEXT(struct sku, tier, "tier", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_I64(struct sku, capacity, "capacity", capacity_least, capacity_most, 0)
/* clang-format on */

/* A shared access policy, with its keys in base64. */
struct policy {
    struct str key_name, primary_key, secondary_key, rights;
};
extern const struct codec policy_codec[];

/* One entry of an instance's iotHubs. */
struct link_entry {
    struct str name, connection_string, host_name, location, hub_resource_id, access_policy, authentication_type;
    struct opt_i64 weight;
    enum tri apply;
};
extern const struct codec link_entry_codec[];

/* A linked hub as a resource of its own, with what the workers found out about it. */
struct latency {
    struct str region;
    int64_t measured_us;
    struct str p50_ms, p95_ms; /* JSON numbers */
    struct opt_i64 count, age_s;
};
struct linked_hub {
    struct str host_name, hub_resource_id, access_policy, location, connection_string;
    struct opt_i64 weight;
    enum tri apply;
    int state; /* enum link_state */
    struct str reason;
    int64_t state_since_us, last_good_us;
    struct obj_list latency; /* struct latency */
};
extern const struct codec linked_hub_codec[];     /* the properties */
extern const struct codec child_resource_codec[]; /* of struct resource: id, name, type, properties */

extern const struct codec group_codec[]; /* of struct resource: a resource group */

struct subscription {
    struct str id, subscription_id, tenant_id, display_name, state, authorization_source, policies;
};
extern const struct codec subscription_codec[];

/* The provider's own error shape. */
struct devices_error {
    struct opt_i64 code;
    struct str http_status_code, message;
};
extern const struct codec devices_error_codec[];

/* What `properties` holds besides the members of `table`: a JSON object. `body` is the resource as sent. Texts that
 * look like credentials are refused by name, because they would be stored in clear. */
err_t resource_extra(struct arena *a, const struct codec *table, struct json_in body, struct err_detail *d,
                     struct str *ret);
/* `from` through `table`, and the members of the object `extra` behind it. */
struct str resource_join(struct arena *a, const struct codec *table, const void *from, struct str extra);

#endif
