/* codec.c: reads and writes JSON by tables. It must never know a member's name: those stand in the tables. */
#include "codec.h"

#include "word.h"

#include <inttypes.h>
#include <string.h>

enum { CODEC_ITEM_MAX = 1024 }; /* bytes of one text in a list */

/* Where in the body a reader stands: a chain on the stack, from the member up to the body itself. */
struct path {
    const struct path *up;
    const char *name; /* NULL: an element of a list */
    size_t index;
};

struct reading {
    struct arena *arena;
    struct str body;
    unsigned mode;
    struct err_detail *detail;
};

typedef err_t read_fn(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to);

static void add_path(struct text *t, const struct path *at)
{
    if (!at)
        return;
    add_path(t, at->up);
    if (!at->name)
        text_printf(t, "[%zu]", at->index);
    else
        text_printf(t, "%s%s", t->n ? "." : "", at->name);
}

static err_t bad(struct reading *r, const struct path *at, const char *rule)
{
    struct text t;
    text_init(&t, r->arena, 128);
    add_path(&t, at);
    return err_say(r->detail, E(BAD_FIELD), "%s %s.", t.n ? text_str(&t).p : "The body", rule);
}

static err_t read_text(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    if (!json_is_string(v))
        return bad(r, at, "must be a string");
    struct str s = {json_string_value(v), json_string_length(v)};
    if ((int64_t)s.n < row->min || (int64_t)s.n > row->max)
        return bad(r, at, arena_printf(r->arena, "must have at most %" PRId64 " bytes", row->max).p);
    if (memchr(s.p, '\0', s.n))
        return bad(r, at, "must not hold a NUL character");
    *(struct str *)to = arena_str(r->arena, s);
    return NULL;
}

static err_t read_bool(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    (void)row;
    if (!json_is_boolean(v))
        return bad(r, at, "must be true or false");
    *(enum tri *)to = json_is_true(v) ? TRI_TRUE : TRI_FALSE;
    return NULL;
}

static err_t read_i64(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    int64_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < row->min || n > row->max)
        return bad(r, at,
                   arena_printf(r->arena, "must be a whole number from %" PRId64 " to %" PRId64, row->min, row->max).p);
    *(struct opt_i64 *)to = (struct opt_i64){true, n};
    return NULL;
}

static err_t read_word(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    int number = word_number_nocase(row->words, (struct str){json_string_value(v), json_string_length(v)});
    if (!number)
        return bad(r, at, arena_printf(r->arena, "must be one of %s", word_list(r->arena, row->words).p).p);
    *(int *)to = number;
    return NULL;
}

static err_t check_list(struct reading *r, const struct path *at, const struct codec *row, const json_t *v)
{
    if (!json_is_array(v))
        return bad(r, at, "must be an array");
    if ((int64_t)json_array_size(v) > row->max)
        return bad(r, at, arena_printf(r->arena, "must have at most %" PRId64 " elements", row->max).p);
    return NULL;
}

static err_t read_texts(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    static const struct codec item = {.kind = CODEC_KIND_TEXT, .max = CODEC_ITEM_MAX};
    TRY(check_list(r, at, row, v));
    struct str_list list = {.n = json_array_size(v), .set = true};
    list.at = ARENA_NEW_ARRAY(r->arena, list.n, struct str);
    for (size_t i = 0; i < list.n; i++) {
        struct path here = {.up = at, .index = i};
        TRY(read_text(r, &here, &item, json_array_get(v, i), &list.at[i]));
    }
    *(struct str_list *)to = list;
    return NULL;
}

static err_t read_json(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    if (row->flags & CODEC_OBJECT_ONLY && !json_is_object(v))
        return bad(r, at, "must be an object");
    struct text t;
    text_init(&t, r->arena, 256);
    json_value(&t, (struct json_in){v, r->body});
    if ((int64_t)t.n > row->max)
        return bad(r, at, arena_printf(r->arena, "must have at most %" PRId64 " bytes", row->max).p);
    *(struct str *)to = text_str(&t);
    return NULL;
}

static err_t read_members(struct reading *r, const struct path *at, const struct codec *table, const json_t *in,
                          void *to);

static err_t read_object(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    void *inner = arena_alloc(r->arena, row->inner_size);
    TRY(read_members(r, at, row->inner, v, inner));
    *(void **)to = inner;
    return NULL;
}

static err_t read_inner(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    return read_members(r, at, row->inner, v, to);
}

static err_t read_objects(struct reading *r, const struct path *at, const struct codec *row, const json_t *v, void *to)
{
    TRY(check_list(r, at, row, v));
    struct obj_list list = {.n = json_array_size(v), .set = true};
    list.at = arena_array(r->arena, list.n, row->inner_size);
    for (size_t i = 0; i < list.n; i++) {
        struct path here = {.up = at, .index = i};
        TRY(read_members(r, &here, row->inner, json_array_get(v, i), (char *)list.at + i * row->inner_size));
    }
    *(struct obj_list *)to = list;
    return NULL;
}

/* Indexed by enum codec_kind; CODEC_KIND_TIME is never read. */
static read_fn *const readers[] = {
    [CODEC_KIND_TEXT] = read_text,     [CODEC_KIND_BOOL] = read_bool,   [CODEC_KIND_I64] = read_i64,
    [CODEC_KIND_WORD] = read_word,     [CODEC_KIND_TEXTS] = read_texts, [CODEC_KIND_JSON] = read_json,
    [CODEC_KIND_OBJECT] = read_object, [CODEC_KIND_INNER] = read_inner, [CODEC_KIND_OBJECTS] = read_objects,
};

/* The member of a row, NULL when absent or null. Two spellings of one name are as bad as a name that stands twice. */
static err_t find_member(struct reading *r, const struct path *at, const struct codec *row, const json_t *in,
                         const json_t **ret)
{
    const json_t *found = json_object_get(in, row->name);
    if (r->mode & CODEC_NO_CASE && !(row->flags & CODEC_EXACT)) {
        const char *key;
        json_t *v;
        found = NULL;
        json_object_foreach((json_t *)in, key, v)
        {
            if (!str_same_nocase(str_of(key), str_of(row->name)))
                continue;
            if (found)
                return bad(r, at, "stands twice");
            found = v;
        }
    }
    *ret = json_is_null(found) ? NULL : found;
    return NULL;
}

static err_t read_members(struct reading *r, const struct path *at, const struct codec *table, const json_t *in,
                          void *to)
{
    if (!json_is_object(in))
        return bad(r, at, "must be an object");
    for (const struct codec *row = table; row->kind != CODEC_KIND_END; row++) {
        struct path here = {.up = at, .name = row->name};
        const json_t *v = NULL;
        if (row->flags & CODEC_OUT)
            continue;
        TRY(find_member(r, &here, row, in, &v));
        if (v)
            TRY(readers[row->kind](r, &here, row, v, (char *)to + row->offset));
        else if (row->flags & CODEC_MUST)
            return bad(r, &here, "is required");
    }
    return NULL;
}

err_t codec_decode(struct arena *a, const struct codec *table, unsigned mode, struct json_in in, void *to,
                   struct err_detail *d)
{
    struct reading r = {a, in.body, mode, d};
    return read_members(&r, NULL, table, in.v, to);
}

err_t codec_read(struct arena *a, const struct codec *table, unsigned mode, struct str body, void *to,
                 struct err_detail *d)
{
    json_auto_t *v = NULL;
    TRY(json_read(body, d, &v));
    return codec_decode(a, table, mode, (struct json_in){v, body}, to, d);
}

static bool all_absent(const struct codec *row, const void *from)
{
    while (row->kind != CODEC_KIND_END && codec_absent(row, (const char *)from + row->offset))
        row++;
    return row->kind == CODEC_KIND_END;
}

bool codec_absent(const struct codec *row, const void *from)
{
    switch (row->kind) {
    case CODEC_KIND_TEXT:
    case CODEC_KIND_JSON:
        return !((const struct str *)from)->p;
    case CODEC_KIND_BOOL:
        return *(const enum tri *)from == TRI_ABSENT;
    case CODEC_KIND_I64:
        return !((const struct opt_i64 *)from)->set;
    case CODEC_KIND_TIME:
        return *(const int64_t *)from == 0;
    case CODEC_KIND_WORD:
        return *(const int *)from == 0;
    case CODEC_KIND_TEXTS:
        return !((const struct str_list *)from)->set;
    case CODEC_KIND_OBJECTS:
        return !((const struct obj_list *)from)->set;
    case CODEC_KIND_OBJECT:
        return !*(void *const *)from;
    case CODEC_KIND_INNER:
        return all_absent(row->inner, from);
    case CODEC_KIND_END:
        break;
    }
    return true;
}

static void write_texts(struct text *out, const char *name, const struct str_list *list)
{
    json_member(out, name);
    text_add_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            text_add_char(out, ',');
        json_text(out, list->at[i]);
    }
    text_add_char(out, ']');
}

static void write_objects(struct text *out, const struct codec *row, const struct obj_list *list)
{
    json_member(out, row->name);
    text_add_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i)
            text_add_char(out, ',');
        codec_encode(out, row->inner, (const char *)list->at + i * row->inner_size);
    }
    text_add_char(out, ']');
}

/* A member that is there. */
static void write_member(struct text *out, const struct codec *row, const void *from)
{
    switch (row->kind) {
    case CODEC_KIND_TEXT:
        json_member_text(out, row->name, *(const struct str *)from);
        break;
    case CODEC_KIND_BOOL:
        json_member_bool(out, row->name, *(const enum tri *)from == TRI_TRUE);
        break;
    case CODEC_KIND_I64:
        json_member_i64(out, row->name, ((const struct opt_i64 *)from)->n);
        break;
    case CODEC_KIND_TIME:
        json_member_time(out, row->name, *(const int64_t *)from);
        break;
    case CODEC_KIND_WORD:
        json_member_text(out, row->name, str_of(row->words[*(const int *)from - 1]));
        break;
    case CODEC_KIND_TEXTS:
        write_texts(out, row->name, from);
        break;
    case CODEC_KIND_JSON:
        json_member(out, row->name);
        text_add(out, *(const struct str *)from);
        break;
    case CODEC_KIND_OBJECT:
        json_member(out, row->name);
        codec_encode(out, row->inner, *(void *const *)from);
        break;
    case CODEC_KIND_INNER:
        json_member(out, row->name);
        codec_encode(out, row->inner, from);
        break;
    case CODEC_KIND_OBJECTS:
        write_objects(out, row, from);
        break;
    case CODEC_KIND_END:
        break;
    }
}

void codec_encode(struct text *out, const struct codec *table, const void *from)
{
    text_add_char(out, '{');
    for (const struct codec *row = table; row->kind != CODEC_KIND_END; row++) {
        const void *member = (const char *)from + row->offset;
        if (row->flags & CODEC_IN)
            continue;
        if (!codec_absent(row, member)) {
            write_member(out, row, member);
        } else if (row->flags & CODEC_NULL) {
            json_member(out, row->name);
            text_add(out, STR("null"));
        }
    }
    text_add_char(out, '}');
}
