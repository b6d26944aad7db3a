/* usage.c: how much of a built-in hub, an instance and a subscription is used, as the management plane tells it
 * (wire.md 2, 7.6). A hub passes no messages, so there is nothing to count of them. It must never count rows of lists:
 * each write keeps the number of a hub's devices, and workers count the lists of instances.
 */
#include "api/op/hub_device.h"
#include "api/op/instance.h"
#include "api/op/op.h"
#include "api/op/resource.h"
#include "api/op/subscription.h"
#include "api/rates.h"
#include "api/shared.h"
#include "db/list_count.h"

static err_t find_counts(struct call *r, struct arm_target *ret_target, struct hub_device_counts *ret)
{
    struct place_found found;
    bool there;
    TRY(arm_resource(r, ret_target));
    TRY(db_hub_count(r->db, r->arena, &ret_target->find, &found, &there, ret));
    TRY(arm_check_place(ret_target, &found));
    return there ? NULL : E(RESOURCE_NOT_FOUND);
}

err_t op_hub_statistics(struct call *r)
{
    struct arm_target t;
    struct hub_device_counts n;
    TRY(find_counts(r, &t, &n));
    return hub_device_reply_counts(r, &n);
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

static err_t reply_metrics(struct call *r, const struct quota_metric *metrics, size_t count)
{
    struct text out;
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        codec_encode(&out, metric_codec, &metrics[i]);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

err_t op_hub_quota_metrics(struct call *r)
{
    struct arm_target t;
    struct hub_device_counts n;
    TRY(find_counts(r, &t, &n));
    const struct quota_metric metrics[] = {
        {STR("TotalMessages"), {true, 0}, {false, 0}},
        {STR("TotalDeviceCount"), {true, n.devices}, {false, 0}},
    };
    return reply_metrics(r, metrics, sizeof metrics / sizeof *metrics);
}

/* --- an instance -------------------------------------------------------------------------------------------------- */

static struct quota_metric metric_of(enum quota q, int64_t used, int64_t most)
{
    return (struct quota_metric){quota_rows[q].wire, {true, used}, {most > 0, most}};
}

/* Of what is asked per minute, as the process that answers sees it; of what there is, as it was counted last. */
static size_t fill_metrics(struct call *r, const struct gate_instance *i, const struct list_totals *n,
                           struct quota_metric *ret)
{
    static const enum quota rates[] = {QUOTA_OF_OPERATIONS, QUOTA_OF_REGISTERS};
    const int64_t *most = i->quotas.most;
    size_t count = 0;
    ret[count++] = metric_of(QUOTA_OF_ENROLLMENTS, n->enrollments, most[QUOTA_OF_ENROLLMENTS]);
    ret[count++] = metric_of(QUOTA_OF_REGISTRATIONS, n->registrations, most[QUOTA_OF_REGISTRATIONS]);
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        int64_t used = rates_taken(r->shared->rates, rates[k], most[rates[k]], i->id_scope, r->now_us);
        ret[count++] = metric_of(rates[k], used, most[rates[k]]);
    }
    return count;
}

err_t op_instance_quota_metrics(struct call *r)
{
    struct arm_target t;
    struct instance_row row;
    struct list_totals n;
    const struct gate_instance *i;
    struct quota_metric metrics[QUOTAS];
    TRY(instance_named(r, &t, &row));
    TRY(db_list_totals(r->db, r->arena, row.id_scope, &n));
    TRY(gate_instance_by_scope(r->shared->gate, r->db, row.id_scope, r->now_us, &i));
    size_t count = fill_metrics(r, i, &n, metrics);
    gate_release(i);
    return reply_metrics(r, metrics, count);
}

/* --- a subscription ----------------------------------------------------------------------------------------------- */

struct usage {
    struct str id, type, unit;
    struct opt_i64 current, limit; /* limit absent: as many as one likes */
    struct usage_name {
        struct str value, localized;
    } name;
};
static const struct codec usage_name_codec[] = {
    CODEC_TEXT(struct usage_name, value, "value", 0, CODEC_OUT),
    CODEC_TEXT(struct usage_name, localized, "localizedValue", 0, CODEC_OUT),
    CODEC_END,
};
static const struct codec usage_codec[] = {
    CODEC_TEXT(struct usage, id, "id", 0, CODEC_OUT),
    CODEC_TEXT(struct usage, type, "type", 0, CODEC_OUT),
    CODEC_TEXT(struct usage, unit, "unit", 0, CODEC_OUT),
    CODEC_I64(struct usage, current, "currentValue", 0, 0, CODEC_OUT),
    CODEC_I64(struct usage, limit, "limit", 0, 0, CODEC_OUT),
    CODEC_INNER(struct usage, name, "name", usage_name_codec, 0),
    CODEC_END,
};

err_t op_subscription_usage_list(struct call *r)
{
    struct arm_target t;
    struct subscription_row found;
    struct tenant_holds holds;
    struct text out;
    TRY(subscription_named(r, &t, &found));
    TRY(db_place_holds(r->db, r->arena, &t.find.at, &holds));
    int64_t most = instances_most(r, &holds);
    const struct quota_row *row = &quota_rows[QUOTA_OF_INSTANCES];
    struct str subscription = enc_uuid(r->arena, &t.find.at.subscription_id);
    const struct usage usage = {
        .id = arena_printf(r->arena, "/subscriptions/%s/providers/Microsoft.Devices/usages/%s", subscription.p,
                           row->wire.p),
        .type = STR("Microsoft.Devices/usages"),
        .unit = STR("Count"),
        .current = {true, holds.of_subscription},
        .limit = {most > 0, most},
        .name = {row->wire, str_of(row->sentence)},
    };
    arm_list_begin(r, &out);
    codec_encode(&out, usage_codec, &usage);
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

/* --- consumer groups ---------------------------------------------------------------------------------------------- */

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
