/* fits.c: does an entry fit a query? Three answers, as in SQL: what is absent or of another kind is neither equal nor
 * different. It must never change an entry. */
#include <stdlib.h>

#include "core/query/tree.h"
#include "core/word.h"

enum truth { NO, YES, NEITHER };

/* Free values of the entry that were read, so that each is read once. */
enum { READ_MAX = 8 };
struct entry {
    struct arena *arena;
    const void *at;
    struct {
        const struct str *text;
        json_t *v;
    } read[READ_MAX];
    size_t count;
};

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int query_compare(const struct query_value *a, const struct query_value *b)
{
    if (a->type == QUERY_TEXT)
        return str_compare(a->text, b->text);
    if (a->type == QUERY_REAL || b->type == QUERY_REAL)
        return (a->real > b->real) - (a->real < b->real);
    return order_of(a->n, b->n);
}

static bool is_number(const struct query_value *v)
{
    return v->type == QUERY_WHOLE || v->type == QUERY_REAL;
}

static bool comparable(const struct query_value *a, const struct query_value *b)
{
    return a->type == b->type || (is_number(a) && is_number(b));
}

/* --- what an entry holds ------------------------------------------------------------------------------------------ */

static struct query_value number(const json_t *v, struct str body, struct arena *a)
{
    struct text t;
    text_init(&t, a, 32);
    json_value(&t, (struct json_in){v, body});
    bool whole = json_is_integer(v);
    return (struct query_value){.type = whole ? QUERY_WHOLE : QUERY_REAL,
                                .n = whole ? json_integer_value(v) : 0,
                                .real = strtod(text_str(&t).p, NULL)};
}

static const json_t *read_once(struct entry *e, const struct str *text)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->read[i].text == text)
            return e->read[i].v;
    json_t *v = NULL;
    if (e->count == READ_MAX || json_read(*text, NULL, &v))
        return NULL;
    e->read[e->count].text = text;
    e->read[e->count++].v = v;
    return v;
}

static struct query_value free_value(struct entry *e, const struct query_member *m, const struct str *text)
{
    const json_t *v = read_once(e, text);
    for (size_t i = 0; i < m->name_count; i++)
        v = json_object_getn(v, m->names[i].p, m->names[i].n);
    if (json_is_string(v))
        return (struct query_value){.type = QUERY_TEXT, .text = {json_string_value(v), json_string_length(v)}};
    if (json_is_number(v))
        return number(v, *text, e->arena);
    if (json_is_boolean(v))
        return (struct query_value){.type = QUERY_BOOL, .n = json_is_true(v)};
    return (struct query_value){.type = json_is_object(v) || json_is_array(v) ? QUERY_OTHER : QUERY_ABSENT};
}

/* Where the member stands; NULL when one that it lies in is not there. */
static const void *place_of(const struct entry *e, const struct query_member *m)
{
    const char *at = e->at;
    for (size_t i = 0; i < m->step_count && at; i++) {
        at += m->steps[i]->offset;
        if (i + 1 < m->step_count && m->steps[i]->kind == CODEC_KIND_OBJECT)
            at = *(const char *const *)(const void *)at;
    }
    return at;
}

static struct query_value value_of(struct entry *e, const struct query_member *m)
{
    const struct codec *row = query_member_row(m);
    const void *at = place_of(e, m);
    if (!at || codec_absent(row, at))
        return (struct query_value){.type = QUERY_ABSENT};
    switch (row->kind) {
    case CODEC_KIND_TEXT: {
        struct str s = *(const struct str *)at;
        return (struct query_value){.type = QUERY_TEXT,
                                    .text = row->flags & CODEC_ANY_CASE ? arena_lower(e->arena, s) : s};
    }
    case CODEC_KIND_BOOL:
        return (struct query_value){.type = QUERY_BOOL, .n = *(const enum tri *)at == TRI_TRUE};
    case CODEC_KIND_I64: {
        int64_t n = ((const struct opt_i64 *)at)->n;
        return (struct query_value){.type = QUERY_WHOLE, .n = n, .real = (double)n};
    }
    case CODEC_KIND_TIME:
        return (struct query_value){.type = QUERY_TIME, .n = *(const int64_t *)at};
    case CODEC_KIND_WORD:
        return (struct query_value){.type = QUERY_TEXT, .text = word_text(row->words, *(const int *)at)};
    case CODEC_KIND_JSON:
        if (m->name_count)
            return free_value(e, m, at);
        break;
    default:
        break;
    }
    return (struct query_value){.type = QUERY_OTHER};
}

/* --- terms and conditions ----------------------------------------------------------------------------------------- */

static enum truth is_one_of(const struct query_value *v, const struct query_node *n)
{
    bool any = false;
    for (size_t i = 0; i < n->count; i++) {
        if (!comparable(v, &n->values[i]))
            continue;
        any = true;
        if (query_compare(v, &n->values[i]) == 0)
            return YES;
    }
    return any ? NO : NEITHER;
}

static enum truth term(struct entry *e, const struct query_node *n)
{
    struct query_value v = value_of(e, &n->member);
    if (n->kind == QUERY_DEFINED)
        return v.type != QUERY_ABSENT ? YES : NO;
    if (n->kind == QUERY_IN)
        return is_one_of(&v, n);
    if (!comparable(&v, n->values))
        return NEITHER;
    if (n->kind == QUERY_STARTS)
        return str_starts(v.text, n->values->text) ? YES : NO;
    int order = query_compare(&v, n->values);
    return (n->kind == QUERY_BELOW ? order < 0 : order > 0) ? YES : NO;
}

static enum truth holds(struct entry *e, const struct query_node *n)
{
    if (n->kind == QUERY_NOT) {
        enum truth t = holds(e, n->left);
        return t == NEITHER ? NEITHER : t == YES ? NO : YES;
    }
    if (n->kind != QUERY_AND && n->kind != QUERY_OR)
        return term(e, n);
    enum truth ends = n->kind == QUERY_AND ? NO : YES; /* says it all */
    enum truth left = holds(e, n->left);
    if (left == ends)
        return left;
    enum truth right = holds(e, n->right);
    return right == ends || left != NEITHER ? right : NEITHER;
}

bool query_fits(struct arena *a, const struct query *q, const void *entry)
{
    struct entry e = {.arena = a, .at = entry};
    bool fits = !q->where || holds(&e, q->where) == YES;
    for (size_t i = 0; i < e.count; i++)
        json_decref(e.read[i].v);
    return fits;
}

struct query_value query_index_value(struct arena *a, const struct query_list *list, size_t index, const void *entry)
{
    struct entry e = {.arena = a, .at = entry};
    struct query_member m;
    query_index_member(a, list, index, &m);
    return value_of(&e, &m);
}
