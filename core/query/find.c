/* find.c: which spans of which index hold all entries that fit. It may find more than fit and must never find less:
 * each entry is asked itself (fits.c). */
#include <stdlib.h>

#include "core/query/tree.h"

/* Spans in order that do not meet; or nothing is known: every entry may fit. */
struct set {
    bool all;
    struct query_span *at;
    size_t count;
};

static const struct set everything = {.all = true};

static int compare_spans(const void *a, const void *b)
{
    const struct query_span *first = a, *second = b;
    return query_compare(&first->least, &second->least);
}

static struct set with_room(struct arena *a, size_t count)
{
    return (struct set){.at = ARENA_NEW_ARRAY(a, count, struct query_span)};
}

/* Sorts, and makes one span of those that meet. */
static struct set joined(struct set s)
{
    size_t count = 0;
    qsort(s.at, s.count, sizeof *s.at, compare_spans);
    for (size_t i = 0; i < s.count; i++) {
        struct query_span *last = count ? &s.at[count - 1] : NULL;
        if (!last || query_compare(&last->most, &s.at[i].least) < 0)
            s.at[count++] = s.at[i];
        else if (query_compare(&last->most, &s.at[i].most) < 0)
            last->most = s.at[i].most;
    }
    s.count = count;
    return s;
}

static struct set both(struct arena *a, struct set one, struct set other)
{
    if (one.all || other.all)
        return one.all ? other : one;
    struct set s = with_room(a, one.count + other.count);
    for (size_t i = 0, j = 0; i < one.count && j < other.count;) {
        const struct query_span *x = &one.at[i], *y = &other.at[j];
        bool x_ends = query_compare(&x->most, &y->most) < 0;
        struct query_span met = {query_compare(&x->least, &y->least) < 0 ? y->least : x->least,
                                 x_ends ? x->most : y->most};
        if (query_compare(&met.least, &met.most) <= 0)
            s.at[s.count++] = met;
        i += x_ends;
        j += !x_ends;
    }
    return s;
}

static struct set either(struct arena *a, struct set one, struct set other)
{
    if (one.all || other.all)
        return everything;
    struct set s = with_room(a, one.count + other.count);
    for (size_t i = 0; i < one.count; i++)
        s.at[s.count++] = one.at[i];
    for (size_t i = 0; i < other.count; i++)
        s.at[s.count++] = other.at[i];
    return joined(s);
}

/* --- of one member ------------------------------------------------------------------------------------------------ */

/* Texts that stand in an index are of printable ASCII (ids) or words. */
static struct query_value end_of(const struct codec *row, bool last)
{
    if (row->kind == CODEC_KIND_TIME)
        return (struct query_value){.type = QUERY_TIME, .n = last ? INT64_MAX : INT64_MIN};
    return (struct query_value){.type = QUERY_TEXT, .text = last ? STR("\x7f") : STR("")};
}

static struct set one_span(struct arena *a, struct query_value least, struct query_value most)
{
    struct set s = with_room(a, 1);
    s.at[s.count++] = (struct query_span){least, most};
    return s;
}

static struct set points(struct arena *a, const struct query_node *n)
{
    struct set s = with_room(a, n->count);
    for (size_t i = 0; i < n->count; i++)
        s.at[s.count++] = (struct query_span){n->values[i], n->values[i]};
    return joined(s);
}

static bool has_word(const struct query_node *n, const char *word)
{
    for (size_t i = 0; i < n->count; i++)
        if (str_same(n->values[i].text, str_of(word)))
            return true;
    return false;
}

static struct set other_words(struct arena *a, const struct query_node *n, const char *const *words)
{
    size_t count = 0;
    while (words[count])
        count++;
    struct set s = with_room(a, count);
    for (size_t i = 0; i < count; i++) {
        struct query_value v = {.type = QUERY_TEXT, .text = str_of(words[i])};
        if (!has_word(n, words[i]))
            s.at[s.count++] = (struct query_span){v, v};
    }
    return joined(s);
}

/* What the term, or its NOT, says of its member. */
static struct set term(struct arena *a, const struct query_node *n, bool negated)
{
    const struct codec *row = query_member_row(&n->member);
    const struct query_value first = end_of(row, false), last = end_of(row, true);
    switch (n->kind) {
    case QUERY_IN:
        if (!negated)
            return points(a, n);
        return row->kind == CODEC_KIND_WORD ? other_words(a, n, row->words) : everything;
    case QUERY_BELOW:
        return negated ? one_span(a, n->values[0], last) : one_span(a, first, n->values[0]);
    case QUERY_ABOVE:
        return negated ? one_span(a, first, n->values[0]) : one_span(a, n->values[0], last);
    case QUERY_STARTS: {
        struct query_value end = {.type = QUERY_TEXT, .text = arena_printf(a, "%.*s\x7f", STR_ARG(n->values[0].text))};
        return negated ? everything : one_span(a, n->values[0], end);
    }
    default:
        return everything;
    }
}

static struct set spans_of(struct arena *a, const struct query_node *n, struct str member, bool negated)
{
    if (n->kind == QUERY_NOT)
        return spans_of(a, n->left, member, !negated);
    if (n->kind != QUERY_AND && n->kind != QUERY_OR)
        return str_same(n->member.path, member) ? term(a, n, negated) : everything;
    struct set left = spans_of(a, n->left, member, negated), right = spans_of(a, n->right, member, negated);
    return (n->kind == QUERY_AND) != negated ? both(a, left, right) : either(a, left, right);
}

/* --- which index -------------------------------------------------------------------------------------------------- */

static bool is_end(const struct query_value *v, const struct codec *row, bool last)
{
    const struct query_value end = end_of(row, last);
    return query_compare(v, &end) == 0;
}

/* How many entries a set leaves, as a guess; the smaller the better. */
enum guess { FEW, SOME, MANY, MOST, ALL };

static enum guess guess_of(const struct set *s, const struct codec *row)
{
    enum guess worst = FEW;
    if (s->all)
        return ALL;
    if (row->kind == CODEC_KIND_WORD)
        return s->count ? MOST : FEW;
    for (size_t i = 0; i < s->count; i++) {
        bool open = is_end(&s->at[i].least, row, false) || is_end(&s->at[i].most, row, true);
        enum guess g = open ? MANY : query_compare(&s->at[i].least, &s->at[i].most) ? SOME : FEW;
        worst = g > worst ? g : worst;
    }
    return worst;
}

/* Does the index hold all of the set? */
static bool holds(const struct query_index *index, const struct set *s)
{
    const struct query_value only = {.type = QUERY_TEXT, .text = str_of(index->only)};
    for (size_t i = 0; index->only && i < s->count; i++)
        if (query_compare(&s->at[i].least, &only) || query_compare(&s->at[i].most, &only))
            return false;
    return !index->only || !s->all;
}

/* Is it read in the order that is wanted? Entries of one value are in the order of the key. */
static bool in_order(const struct query *q, size_t index, const struct set *s)
{
    bool one_value = !s->all && (s->count == 0 || (s->count == 1 && !query_compare(&s->at[0].least, &s->at[0].most)));
    return !q->ordered || index == q->order || (q->order == 0 && !q->down && one_value);
}

void query_find(struct arena *a, const struct query *q, struct query_plan *ret)
{
    const struct query_list *list = q->list;
    int best = ALL + 1;
    for (size_t i = 0; i < list->index_count; i++) {
        const struct codec *row = query_index_row(a, list, i);
        struct set s = q->where ? spans_of(a, q->where, str_of(list->indexes[i].member), false) : everything;
        int g = (int)guess_of(&s, row);
        if (!holds(&list->indexes[i], &s) || !in_order(q, i, &s) || g >= best || (s.all && i != q->order))
            continue;
        best = g;
        s = s.all ? one_span(a, end_of(row, false), end_of(row, true)) : s;
        *ret = (struct query_plan){.index = i, .down = q->down, .count = s.count, .spans = s.at};
    }
}
