/* resource_codec.c: names of the management plane's members on the wire, and the members that have none. It must hold
 * no rule about a resource but what may be kept without being understood. */
#include "api/op/resource_codec.h"

#include <string.h>

enum { KEY_BYTES = 128, CONNECTION_MAX = 2048 };

const struct codec policy_codec[] = {
    CODEC_TEXT(struct policy, key_name, "keyName", RESOURCE_TEXT_MAX, CODEC_MUST),
    CODEC_TEXT(struct policy, primary_key, "primaryKey", KEY_BYTES, 0),
    CODEC_TEXT(struct policy, secondary_key, "secondaryKey", KEY_BYTES, 0),
    CODEC_TEXT(struct policy, rights, "rights", RESOURCE_TEXT_MAX, CODEC_MUST),
    CODEC_END,
};

const struct codec identity_codec[] = {
    CODEC_TEXT(struct managed_identity, type, "type", RESOURCE_TEXT_MAX, 0),
    CODEC_END,
};

#define R_ struct resource
const struct codec child_resource_codec[] = {
    CODEC_TEXT(R_, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(R_, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(R_, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(R_, properties, "properties", RESOURCE_JSON_MAX, CODEC_OUT),
    CODEC_END,
};

const struct codec group_codec[] = {
    CODEC_TEXT(R_, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(R_, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(R_, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(R_, location, "location", RESOURCE_TEXT_MAX, CODEC_MUST),
    CODEC_JSON(R_, tags, "tags", RESOURCE_JSON_MAX, CODEC_OBJECT_ONLY),
    CODEC_JSON(R_, properties, "properties", RESOURCE_JSON_MAX, CODEC_OUT),
    CODEC_END,
};
#undef R_

#define L_ struct link_entry
const struct codec link_entry_codec[] = {
    CODEC_TEXT(L_, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, host_name, "hostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, connection_string, "connectionString", CONNECTION_MAX, 0),
    CODEC_TEXT(L_, location, "location", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(L_, authentication_type, "authenticationType", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(L_, hub_resource_id, "hubResourceId", RESOURCE_URL_MAX, 0),
    CODEC_TEXT(L_, access_policy, "accessPolicy", RESOURCE_TEXT_MAX, 0),
    CODEC_I64(L_, weight, "allocationWeight", WEIGHT_LEAST, WEIGHT_MOST, CODEC_NULL),
    CODEC_BOOL(L_, apply, "applyAllocationPolicy", CODEC_NULL),
    CODEC_END,
};
#undef L_

#define L_ struct latency
static const struct codec latency_codec[] = {
    CODEC_TEXT(L_, region, "region", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(L_, p50_ms, "p50Ms", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(L_, p95_ms, "p95Ms", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_I64(L_, count, "count", 0, INT64_MAX, CODEC_OUT),
    CODEC_TIME(L_, measured_us, "measuredAt"),
    CODEC_I64(L_, age_s, "ageSeconds", 0, INT64_MAX, CODEC_OUT),
    CODEC_END,
};
#undef L_

#define L_ struct linked_hub
const struct codec linked_hub_codec[] = {
    CODEC_TEXT(L_, host_name, "hostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, hub_resource_id, "hubResourceId", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(L_, access_policy, "accessPolicy", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, location, "location", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, connection_string, "connectionString", CONNECTION_MAX, CODEC_OUT),
    CODEC_I64(L_, weight, "allocationWeight", WEIGHT_LEAST, WEIGHT_MOST, CODEC_OUT | CODEC_NULL),
    CODEC_BOOL(L_, apply, "applyAllocationPolicy", CODEC_OUT | CODEC_NULL),
    CODEC_WORD(L_, state, "state", link_state_words, CODEC_OUT),
    CODEC_TEXT(L_, reason, "reason", RESOURCE_URL_MAX, CODEC_OUT | CODEC_NULL),
    CODEC_TIME(L_, state_since_us, "stateSince"),
    CODEC_TIME(L_, last_good_us, "lastGood"),
    CODEC_OBJECTS(L_, latency, "latency", latency_codec, struct latency, 0, CODEC_OUT),
    CODEC_END,
};
#undef L_

#define S_ struct subscription
const struct codec subscription_codec[] = {
    CODEC_TEXT(S_, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(S_, subscription_id, "subscriptionId", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(S_, tenant_id, "tenantId", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(S_, display_name, "displayName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(S_, state, "state", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(S_, policies, "subscriptionPolicies", RESOURCE_JSON_MAX, CODEC_OUT),
    CODEC_TEXT(S_, authorization_source, "authorizationSource", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
#undef S_

const struct codec devices_error_codec[] = {
    CODEC_I64(struct devices_error, code, "code", 0, INT32_MAX, CODEC_OUT),
    CODEC_TEXT(struct devices_error, http_status_code, "httpStatusCode", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct devices_error, message, "message", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_END,
};

/* --- members without a row ---------------------------------------------------------------------------------------- */

static bool has_row(const struct codec *table, const char *name)
{
    for (; table->kind != CODEC_KIND_END; table++)
        if (str_same_nocase(str_of(name), str_of(table->name)))
            return true;
    return false;
}

static const json_t *member_nocase(const json_t *object, const char *name)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        if (str_same_nocase(str_of(key), str_of(name)))
            return v;
    }
    return NULL;
}

static bool names_secret(struct str name)
{
    static const char *const ends[] = {"connectionString", "key", "secret", "password", "token"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends_nocase(name, str_of(ends[i])))
            return true;
    return false;
}

/* Depth is bounded by the parser (JSON_DEPTH_MAX). */
static err_t refuse_secrets(const char *name, const json_t *v, struct err_detail *d)
{
    const char *key;
    json_t *inner;
    size_t i;
    if (name && json_is_string(v) && json_string_length(v) && names_secret(str_of(name)))
        return err_say(d, E(BAD_FIELD),
                       "properties: a value for %s has no use here yet and is not stored; leave it out.", name);
    json_object_foreach((json_t *)v, key, inner)
    {
        TRY(refuse_secrets(key, inner, d));
    }
    json_array_foreach(v, i, inner)
    {
        TRY(refuse_secrets(name, inner, d));
    }
    return NULL;
}

err_t resource_extra(struct arena *a, const struct codec *table, struct json_in body, struct err_detail *d,
                     struct str *ret)
{
    const json_t *properties = member_nocase(body.v, "properties");
    struct text t;
    const char *key;
    json_t *v;
    text_init(&t, a, 256);
    text_add_char(&t, '{');
    json_object_foreach((json_t *)properties, key, v)
    {
        if (has_row(table, key))
            continue;
        TRY(refuse_secrets(key, v, d));
        json_member(&t, key);
        json_value(&t, (struct json_in){v, body.body});
    }
    text_add_char(&t, '}');
    *ret = text_str(&t);
    return NULL;
}

struct str resource_join(struct arena *a, const struct codec *table, const void *from, struct str extra)
{
    struct text t;
    text_init(&t, a, 512);
    codec_encode(&t, table, from);
    if (extra.n <= 2)
        return text_str(&t);
    t.n--; /* the closing brace; the stored object brings its own */
    if (t.p[t.n - 1] != '{')
        text_add_char(&t, ',');
    text_add(&t, (struct str){extra.p + 1, extra.n - 1});
    return text_str(&t);
}
