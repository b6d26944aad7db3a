/* tags.c: the tags of a subscription, a group or a resource as a resource of their own (wire.md 1.10). Two who change
 * different tags at the same time both find theirs: what was read is written back only onto what it was read of. It
 * must never change anything but tags. */
#include "api/op/tags.h"

#include "core/word.h"

enum { TRIES = 8 };
enum operation { OPERATION_ABSENT, OPERATION_MERGE, OPERATION_REPLACE, OPERATION_DELETE };
static const char *const operation_words[] = {"Merge", "Replace", "Delete", NULL};

/* --- on the wire -------------------------------------------------------------------------------------------------- */

struct sent_tags {
    struct str tags;
};
struct body {
    int operation; /* of a PATCH */
    struct sent_tags *properties;
};
static const struct codec tags_codec[] = {
    CODEC_JSON(struct sent_tags, tags, "tags", RESOURCE_JSON_MAX, CODEC_OBJECT_ONLY),
    CODEC_END,
};
static const struct codec body_codec[] = {
    CODEC_WORD(struct body, operation, "operation", operation_words, 0),
    CODEC_OBJECT(struct body, properties, "properties", tags_codec, struct sent_tags, CODEC_MUST),
    CODEC_END,
};
static const struct codec shown_codec[] = {RESOURCE_ROWS, PROPERTIES_ROW, CODEC_END};

static err_t reply(struct call *r, const struct tagged *t)
{
    const struct sent_tags properties = {t->tags};
    const struct resource res = {
        .id = arena_printf(r->arena, "%s/providers/Microsoft.Resources/tags/default", t->id.p),
        .name = STR("default"),
        .type = STR("Microsoft.Resources/tags"),
        .properties = resource_join(r->arena, tags_codec, &properties, STR("{}")),
    };
    return call_reply_codec(r, 200, shown_codec, &res);
}

static err_t read_body(struct call *r, struct body *ret)
{
    *ret = (struct body){0};
    TRY(call_decode(r, body_codec, CODEC_NO_CASE, ret));
    return arm_tags(r, "properties.tags", ret->properties->tags, &ret->properties->tags);
}

/* --- what becomes of them ----------------------------------------------------------------------------------------- */

/* The name that stands, in any case; NULL: there is none. */
static const char *standing(json_t *tags, const char *name)
{
    const char *key;
    json_t *v;
    json_object_foreach(tags, key, v)
    {
        if (str_same_nocase(str_of(key), str_of(name)))
            return key;
    }
    return NULL;
}

/* A tag is deleted where name and value are as sent. */
static void change_tag(json_t *tags, enum operation operation, const char *name, json_t *value)
{
    const char *key = standing(tags, name);
    if (operation == OPERATION_MERGE)
        json_object_set(tags, key ? key : name, value);
    else if (key && json_equal(json_object_get(tags, key), value))
        json_object_del(tags, key);
}

static err_t change_tags(struct call *r, struct str now, enum operation operation, struct str sent, struct str *ret)
{
    json_auto_t *tags = NULL, *given = NULL;
    const char *name;
    json_t *value;
    struct text t;
    *ret = sent;
    if (operation == OPERATION_REPLACE)
        return NULL;
    TRY(json_read(now, NULL, &tags));
    TRY(json_read(sent, NULL, &given));
    json_object_foreach(given, name, value)
    {
        change_tag(tags, operation, name, value);
    }
    text_init(&t, r->arena, now.n + sent.n);
    json_value(&t, (struct json_in){tags, now});
    return arm_tags(r, "properties.tags", text_str(&t), ret);
}

static err_t write_tags(struct call *r, const struct tags_owner *of, enum operation operation, struct str sent,
                        struct tagged *ret)
{
    for (int i = 0; i < TRIES; i++) {
        struct tagged now;
        bool done;
        TRY(of->find(r, of->kind, &now));
        *ret = now;
        TRY(change_tags(r, now.tags, operation, sent, &ret->tags));
        TRY(of->write(r, of->kind, &now, ret->tags, &done));
        if (done)
            return NULL;
    }
    return E(CONFLICT);
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

err_t tags_get(struct call *r, const struct tags_owner *of)
{
    struct tagged t;
    TRY(of->find(r, of->kind, &t));
    return reply(r, &t);
}

err_t tags_put(struct call *r, const struct tags_owner *of)
{
    struct body body;
    struct tagged t;
    TRY(read_body(r, &body));
    TRY(write_tags(r, of, OPERATION_REPLACE, body.properties->tags, &t));
    return reply(r, &t);
}

err_t tags_patch(struct call *r, const struct tags_owner *of)
{
    struct body body;
    struct tagged t;
    TRY(read_body(r, &body));
    if (!body.operation)
        return call_fail(r, E(BAD_FIELD), "operation must be one of %s.", word_list(r->arena, operation_words).p);
    TRY(write_tags(r, of, (enum operation)body.operation, body.properties->tags, &t));
    return reply(r, &t);
}

err_t tags_delete(struct call *r, const struct tags_owner *of)
{
    struct tagged t;
    TRY(write_tags(r, of, OPERATION_REPLACE, STR("{}"), &t));
    return call_reply_empty(r, 200);
}
