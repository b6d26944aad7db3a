/* enrollment_bulk.c: many entries of the enrollment list in one call (wire.md 3.4): one pipeline and one commit,
 * however many there are. One that is refused refuses no other. It must never write by rules of its own: those of a
 * single write hold (enrollment.h). */
#include <stdlib.h>

#include "api/op/enrollment.h"
#include "api/op/stale.h"
#include "core/json.h"

enum bulk_mode { MODE_ABSENT, MODE_CREATE, MODE_UPDATE, MODE_UPDATE_IF_MATCH, MODE_DELETE };
static const char *const mode_words[] = {"create", "update", "updateIfMatchETag", "delete", NULL};

/* One enrollment of the call, and what became of it. */
struct item {
    struct str id; /* as sent; empty when none could be read */
    struct enrollment_write write;
    err_t error;
    struct str words; /* about this one; absent: the error's own sentence */
    bool done;
};
struct bulk {
    const struct enrollment_kind *kind;
    int mode;
    struct item *items;
    size_t count;
};
static const struct codec bulk_codec[] = {
    CODEC_WORD(struct bulk, mode, "mode", mode_words, CODEC_MUST),
    CODEC_END,
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What is said of one goes to its line of the answer. */
static void settle(struct call *r, struct item *it, err_t e)
{
    it->error = e;
    it->done = true;
    if (r->detail.text[0])
        it->words = arena_str(r->arena, str_of(r->detail.text));
    r->detail.text[0] = '\0';
}

static err_t read_match(struct call *r, int mode, struct enrollment_write *w)
{
    static const enum match matches[] = {
        [MODE_CREATE] = MATCH_ABSENT, [MODE_UPDATE] = MATCH_ANY, [MODE_DELETE] = MATCH_ANY};
    w->match = mode == MODE_UPDATE_IF_MATCH ? service_match(w->body.etag, &w->tag) : matches[mode];
    if (mode == MODE_UPDATE_IF_MATCH && w->match == MATCH_ABSENT)
        return call_fail(r, E(BAD_FIELD), "etag is required when mode is updateIfMatchETag.");
    return NULL;
}

/* A delete asks for no more than this of an entry. */
static err_t read_named(struct call *r, const struct enrollment_kind *kind, struct json_in in, struct enrollment *ret)
{
    const struct codec named[] = {
        CODEC_TEXT(struct enrollment, id, kind->id, REGISTRATION_ID_MOST, CODEC_MUST),
        CODEC_END,
    };
    return codec_decode(r->arena, named, CODEC_KEEP_UNKNOWN, in, ret, &r->detail);
}

static err_t read_item(struct call *r, const struct bulk *b, struct json_in in, struct item *it)
{
    struct enrollment *e = &it->write.body;
    const json_t *id = json_object_get(in.v, b->kind->id);
    it->write.kind = b->kind;
    it->id = arena_copy(r->arena, json_is_string(id) ? json_string_value(id) : "", json_string_length(id));
    if (!json_is_object(in.v))
        return call_fail(r, E(BAD_FIELD), "An enrollment must be an object.");
    if (b->mode == MODE_DELETE)
        TRY(read_named(r, b->kind, in, e));
    else
        TRY(codec_decode(r->arena, b->kind->codec, CODEC_KEEP_UNKNOWN, in, e, &r->detail));
    TRY(id_registration_check(e->id, b->kind->id, &r->detail));
    it->write.guard.of.key = arena_lower(r->arena, e->id);
    if (b->mode != MODE_DELETE)
        TRY(enrollment_check(r, b->kind, e));
    return read_match(r, b->mode, &it->write);
}

static int compare_items(const void *a, const void *b)
{
    const struct item *first = a, *second = b;
    return str_compare(first->write.guard.of.key, second->write.guard.of.key);
}

/* In the order of their keys, so that no two calls wait for each other. Two changes of one enrollment have no order:
 * only one of them counts. */
static void sort_items(struct call *r, struct bulk *b)
{
    qsort(b->items, b->count, sizeof *b->items, compare_items);
    for (size_t i = 1; i < b->count; i++) {
        struct item *it = &b->items[i];
        if (it->done || compare_items(it - 1, it) != 0)
            continue;
        err_say(&r->detail, NULL, "%s stands twice in this call.", b->kind->id);
        settle(r, it, E(BAD_FIELD));
    }
}

static err_t read_bulk(struct call *r, struct bulk *b)
{
    json_auto_t *body = NULL;
    const json_t *v;
    size_t i;
    TRY(json_read(r->body, &r->detail, &body));
    TRY(codec_decode(r->arena, bulk_codec, CODEC_KEEP_UNKNOWN, (struct json_in){body, r->body}, b, &r->detail));
    const json_t *all = json_object_get(body, b->kind->all);
    if (!json_is_array(all) || json_array_size(all) > ENROLLMENT_CHANGES_MAX)
        return call_fail(r, E(BAD_FIELD), "%s must be an array of at most %d of them.", b->kind->all,
                         ENROLLMENT_CHANGES_MAX);
    b->count = json_array_size(all);
    b->items = ARENA_NEW_ARRAY(r->arena, b->count, struct item);
    json_array_foreach(all, i, v)
    {
        err_t e = read_item(r, b, (struct json_in){v, r->body}, &b->items[i]);
        if (e)
            settle(r, &b->items[i], e);
    }
    sort_items(r, b);
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Those that are to be written, and the items that they came from. */
struct change_set {
    struct enrollment_change changes[ENROLLMENT_CHANGES_MAX];
    struct item *items[ENROLLMENT_CHANGES_MAX];
    size_t count;
};

static err_t make_change(struct call *r, int mode, struct item *it, struct enrollment_change *ret)
{
    if (mode == MODE_DELETE)
        enrollment_set_guard(r, &it->write);
    else
        TRY(enrollment_make_row(r, &it->write, &ret->row));
    ret->guard = it->write.guard;
    return NULL;
}

/* The database's troubles are those of the whole call. */
static bool is_of_one(err_t e)
{
    return e->http_status && e->http_status != 503;
}

static err_t make_set(struct call *r, struct bulk *b, struct change_set *s)
{
    for (size_t i = 0; i < b->count; i++) {
        struct item *it = &b->items[i];
        if (it->done)
            continue;
        err_t e = make_change(r, b->mode, it, &s->changes[s->count]);
        if (e && !is_of_one(e))
            return e;
        if (e)
            settle(r, it, e);
        else
            s->items[s->count++] = it;
    }
    return NULL;
}

/* Those that were checked against what is no longer so stay undone. */
static err_t settle_set(struct call *r, struct change_set *s)
{
    err_t all = NULL;
    for (size_t i = 0; i < s->count; i++) {
        err_t e = enrollment_refusal(r, &s->items[i]->write, &s->changes[i].outcome);
        if (e == E(STALE))
            all = e;
        else
            settle(r, s->items[i], e);
    }
    return all;
}

static err_t bulk_work(struct call *r, void *context)
{
    struct bulk *b = context;
    struct change_set *s = ARENA_NEW(r->arena, struct change_set);
    TRY(make_set(r, b, s));
    if (!s->count)
        return NULL;
    if (b->mode == MODE_DELETE)
        TRY(db_enrollment_delete_all(r->db, r->arena, s->changes, s->count, r->cfg->lease_ms));
    else
        TRY(db_enrollment_put_all(r->db, r->arena, s->changes, s->count, b->mode != MODE_CREATE));
    return settle_set(r, s);
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

struct bulk_error {
    struct str id, status;
    struct opt_i64 code;
};
struct bulk_result {
    enum tri successful;
    struct obj_list errors;
};

static err_t reply_result(struct call *r, const struct enrollment_kind *kind, const struct bulk_result *result)
{
    const struct codec error[] = {
        CODEC_TEXT(struct bulk_error, id, kind->id, 0, CODEC_OUT),
        CODEC_I64(struct bulk_error, code, "errorCode", 0, 0, CODEC_OUT),
        CODEC_TEXT(struct bulk_error, status, "errorStatus", 0, CODEC_OUT),
        CODEC_END,
    };
    const struct codec codec[] = {
        CODEC_BOOL(struct bulk_result, successful, "isSuccessful", CODEC_OUT),
        CODEC_OBJECTS(struct bulk_result, errors, "errors", error, struct bulk_error, 0, CODEC_OUT),
        CODEC_END,
    };
    return call_reply_codec(r, 200, codec, result);
}

static err_t reply_bulk(struct call *r, const struct bulk *b)
{
    struct bulk_error *errors = ARENA_NEW_ARRAY(r->arena, b->count, struct bulk_error);
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct item *it = &b->items[i];
        if (it->error)
            errors[n++] = (struct bulk_error){
                it->id, it->words.p ? it->words : str_of(it->error->sentence), {true, it->error->code}};
    }
    struct bulk_result result = {n ? TRI_FALSE : TRI_TRUE, {errors, n, true}};
    return reply_result(r, b->kind, &result);
}

err_t enrollment_bulk(struct call *r, const struct enrollment_kind *kind)
{
    struct bulk *b = ARENA_NEW(r->arena, struct bulk);
    b->kind = kind;
    TRY(read_bulk(r, b));
    err_t e = stale_retry(r, bulk_work, b);
    if (e && e != E(STALE))
        return e;
    for (size_t i = 0; i < b->count; i++)
        if (!b->items[i].done)
            settle(r, &b->items[i], e);
    return reply_bulk(r, b);
}
