/* hub_usage.c: how much of a built-in hub is used, as the management plane tells it (wire.md 2). A hub passes no
 * messages, so there is nothing to count of them. It must never count rows of devices: every write keeps their number.
 */
#include "api/op/arm.h"
#include "api/op/op.h"
#include "api/op/resource.h"
#include "db/hub_device.h"

static err_t find_counts(struct call *r, struct arm_target *ret_target, struct hub_device_counts *ret)
{
    struct place_found found;
    bool there;
    TRY(arm_resource(r, ret_target));
    TRY(db_hub_count(r->db, r->arena, &ret_target->find, &found, &there, ret));
    TRY(arm_check_place(ret_target, &found));
    return there ? NULL : E(RESOURCE_NOT_FOUND);
}

struct statistics {
    struct opt_i64 total, enabled, disabled;
};
static const struct codec statistics_codec[] = {
    CODEC_I64(struct statistics, total, "totalDeviceCount", 0, 0, CODEC_OUT),
    CODEC_I64(struct statistics, enabled, "enabledDeviceCount", 0, 0, CODEC_OUT),
    CODEC_I64(struct statistics, disabled, "disabledDeviceCount", 0, 0, CODEC_OUT),
    CODEC_END,
};

err_t op_hub_statistics(struct call *r)
{
    struct arm_target t;
    struct hub_device_counts n;
    TRY(find_counts(r, &t, &n));
    const struct statistics s = {
        .total = {true, n.devices}, .enabled = {true, n.enabled}, .disabled = {true, n.devices - n.enabled}};
    return call_reply_codec(r, 200, statistics_codec, &s);
}

struct quota_metric {
    struct str name;
    struct opt_i64 current, most; /* absent: as many as one likes */
};
static const struct codec metric_codec[] = {
    CODEC_TEXT(struct quota_metric, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_I64(struct quota_metric, current, "currentValue", 0, 0, CODEC_OUT),
    CODEC_I64(struct quota_metric, most, "maxValue", 0, 0, CODEC_OUT),
    CODEC_END,
};

err_t op_hub_quota_metrics(struct call *r)
{
    struct arm_target t;
    struct hub_device_counts n;
    struct text out;
    TRY(find_counts(r, &t, &n));
    const struct quota_metric metrics[] = {
        {STR("TotalMessages"), {true, 0}, {false, 0}},
        {STR("TotalDeviceCount"), {true, n.devices}, {false, 0}},
    };
    arm_list_begin(r, &out);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        arm_list_item(&out);
        codec_encode(&out, metric_codec, &metrics[i]);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

static const struct codec group_codec[] = {RESOURCE_ROWS, PROPERTIES_ROW, CODEC_END};

/* The one endpoint that clients expect of a hub, and its one group. */
err_t op_hub_consumer_group_list(struct call *r)
{
    struct arm_target t;
    struct hub_device_counts n;
    struct text out;
    TRY(find_counts(r, &t, &n));
    if (!str_same_nocase(r->segments[SEGMENT_ID], STR("events")))
        return call_fail(r, E(RESOURCE_NOT_FOUND), "The hub has no endpoint of this name.");
    struct str hub = arm_resource_id(r->arena, &t.find.at.subscription_id, t.group, HUB_TYPE, t.name);
    const struct resource group = {
        .id = arena_printf(r->arena, "%s/eventHubEndpoints/events/ConsumerGroups/$Default", hub.p),
        .name = STR("$Default"),
        .type = STR(HUB_TYPE "/EventHubEndpoints/ConsumerGroups"),
        .properties = STR("{}"),
    };
    arm_list_begin(r, &out);
    codec_encode(&out, group_codec, &group);
    return arm_list_end(r, &out, (struct str){NULL, 0});
}
