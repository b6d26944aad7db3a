/* private_link.c: what clients ask of an instance that has no private endpoints, nor operations that last (wire.md 1.9,
 * 1.2). It must never name one that was not there: what it tells is the same for each instance. */
#include "api/op/instance.h"
#include "api/op/op.h"
#include "api/op/resource.h"

static err_t find_instance(struct call *r, struct arm_target *ret)
{
    struct instance_row row;
    return instance_named(r, ret, &row);
}

static const struct codec link_codec[] = {RESOURCE_ROWS, PROPERTIES_ROW, CODEC_END};

/* The one part of an instance that an endpoint could lead to. */
static void write_link(struct call *r, const struct arm_target *t, struct text *out)
{
    struct str instance = arm_resource_id(r->arena, &t->find.at.subscription_id, t->group, INSTANCE_TYPE, t->name);
    const struct resource link = {
        .id = arena_printf(r->arena, "%s/privateLinkResources/iotDps", instance.p),
        .name = STR("iotDps"),
        .type = STR(INSTANCE_TYPE "/PrivateLinkResources"),
        .properties = STR("{\"groupId\":\"iotDps\",\"requiredMembers\":[\"iotDps\"],\"requiredZoneNames\":[]}"),
    };
    codec_encode(out, link_codec, &link);
}

err_t op_private_link_list(struct call *r)
{
    struct arm_target t;
    struct text out;
    TRY(find_instance(r, &t));
    arm_list_begin(r, &out);
    write_link(r, &t, &out);
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

err_t op_private_link_get(struct call *r)
{
    struct arm_target t;
    struct text out;
    TRY(find_instance(r, &t));
    if (!str_same_nocase(r->segments[SEGMENT_ID], STR("iotDps")))
        return call_fail(r, E(RESOURCE_NOT_FOUND), "The instance has the private link resource iotDps alone.");
    text_init(&out, r->arena, 512);
    write_link(r, &t, &out);
    return call_reply(r, 200, text_str(&out));
}

/* A bare array. */
err_t op_private_connection_list(struct call *r)
{
    struct arm_target t;
    TRY(find_instance(r, &t));
    return call_reply(r, 200, STR("[]"));
}

/* What an instance was asked for is done when that is answered, so there is no operation that has not succeeded. */
err_t op_instance_operation_result(struct call *r)
{
    struct arm_target t;
    TRY(find_instance(r, &t));
    return call_reply(r, 200, STR("{\"status\":\"Succeeded\"}"));
}
