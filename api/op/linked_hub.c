/* linked_hub.c: linked hubs as resources of their own, with what the workers found out about them: state, reason,
 * latencies. */
#include "api/op/arm.h"
#include "api/op/links.h"
#include "api/op/op.h"
#include "api/op/resource_codec.h"
#include "core/limits.h"

/* --- on the wire -------------------------------------------------------------------------------------------------- */

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
static const struct codec properties_codec[] = {
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

static const struct codec resource_codec[] = {RESOURCE_ROWS, PROPERTIES_ROW, CODEC_END};

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct linked_list {
    struct arm_target target;
    struct str instance_id;
    const struct instance_row *instance;
    struct latency_row *latencies;
    size_t latency_count;
};

static err_t find_instance(struct call *r, struct linked_list *ret)
{
    struct place_found found;
    struct instance_row *rows;
    size_t count;
    bool more;
    TRY(arm_resource(r, &ret->target));
    TRY(db_instance_find(r->db, r->arena, &ret->target.find, &found, &rows, &count, &more));
    TRY(arm_check_place(&ret->target, &found));
    if (!count)
        return E(RESOURCE_NOT_FOUND);
    ret->instance = rows;
    ret->instance_id = arm_resource_id(r->arena, &rows->is.subscription_id, rows->is.group,
                                       "Microsoft.Devices/ProvisioningServices", rows->is.name);
    struct str *hosts = ARENA_NEW_ARRAY(r->arena, rows->link_count, struct str);
    for (size_t i = 0; i < rows->link_count; i++)
        hosts[i] = rows->links[i].host;
    return db_linked_latency(r->db, r->arena, hosts, rows->link_count, &ret->latencies, &ret->latency_count);
}

static struct str milliseconds(struct arena *a, int64_t us)
{
    return arena_printf(a, "%lld.%03lld", (long long)(us / 1000), (long long)(us % 1000));
}

static struct obj_list latencies_of(struct call *r, const struct linked_list *l, struct str host)
{
    struct latency *at = ARENA_NEW_ARRAY(r->arena, l->latency_count, struct latency);
    size_t n = 0;
    for (size_t i = 0; i < l->latency_count; i++) {
        const struct latency_row *row = &l->latencies[i];
        int64_t age_s = (r->now_us - row->measured_us) / 1000000;
        if (!str_same(row->host, host))
            continue;
        at[n++] = (struct latency){row->region,
                                   row->measured_us,
                                   milliseconds(r->arena, row->p50_us),
                                   milliseconds(r->arena, row->p95_us),
                                   {true, row->count},
                                   {true, age_s > 0 ? age_s : 0}};
    }
    return (struct obj_list){at, n, true};
}

static void write_linked(struct call *r, const struct linked_list *l, const struct linked_row *row, struct text *out)
{
    struct link_entry e = links_entry(r, row);
    struct linked_hub properties = {
        .host_name = e.host_name,
        .hub_resource_id = e.hub_resource_id,
        .access_policy = e.access_policy,
        .location = e.location,
        .connection_string = e.connection_string,
        .weight = e.weight,
        .apply = e.apply,
        .state = row->state,
        .reason = row->reason,
        .state_since_us = row->state_since_us,
        .last_good_us = row->last_good_us,
        .latency = latencies_of(r, l, row->host),
    };
    struct resource res = {
        .id = arena_printf(r->arena, "%s/linkedHubs/%.*s", l->instance_id.p, STR_ARG(row->host_name)),
        .name = row->host_name,
        .type = STR("Microsoft.Devices/ProvisioningServices/linkedHubs"),
        .properties = resource_join(r->arena, properties_codec, &properties, STR("{}")),
    };
    codec_encode(out, resource_codec, &res);
}

err_t op_linked_hub_list(struct call *r)
{
    struct linked_list l = {0};
    struct text out;
    TRY(find_instance(r, &l));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < l.instance->link_count; i++) {
        arm_list_item(&out);
        write_linked(r, &l, &l.instance->links[i], &out);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

err_t op_linked_hub_get(struct call *r)
{
    struct linked_list l = {0};
    struct text out;
    TRY(find_instance(r, &l));
    for (size_t i = 0; i < l.instance->link_count; i++) {
        if (!str_same_nocase(l.instance->links[i].host, r->segments[SEGMENT_HOST]))
            continue;
        text_init(&out, r->arena, 1024);
        write_linked(r, &l, &l.instance->links[i], &out);
        return call_reply(r, 200, text_str(&out));
    }
    return call_fail(r, E(RESOURCE_NOT_FOUND), "The instance has no linked hub of this host name.");
}
