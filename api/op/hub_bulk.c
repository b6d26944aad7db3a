/* hub_bulk.c: many devices of a built-in hub in one call (wire.md 7.5): each kind of change is one statement and one
 * commit, however many devices it touches. A device that is refused refuses no other. */
#include <stdlib.h>
#include <string.h>

#include "api/op/hub_device.h"
#include "api/op/op.h"
#include "api/op/stale.h"
#include "core/json.h"

enum { BULK_MAX = 100, ERROR_TEXT_MAX = 300 };

/* One device of the call, and what became of it. */
struct item {
    struct str device_id; /* as sent; empty when there was none that could be read */
    int import_mode;      /* enum import_mode; IMPORT_ABSENT: refused before anything was tried */
    struct hub_device device;
    struct str tags, desired; /* of its twin, with create */
    err_t error;
    struct str words; /* about this device; absent: the error's own sentence */
    bool done;
};

struct bulk {
    struct item *items;
    size_t count;
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Turns a refusal of one device into its line of the answer. */
static void refuse(struct call *r, struct item *it, err_t e)
{
    it->error = e;
    it->done = true;
    if (r->detail.text[0])
        it->words = arena_printf(r->arena, "%.*s", ERROR_TEXT_MAX, r->detail.text);
    r->detail.text[0] = '\0';
}

static void read_item(struct call *r, const json_t *v, struct item *it)
{
    struct hub_import in = {0};
    const json_t *id = json_object_get(v, "id");
    it->device_id = arena_copy(r->arena, json_is_string(id) ? json_string_value(id) : "", json_string_length(id));
    err_t e =
        codec_decode(r->arena, hub_import_codec, CODEC_KEEP_UNKNOWN, (struct json_in){v, r->body}, &in, &r->detail);
    if (e) {
        refuse(r, it, e);
        return;
    }
    it->import_mode = in.import_mode;
    it->tags = in.tags;
    it->desired = in.properties.desired;
    it->device = in.device;
    it->device.device_id = it->device_id;
}

/* Two changes of one device in one call have no order: only the first one counts. */
static void refuse_twins(struct call *r, struct bulk *b)
{
    for (size_t i = 1; i < b->count; i++)
        for (size_t j = 0; j < i && !b->items[i].done; j++)
            if (str_same(b->items[i].device_id, b->items[j].device_id)) {
                err_say(&r->detail, NULL, "The device stands twice in this call.");
                refuse(r, &b->items[i], E(DEVICE_EXISTS));
            }
}

static err_t read_bulk(struct call *r, struct bulk *b)
{
    json_auto_t *body = NULL;
    const json_t *v;
    size_t i;
    TRY(json_read(r->body, &r->detail, &body));
    if (!json_is_array(body) || json_array_size(body) > BULK_MAX)
        return call_fail(r, E(BAD_FIELD), "The body must be an array of at most %d devices.", BULK_MAX);
    b->count = json_array_size(body);
    b->items = ARENA_NEW_ARRAY(r->arena, b->count, struct item);
    json_array_foreach(body, i, v)
    {
        read_item(r, v, &b->items[i]);
    }
    refuse_twins(r, b);
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

enum change { CREATE, UPDATE, DELETE };

static bool is_of(const struct item *it, enum change change)
{
    static const int first[] = {[CREATE] = IMPORT_CREATE, [UPDATE] = IMPORT_UPDATE, [DELETE] = IMPORT_DELETE};
    static const int second[] = {
        [CREATE] = IMPORT_CREATE, [UPDATE] = IMPORT_UPDATE_IF_MATCH, [DELETE] = IMPORT_DELETE_IF_MATCH};
    return !it->done && (it->import_mode == first[change] || it->import_mode == second[change]);
}

/* The rows of one statement, in byte order of their ids, and the items that they came from. */
struct change_set {
    struct hub_device_row *rows;
    struct item **items;
    size_t count;
};

static int compare_items(const void *a, const void *b)
{
    const struct item *const *first = a, *const *second = b;
    return str_compare((*first)->device_id, (*second)->device_id);
}

static err_t make_device(struct call *r, const struct item *it, enum change change, struct hub_device_row *ret)
{
    *ret = (struct hub_device_row){.device_id = it->device_id};
    if (change == DELETE)
        return NULL;
    TRY(id_device_check(it->device_id, "id", &r->detail));
    TRY(hub_device_row(r, &it->device, change == UPDATE, ret));
    return change == CREATE ? hub_twin_begin(r, it->tags, it->desired, ret) : NULL;
}

static err_t make_row(struct call *r, const struct item *it, enum change change, struct hub_device_row *ret)
{
    TRY(make_device(r, it, change, ret));
    bool matched = it->import_mode == IMPORT_UPDATE_IF_MATCH || it->import_mode == IMPORT_DELETE_IF_MATCH;
    if (matched && !it->device.etag.n)
        return call_fail(r, E(BAD_FIELD), "eTag is required for this importMode.");
    hub_device_match(r->arena, matched ? it->device.etag : STR("*"), ret);
    return NULL;
}

static void make_set(struct call *r, struct bulk *b, enum change change, struct change_set *ret)
{
    size_t count = 0;
    *ret = (struct change_set){.rows = ARENA_NEW_ARRAY(r->arena, b->count, struct hub_device_row),
                               .items = ARENA_NEW_ARRAY(r->arena, b->count, struct item *)};
    for (size_t i = 0; i < b->count; i++)
        if (is_of(&b->items[i], change))
            ret->items[count++] = &b->items[i];
    qsort(ret->items, count, sizeof(struct item *), compare_items);
    for (size_t i = 0; i < count; i++) {
        err_t e = make_row(r, ret->items[i], change, &ret->rows[ret->count]);
        if (e)
            refuse(r, ret->items[i], e);
        else
            ret->items[ret->count++] = ret->items[i];
    }
}

/* What became of the device `id` of the set. */
static void settle(const struct change_set *s, struct str id, err_t error)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_compare(s->items[middle]->device_id, id);
        if (order == 0) {
            s->items[middle]->error = error;
            return;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
}

/* An item that was neither written nor found keeps the error that it starts with. */
static void mark(struct change_set *s, err_t unless_found, const struct hub_devices_outcome *o)
{
    for (size_t i = 0; i < s->count; i++) {
        s->items[i]->error = unless_found;
        s->items[i]->done = true;
    }
    for (size_t i = 0; i < o->found.n; i++)
        settle(s, o->found.at[i], E(PRECONDITION_FAILED));
    for (size_t i = 0; i < o->anothers.n; i++)
        settle(s, o->anothers.at[i], E(DEVICE_OF_ANOTHER_SCOPE));
    for (size_t i = 0; i < o->written.n; i++)
        settle(s, o->written.at[i], NULL);
}

static err_t apply(struct call *r, struct bulk *b, enum change change)
{
    struct change_set s;
    struct hub_devices_outcome o;
    struct hub_guard guard = hub_device_guard(r);
    make_set(r, b, change, &s);
    if (!s.count)
        return NULL;
    if (change == CREATE)
        TRY(db_hub_device_create(r->db, r->arena, &guard, hub_device_generation(r), s.rows, s.count, &o));
    else if (change == UPDATE)
        TRY(db_hub_device_update(r->db, r->arena, &guard, hub_device_generation(r), s.rows, s.count, &o));
    else
        TRY(db_hub_device_delete(r->db, r->arena, &guard, s.rows, s.count, &o));
    if (!o.live)
        return E(STALE);
    mark(&s, change == CREATE ? E(DEVICE_EXISTS) : E(DEVICE_NOT_FOUND), &o);
    return NULL;
}

static err_t bulk_work(struct call *r, void *context)
{
    TRY(apply(r, context, CREATE));
    TRY(apply(r, context, UPDATE));
    return apply(r, context, DELETE);
}

/* --- answering ---------------------------------------------------------------------------------------------------- */

struct bulk_error {
    struct str device_id, status;
    struct opt_i64 code;
};
static const struct codec bulk_error_codec[] = {
    CODEC_TEXT(struct bulk_error, device_id, "deviceId", 0, CODEC_OUT),
    CODEC_I64(struct bulk_error, code, "errorCode", 0, 0, CODEC_OUT),
    CODEC_TEXT(struct bulk_error, status, "errorStatus", 0, CODEC_OUT),
    CODEC_END,
};
struct bulk_result {
    enum tri successful;
    struct obj_list errors, warnings; /* struct bulk_error; there are never warnings */
};
static const struct codec bulk_result_codec[] = {
    CODEC_BOOL(struct bulk_result, successful, "isSuccessful", CODEC_OUT),
    CODEC_OBJECTS(struct bulk_result, errors, "errors", bulk_error_codec, struct bulk_error, 0, CODEC_OUT),
    CODEC_OBJECTS(struct bulk_result, warnings, "warnings", bulk_error_codec, struct bulk_error, 0, CODEC_OUT),
    CODEC_END,
};

static err_t reply_bulk(struct call *r, const struct bulk *b)
{
    struct bulk_error *errors = ARENA_NEW_ARRAY(r->arena, b->count, struct bulk_error);
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct item *it = &b->items[i];
        if (!it->error)
            continue;
        struct str words = it->words.p ? it->words : str_of(it->error->sentence);
        errors[n++] = (struct bulk_error){it->device_id,
                                          arena_printf(r->arena, "%s;%.*s", it->error->hub_code, STR_ARG(words)),
                                          {true, it->error->code}};
    }
    struct bulk_result result = {n ? TRI_FALSE : TRI_TRUE, {errors, n, true}, {NULL, 0, true}};
    return call_reply_codec(r, 200, bulk_result_codec, &result);
}

err_t op_hub_device_bulk(struct call *r)
{
    struct bulk *b = ARENA_NEW(r->arena, struct bulk);
    TRY(read_bulk(r, b));
    TRY(stale_retry(r, bulk_work, b));
    return reply_bulk(r, b);
}
