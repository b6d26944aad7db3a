/* resource_codec.h: what the resources of the management plane share as C structs and as rows of the tables that name
 * their members on the wire (wire.md 1.3 to 1.6, 2); what only one kind has stands in the file of its noun. Read with
 * CODEC_NO_CASE: templates spell members in many ways. A member `properties` is read through its own table and written
 * as text, because what clients put there and nobody here understands is kept and given back. */
#ifndef IDSCOPE_RESOURCE_CODEC_H
#define IDSCOPE_RESOURCE_CODEC_H

#include "core/codec.h"
#include "core/ip_filter.h"

/* A resource; a table takes the rows that its kind has. `properties` is written as it stands. */
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

struct common_properties {
    struct str state, provisioning_state; /* out */
    struct ip_filter network;
    struct str private_endpoint_connections; /* JSON; in */
    struct obj_list policies;                /* struct policy; in */
};

enum { RESOURCE_TEXT_MAX = 300, RESOURCE_URL_MAX = 1024, RESOURCE_JSON_MAX = 65536 };

/* clang-format off */
/* What every resource's table begins with; members that clients only send back are skipped on the way in. */
#define RESOURCE_ROWS \
    CODEC_TEXT(struct resource, id, "id", RESOURCE_URL_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT)
/* What those have besides that are somewhere. */
#define LOCATION_ROW CODEC_TEXT(struct resource, location, "location", RESOURCE_TEXT_MAX, CODEC_MUST)
#define TAGS_ROW CODEC_JSON(struct resource, tags, "tags", RESOURCE_JSON_MAX, CODEC_OBJECT_ONLY)
#define PROPERTIES_ROW CODEC_JSON(struct resource, properties, "properties", RESOURCE_JSON_MAX, CODEC_OUT)
/* What the properties of a service begin with: that it is there, and who may reach it with which policies. Its own
 * struct of properties has it as `common`. */
#define STATE_ROWS(type) \
    CODEC_TEXT(type, common.state, "state", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(type, common.provisioning_state, "provisioningState", RESOURCE_TEXT_MAX, CODEC_OUT)
#define ACCESS_ROWS(type) \
    IP_FILTER_ROWS(type, common.network.access, common.network.rules), \
    CODEC_JSON(type, common.private_endpoint_connections, "privateEndpointConnections", RESOURCE_JSON_MAX, CODEC_IN), \
    CODEC_OBJECTS(type, common.policies, "authorizationPolicies", policy_codec, struct policy, POLICIES_MAX, CODEC_IN)
/* The whole table of a service: what has a SKU, and properties of a type of its own. */
#define SERVICE_ROWS(sku_codec, properties_codec, properties_type) \
    RESOURCE_ROWS, \
    LOCATION_ROW, \
    CODEC_TEXT(struct resource, resource_group, "resourcegroup", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, subscription_id, "subscriptionid", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_TEXT(struct resource, etag, "etag", RESOURCE_TEXT_MAX, CODEC_OUT), \
    TAGS_ROW, \
    CODEC_OBJECT(struct resource, sku, "sku", sku_codec, struct sku, CODEC_MUST), \
    CODEC_OBJECT(struct resource, identity, "identity", identity_codec, struct managed_identity, CODEC_IN), \
    PROPERTIES_ROW, \
    CODEC_OBJECT(struct resource, properties_in, "properties", properties_codec, properties_type, CODEC_IN), \
    CODEC_END
/* The whole table of a SKU; what its capacity may be is the kind's. */
#define SKU_ROWS(capacity_least, capacity_most) \
    CODEC_TEXT(struct sku, name, "name", RESOURCE_TEXT_MAX, CODEC_MUST), \
    CODEC_TEXT(struct sku, tier, "tier", RESOURCE_TEXT_MAX, CODEC_OUT), \
    CODEC_I64(struct sku, capacity, "capacity", capacity_least, capacity_most, 0), \
    CODEC_END
/* clang-format on */

/* The member of that name, in any case; NULL: there is none. */
const json_t *resource_member(const json_t *object, const char *name);
/* What `properties` holds besides the members of `table`: a JSON object. `body` is the resource as sent. Texts that
 * look like credentials are refused by name, because they would be stored in clear. */
err_t resource_extra(struct arena *a, const struct codec *table, struct json_in body, struct err_detail *d,
                     struct str *ret);
/* A member that is kept without being understood, as it is where nobody sent it. */
struct resource_default {
    const char *name;
    struct str json;
};
/* The object `extra` with those of `count` defaults behind it that it lacks. */
err_t resource_fill(struct arena *a, struct str extra, const struct resource_default *defaults, size_t count,
                    struct str *ret);
/* `from` through `table`, and the members of the object `extra` behind it. */
struct str resource_join(struct arena *a, const struct codec *table, const void *from, struct str extra);

#endif
