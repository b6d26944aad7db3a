/* lock.c: locks on a subscription, a group, a hub or an instance as resources (decisions.md 33): one table, four places
 * where they are asked for. What they forbid is api/locks.c's. */
#include "db/lock.h"

#include <string.h>

#include "api/locks.h"
#include "api/op/arm.h"
#include "api/op/op.h"
#include "api/op/resource.h"
#include "core/limits.h"
#include "core/model.h"

#define LOCK_WORD "/providers/Microsoft.Authorization/locks"

/* What a lock is on: kinds of places. */
enum on { ON_SUBSCRIPTION, ON_GROUP, ON_HUB, ON_INSTANCE };

/* --- on the wire -------------------------------------------------------------------------------------------------- */

struct lock_properties {
    int level; /* of lock_level_words */
    struct str notes;
};
static const struct codec properties_codec[] = {
    CODEC_WORD(struct lock_properties, level, "level", lock_level_words, CODEC_MUST),
    CODEC_TEXT(struct lock_properties, notes, "notes", LOCK_NOTES_MOST, 0),
    CODEC_END,
};
struct lock_body {
    struct str id, name, type; /* out */
    struct lock_properties *properties;
};
static const struct codec body_codec[] = {
    CODEC_TEXT(struct lock_body, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(struct lock_body, name, "name", LOCK_NAME_MOST, CODEC_OUT),
    CODEC_TEXT(struct lock_body, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECT(struct lock_body, properties, "properties", properties_codec, struct lock_properties, CODEC_MUST),
    CODEC_END,
};

static void write_lock(struct call *r, const struct lock_row *row, struct text *out)
{
    struct lock_properties properties = {row->level, row->notes};
    const struct lock_body body = {
        .id = arena_printf(r->arena, "%.*s" LOCK_WORD "/%.*s", STR_ARG(row->path), STR_ARG(row->name)),
        .name = row->name,
        .type = STR("Microsoft.Authorization/locks"),
        .properties = &properties,
    };
    codec_encode(out, body_codec, &body);
}

static err_t reply_lock(struct call *r, int status, const struct lock_row *row)
{
    struct text out;
    text_init(&out, r->arena, 512);
    write_lock(r, row, &out);
    return call_reply(r, status, text_str(&out));
}

/* --- where -------------------------------------------------------------------------------------------------------- */

/* The place of the path, and which page of it is asked for. */
struct asked {
    struct arm_target target;
    struct lock_at at;
    struct lock_find find;
};

/* What of the path stands before the locks. */
static struct str place_of(struct call *r)
{
    struct str place = locks_place(r), word = arena_lower(r->arena, STR(LOCK_WORD));
    while (place.n && !str_ends_nocase(place, word))
        place.n--;
    place.n -= word.n;
    return place;
}

static err_t read_place(struct call *r, enum on on, struct asked *ret)
{
    err_t (*const readers[])(struct call *, struct arm_target *) = {[ON_SUBSCRIPTION] = arm_subscription,
                                                                    [ON_GROUP] = arm_group,
                                                                    [ON_HUB] = arm_resource,
                                                                    [ON_INSTANCE] = arm_resource};
    *ret = (struct asked){.find = {.place = place_of(r)}};
    TRY(readers[on](r, &ret->target));
    const struct find *f = &ret->target.find;
    ret->at.at = f->at;
    if (on == ON_HUB)
        ret->at.hub_key = f->name_key;
    if (on == ON_INSTANCE)
        ret->at.instance_key = f->name_key;
    ret->find.name_key = arena_lower(r->arena, r->segments[SEGMENT_LOCK]);
    return NULL;
}

static err_t check_there(const struct asked *a, const struct place_found *found, bool there)
{
    TRY(arm_check_place(&a->target, found));
    return there ? NULL : E(RESOURCE_NOT_FOUND);
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

static err_t find(struct call *r, struct asked *a, struct lock_row **ret, size_t *ret_count, bool *ret_more)
{
    struct place_found found;
    bool there;
    TRY(db_lock_find(r->db, r->arena, &a->at, &a->find, &found, &there, ret, ret_count, ret_more));
    return check_there(a, &found, there);
}

static err_t list(struct call *r, enum on on)
{
    struct asked a;
    struct lock_row *rows;
    size_t count;
    bool more;
    struct text out;
    struct str filter = call_query(r, "$filter");
    TRY(read_place(r, on, &a));
    if (filter.n && !str_same_nocase(filter, STR("atScope()")))
        return call_fail(r, E(BAD_REQUEST), "$filter: atScope() alone can be asked for.");
    a.find.beneath = !filter.n;
    TRY(arm_page(r, &a.target.find));
    a.find.after = a.target.find.after;
    a.find.most = a.target.find.most;
    TRY(find(r, &a, &rows, &count, &more));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_lock(r, &rows[i], &out);
    }
    return arm_list_end(r, &out, more ? rows[count - 1].key : (struct str){NULL, 0});
}

static err_t get(struct call *r, enum on on)
{
    struct asked a;
    struct lock_row *row;
    size_t count;
    bool more;
    TRY(read_place(r, on, &a));
    TRY(find(r, &a, &row, &count, &more));
    if (!count)
        return call_fail(r, E(LOCK_NOT_FOUND), "The lock '%.*s' could not be found.",
                         STR_ARG(r->segments[SEGMENT_LOCK]));
    return reply_lock(r, 200, row);
}

static bool name_is_good(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || strchr("<>%&:\\?/", name.p[i]))
            return false;
    return name.n && name.n <= LOCK_NAME_MOST;
}

static err_t put(struct call *r, enum on on)
{
    struct asked a;
    struct lock_body body = {0};
    struct lock_scope scope;
    struct place_found found;
    bool there, created;
    struct str name = r->segments[SEGMENT_LOCK];
    TRY(read_place(r, on, &a));
    if (!name_is_good(name))
        return call_fail(r, E(BAD_ID),
                         "lockName: 1 to %d characters, none of them <, >, %%, &, :, \\, ?, / or a control.",
                         LOCK_NAME_MOST);
    TRY(call_decode(r, body_codec, CODEC_NO_CASE, &body));
    TRY(db_lock_scope(r->db, r->arena, &a.at, &found, &there, &scope));
    TRY(check_there(&a, &found, there));
    const struct lock_row row = {
        .name = name, .path = scope.path, .level = body.properties->level, .notes = body.properties->notes};
    TRY(db_lock_put(r->db, r->arena, &a.at.at, &scope, &row, &created));
    return reply_lock(r, created ? 201 : 200, &row);
}

static err_t erase(struct call *r, enum on on)
{
    struct asked a;
    struct lock_scope scope;
    struct place_found found;
    bool there, gone;
    TRY(read_place(r, on, &a));
    TRY(db_lock_scope(r->db, r->arena, &a.at, &found, &there, &scope));
    TRY(check_there(&a, &found, there));
    TRY(db_lock_delete(r->db, r->arena, &a.at.at.tenant_id, a.find.place, a.find.name_key, &gone));
    return call_reply_empty(r, gone ? 200 : 204);
}

#define LOCK_OP(noun, on, name, work)                                                                                  \
    err_t op_##noun##_lock_##name(struct call *r)                                                                      \
    {                                                                                                                  \
        return work(r, on);                                                                                            \
    }
#define LOCK_OPS(noun, on)                                                                                             \
    LOCK_OP(noun, on, list, list)                                                                                      \
    LOCK_OP(noun, on, get, get)                                                                                        \
    LOCK_OP(noun, on, put, put)                                                                                        \
    LOCK_OP(noun, on, delete, erase)
LOCK_OPS(subscription, ON_SUBSCRIPTION)
LOCK_OPS(group, ON_GROUP)
LOCK_OPS(hub, ON_HUB)
LOCK_OPS(instance, ON_INSTANCE)
