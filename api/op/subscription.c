/* subscription.c: the client's tenant, its subscriptions, and where things of one stand. They are made by
 * idscope-admin; nothing here changes more of one than its tags. */
#include "api/op/subscription.h"
#include "api/op/op.h"
#include "api/op/resource_codec.h"
#include "api/op/tags.h"
#include "api/roles.h"

struct subscription {
    struct str id, subscription_id, tenant_id, display_name, state, authorization_source, policies, tags;
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
    CODEC_JSON(S_, tags, "tags", RESOURCE_JSON_MAX, CODEC_OUT),
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
        .state = row->disabled ? STR("Disabled") : STR("Enabled"),
        .authorization_source = STR("RoleBased"),
        .policies = STR("{\"spendingLimit\":\"Off\"}"),
        .tags = row->tags,
    };
    codec_encode(out, subscription_codec, &s);
}

err_t op_subscription_list(struct call *r)
{
    struct subscription_page page = {.ids = roles_subscriptions(r)};
    struct subscription_row *rows;
    size_t count;
    bool more;
    struct text out;
    TRY(arm_page_by_id(r, &page.after, &page.most));
    TRY(db_subscription_find(r->db, r->arena, &r->client->tenant_id, NULL, &page, &rows, &count, &more));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_subscription(r, &rows[i], &out);
    }
    return arm_list_end(r, &out, more ? enc_uuid(r->arena, &rows[count - 1].subscription_id) : (struct str){NULL, 0});
}

err_t subscription_named(struct call *r, struct arm_target *ret_target, struct subscription_row *ret)
{
    const struct subscription_page page = {0};
    struct subscription_row *rows;
    size_t count;
    bool more;
    TRY(arm_subscription(r, ret_target));
    TRY(db_subscription_find(r->db, r->arena, &ret_target->find.at.tenant_id, &ret_target->find.at.subscription_id,
                             &page, &rows, &count, &more));
    if (!count)
        return E(SUBSCRIPTION_NOT_FOUND);
    *ret = rows[0];
    return NULL;
}

err_t op_subscription_get(struct call *r)
{
    struct arm_target t;
    struct subscription_row row;
    struct text out;
    TRY(subscription_named(r, &t, &row));
    text_init(&out, r->arena, 256);
    write_subscription(r, &row, &out);
    return call_reply(r, 200, text_str(&out));
}

/* --- its tags ----------------------------------------------------------------------------------------------------- */

static err_t find_tagged(struct call *r, const struct resource_kind *k, struct tagged *ret)
{
    struct arm_target t;
    struct subscription_row row;
    (void)k;
    TRY(subscription_named(r, &t, &row));
    *ret = (struct tagged){
        .id = arena_printf(r->arena, "/subscriptions/%s", enc_uuid(r->arena, &row.subscription_id).p),
        .tags = row.tags,
    };
    return NULL;
}

static err_t write_tagged(struct call *r, const struct resource_kind *k, const struct tagged *was, struct str tags,
                          bool *ret_done)
{
    struct arm_target t;
    (void)k;
    TRY(arm_subscription(r, &t));
    return db_subscription_retag(r->db, r->arena, &t.find.at.tenant_id, &t.find.at.subscription_id, was->tags, tags,
                                 ret_done);
}

static const struct tags_owner tags_owner = {NULL, find_tagged, write_tagged};
TAGS_OPS(subscription, tags_owner)

/* --- what else clients ask about a tenant and a subscription (wire.md 1.10) --------------------------------------- */

struct tenant {
    struct str id, tenant_id;
};
static const struct codec tenant_codec[] = {
    CODEC_TEXT(struct tenant, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(struct tenant, tenant_id, "tenantId", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};

/* Who asks is of one tenant. */
err_t op_tenant_list(struct call *r)
{
    struct str id = enc_uuid(r->arena, &r->client->tenant_id);
    const struct tenant t = {arena_printf(r->arena, "/tenants/%s", id.p), id};
    struct text out;
    arm_list_begin(r, &out);
    codec_encode(&out, tenant_codec, &t);
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

struct location {
    struct str id, subscription_id, name, type, display_name, regional_display_name;
};
#define L_ struct location
static const struct codec location_codec[] = {
    CODEC_TEXT(L_, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(L_, subscription_id, "subscriptionId", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, display_name, "displayName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, regional_display_name, "regionalDisplayName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
#undef L_

/* Any name is good for a location; those are listed that are in use. */
err_t op_location_list(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    struct str *names, here;
    size_t count;
    struct text out;
    TRY(arm_subscription(r, &t));
    TRY(arm_location(r, "region", r->cfg->region, &here));
    TRY(db_location_find(r->db, r->arena, &t.find.at, here, &found, &names, &count));
    TRY(arm_check_place(&t, &found));
    struct str subscription = enc_uuid(r->arena, &t.find.at.subscription_id);
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        const struct location l = {
            .id = arena_printf(r->arena, "/subscriptions/%s/locations/%.*s", subscription.p, STR_ARG(names[i])),
            .subscription_id = subscription,
            .name = names[i],
            .type = STR("Region"),
            .display_name = names[i],
            .regional_display_name = names[i],
        };
        arm_list_item(&out);
        codec_encode(&out, location_codec, &l);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}
