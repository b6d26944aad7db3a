/* linked_hub.c: linked hubs as resources of their own, with what the workers found out about them: state, reason,
 * latencies. */
#include "api/op/arm.h"
#include "api/op/links.h"
#include "api/op/op.h"

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
    ret->instance_id =
        arm_resource_id(r->arena, &rows->subscription_id, rows->group, "ProvisioningServices", rows->name);
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
        .properties = resource_join(r->arena, linked_hub_codec, &properties, STR("{}")),
    };
    codec_encode(out, child_resource_codec, &res);
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
