/* subscription.c: the subscriptions of the client's tenant. They are made by idscope-admin; nothing here changes one.
 */
#include "api/op/arm.h"
#include "api/op/op.h"
#include "api/op/resource_codec.h"

struct subscription {
    struct str id, subscription_id, tenant_id, display_name, state, authorization_source, policies;
};

#define S_ struct subscription
static const struct codec subscription_codec[] = {
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

static void write_subscription(struct call *r, const struct subscription_row *row, struct text *out)
{
    struct str id = enc_uuid(r->arena, &row->subscription_id);
    struct subscription s = {
        .id = arena_printf(r->arena, "/subscriptions/%s", id.p),
        .subscription_id = id,
        .tenant_id = enc_uuid(r->arena, &r->client->tenant_id),
        .display_name = row->display_name,
        .state = STR("Enabled"),
        .authorization_source = STR("RoleBased"),
        .policies = STR("{\"spendingLimit\":\"Off\"}"),
    };
    codec_encode(out, subscription_codec, &s);
}

err_t op_subscription_list(struct call *r)
{
    struct uuid after;
    struct subscription_row *rows;
    size_t count;
    bool more;
    struct text out;
    struct str token = call_query(r, "$skiptoken");
    if (token.n && !dec_uuid(token, &after))
        return call_fail(r, E(BAD_REQUEST), "$skiptoken is not one that a list gave.");
    TRY(db_subscription_find(r->db, r->arena, &r->client->tenant_id, NULL, token.n ? &after : NULL, &rows, &count,
                             &more));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_subscription(r, &rows[i], &out);
    }
    return arm_list_end(r, &out, more ? enc_uuid(r->arena, &rows[count - 1].subscription_id) : (struct str){NULL, 0});
}

err_t op_subscription_get(struct call *r)
{
    struct arm_target t;
    struct subscription_row *rows;
    size_t count;
    bool more;
    struct text out;
    TRY(arm_subscription(r, &t));
    TRY(db_subscription_find(r->db, r->arena, &t.find.at.tenant_id, &t.find.at.subscription_id, NULL, &rows, &count,
                             &more));
    if (!count)
        return E(SUBSCRIPTION_NOT_FOUND);
    text_init(&out, r->arena, 256);
    write_subscription(r, &rows[0], &out);
    return call_reply(r, 200, text_str(&out));
}
