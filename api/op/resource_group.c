/* resource_group.c: resource groups, the folders of hubs and instances. */
#include "api/op/arm.h"
#include "api/op/filter.h"
#include "api/op/op.h"
#include "api/op/resource_codec.h"
#include "api/op/tags.h"

static const struct codec group_codec[] = {RESOURCE_ROWS, LOCATION_ROW, TAGS_ROW, PROPERTIES_ROW, CODEC_END};

static void write_group(struct call *r, const struct arm_target *t, const struct group_row *row, struct text *out)
{
    struct resource g = {
        .id = arm_group_id(r->arena, &t->find.at.subscription_id, row->name),
        .name = row->name,
        .type = STR("Microsoft.Resources/resourceGroups"),
        .location = row->location,
        .tags = row->tags,
        .properties = STR("{\"provisioningState\":\"Succeeded\"}"),
    };
    codec_encode(out, group_codec, &g);
}

static err_t reply_group(struct call *r, int status, const struct arm_target *t, const struct group_row *row)
{
    struct text out;
    text_init(&out, r->arena, 512);
    write_group(r, t, row, &out);
    return call_reply(r, status, text_str(&out));
}

err_t op_group_list(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    struct group_row *rows;
    size_t count;
    bool more;
    struct text out;
    struct arm_filter asked;
    TRY(arm_subscription(r, &t));
    TRY(arm_page(r, &t.find));
    TRY(arm_filter(r, true, &asked));
    const struct tag_filter tag = {asked.tag_name, asked.tag_value};
    TRY(db_group_find(r->db, r->arena, &t.find, &tag, &found, &rows, &count, &more));
    TRY(arm_check_place(&t, &found));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_group(r, &t, &rows[i], &out);
    }
    return arm_list_end(r, &out, more ? arena_lower(r->arena, rows[count - 1].name) : (struct str){NULL, 0});
}

static err_t find_group(struct call *r, struct arm_target *t, struct group_row **ret)
{
    struct place_found found;
    size_t count;
    bool more;
    TRY(arm_group(r, t));
    t->find.name_key = t->find.at.group_key;
    static const struct tag_filter any;
    TRY(db_group_find(r->db, r->arena, &t->find, &any, &found, ret, &count, &more));
    TRY(arm_check_place(t, &found));
    return count ? NULL : E(RESOURCE_GROUP_NOT_FOUND);
}

err_t op_group_get(struct call *r)
{
    struct arm_target t;
    struct group_row *row;
    TRY(find_group(r, &t, &row));
    return reply_group(r, 200, &t, row);
}

err_t op_group_head(struct call *r)
{
    struct arm_target t;
    struct group_row *row;
    TRY(find_group(r, &t, &row));
    return call_reply_empty(r, 204);
}

err_t op_group_put(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    struct resource body = {0};
    struct group_row row, written;
    bool done, created;
    TRY(arm_subscription(r, &t));
    t.group = r->segments[SEGMENT_GROUP];
    if (!id_resource_group_valid(t.group))
        return call_fail(r, E(BAD_ID),
                         "resourceGroupName: the name of a group must have 1 to 90 letters, digits and characters of "
                         "-_.() and no period "
                         "at its end.");
    t.find.at.group_key = arena_lower(r->arena, t.group);
    TRY(call_decode(r, group_codec, CODEC_NO_CASE, &body));
    row.name = t.group;
    TRY(arm_location(r, "location", body.location, &row.location));
    TRY(arm_tags(r, "tags", body.tags, &row.tags));
    TRY(arm_check_there(r));
    const struct group_guard guard = {.may_be_new = !arm_if_match(r).p, .may_be_there = !call_makes_new(r)};
    TRY(db_group_put(r->db, r->arena, &t.find.at, &row, &guard, &found, &done, &created, &written));
    if (!found.subscription)
        return E(SUBSCRIPTION_NOT_FOUND);
    if (done)
        return reply_group(r, created ? 201 : 200, &t, &written);
    return guard.may_be_there && (guard.may_be_new || found.group.p) ? E(GROUP_LOCATION_CONFLICT)
                                                                     : E(PRECONDITION_FAILED);
}

/* The tags that it carries replace those of the group; nothing else of it can change. */
err_t op_group_patch(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    struct group_row row;
    struct str tags;
    bool done;
    TRY(arm_group(r, &t));
    TRY(arm_patch_tags(r, &tags));
    TRY(arm_check_there(r));
    if (!tags.p)
        return op_group_get(r);
    TRY(db_group_retag(r->db, r->arena, &t.find.at, (struct str){NULL, 0}, tags, &found, &done, &row));
    TRY(arm_check_place(&t, &found));
    return done ? reply_group(r, 200, &t, &row) : E(RESOURCE_GROUP_NOT_FOUND);
}

err_t op_group_delete(struct call *r)
{
    struct arm_target t;
    struct place_found found;
    TRY(arm_group(r, &t));
    TRY(arm_check_there(r));
    TRY(db_group_delete(r->db, r->arena, &t.find.at, id_hub_host(r->arena, STR(""), r->cfg->domain),
                        r->cfg->undelete_days * DAY_S, &found));
    TRY(arm_check_place(&t, &found));
    return call_reply_empty(r, 200);
}

static err_t find_tagged(struct call *r, const struct resource_kind *k, struct tagged *ret)
{
    struct arm_target t;
    struct group_row *row;
    (void)k;
    TRY(find_group(r, &t, &row));
    *ret = (struct tagged){.id = arm_group_id(r->arena, &t.find.at.subscription_id, row->name), .tags = row->tags};
    return NULL;
}

static err_t write_tagged(struct call *r, const struct resource_kind *k, const struct tagged *was, struct str tags,
                          bool *ret_done)
{
    struct arm_target t;
    struct place_found found;
    struct group_row row;
    (void)k;
    TRY(arm_group(r, &t));
    TRY(db_group_retag(r->db, r->arena, &t.find.at, was->tags, tags, &found, ret_done, &row));
    return arm_check_place(&t, &found);
}

static const struct tags_owner tags_owner = {NULL, find_tagged, write_tagged};
TAGS_OPS(group, tags_owner)
