/* parse.c: the text of a query becomes a tree, or a sentence that points at the place where it is not understood. It
 * must never let anything pass that it does not understand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/enc.h"
#include "core/query/tree.h"
#include "core/word.h"

enum { SHOWN_MAX = 32 }; /* bytes of the text that an error repeats */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NAME, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_SYMBOL, TOKEN_BAD };
struct token {
    enum token_kind kind;
    struct str raw;  /* where it stands in the text */
    struct str text; /* what it says; of a bad one why */
};

struct parser {
    struct arena *arena;
    const struct query_list *list;
    struct str text, rest; /* the whole, and what stands behind the token */
    struct err_detail *detail;
    struct token token; /* the one that is looked at */
    size_t depth, terms, values;
};

/* --- saying no ---------------------------------------------------------------------------------------------------- */

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t characters(const char *from, const char *to)
{
    size_t n = 0;
    for (; from < to; from++)
        n += begins_character(*from);
    return n;
}

static struct str beginning(struct str s)
{
    if (s.n <= SHOWN_MAX)
        return s;
    s.n = SHOWN_MAX;
    while (s.n && !begins_character(s.p[s.n]))
        s.n--;
    return s;
}

/* The place is that of the token. */
static err_t wrong(struct parser *p, struct str at, const char *why)
{
    size_t place = characters(p->text.p, at.p) + 1;
    struct str shown = beginning(at);
    if (!at.n)
        return err_say(p->detail, E(BAD_FIELD), "query, character %zu, at the end: %s.", place, why);
    return err_say(p->detail, E(BAD_FIELD), "query, character %zu, at %.*s: %s.", place, STR_ARG(shown), why);
}

static err_t expected(struct parser *p, const char *what)
{
    if (p->token.kind == TOKEN_BAD)
        return wrong(p, p->token.raw, p->token.text.p);
    return wrong(p, p->token.raw, arena_printf(p->arena, "%s is expected here", what).p);
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The first `n` bytes of the rest are a token of that kind. */
static void take(struct parser *p, enum token_kind kind, size_t n, struct str text)
{
    p->token.kind = kind;
    p->token.raw = (struct str){p->rest.p, n};
    p->token.text = text.p ? text : p->token.raw;
    p->rest = (struct str){p->rest.p + n, p->rest.n - n};
}

static void take_bad(struct parser *p, const char *why)
{
    take(p, TOKEN_BAD, p->rest.n, str_of(why));
}

/* 'it''s', 'it\'s', "it's" */
static void take_text(struct parser *p)
{
    const char quote = *p->rest.p;
    struct text t;
    text_init(&t, p->arena, 64);
    for (size_t i = 1; i < p->rest.n; i++) {
        char c = p->rest.p[i], next = i + 1 < p->rest.n ? p->rest.p[i + 1] : 0;
        if (c == quote && next != quote) {
            take(p, TOKEN_TEXT, i + 1, text_str(&t));
            return;
        }
        if (c == '\\' && next != '\\' && next != '\'' && next != '"') {
            take_bad(p, "behind \\ stands \\, ' or \"");
            return;
        }
        text_add_char(&t, c == quote || c == '\\' ? next : c);
        i += c == quote || c == '\\';
    }
    take_bad(p, "a text that begins here has no end");
}

/* [[any name]] */
static void take_name(struct parser *p)
{
    const char *end = memmem(p->rest.p, p->rest.n, "]]", 2);
    size_t n = end ? (size_t)(end - p->rest.p) : 0;
    if (n > 2)
        take(p, TOKEN_NAME, n + 2, (struct str){p->rest.p + 2, n - 2});
    else
        take_bad(p, "a name that begins here has no end");
}

static size_t digits_from(struct str s, size_t i)
{
    while (i < s.n && is_digit(s.p[i]))
        i++;
    return i;
}

static void take_number(struct parser *p)
{
    const struct str s = p->rest;
    size_t i = digits_from(s, s.p[0] == '-');
    if (i < s.n && s.p[i] == '.')
        i = digits_from(s, i + 1);
    if (i + 1 < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        bool is_signed = s.p[i + 1] == '-' || s.p[i + 1] == '+';
        i = digits_from(s, i + 1 + is_signed);
    }
    take(p, TOKEN_NUMBER, i, (struct str){NULL, 0});
}

static void take_word(struct parser *p)
{
    size_t i = 1;
    while (i < p->rest.n && (is_letter(p->rest.p[i]) || is_digit(p->rest.p[i]) || p->rest.p[i] == '-'))
        i++;
    take(p, TOKEN_WORD, i, (struct str){NULL, 0});
}

static void take_symbol(struct parser *p)
{
    static const char *const symbols[] = {"<>", "<=", ">=", "!=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "*"};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (str_starts(p->rest, str_of(symbols[i]))) {
            take(p, TOKEN_SYMBOL, strlen(symbols[i]), (struct str){NULL, 0});
            return;
        }
    take_bad(p, "this is no part of a query");
}

static void next(struct parser *p)
{
    while (p->rest.n && is_blank(*p->rest.p))
        p->rest = (struct str){p->rest.p + 1, p->rest.n - 1};
    char c = p->rest.n ? *p->rest.p : 0;
    if (!p->rest.n)
        take(p, TOKEN_END, 0, STR(""));
    else if (c == '\'' || c == '"')
        take_text(p);
    else if (str_starts(p->rest, STR("[[")))
        take_name(p);
    else if (is_digit(c) || (c == '-' && p->rest.n > 1 && is_digit(p->rest.p[1])))
        take_number(p);
    else if (is_letter(c))
        take_word(p);
    else
        take_symbol(p);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_WORD && str_same_nocase(p->token.text, str_of(word));
}

static bool is_symbol(const struct parser *p, const char *symbol)
{
    return p->token.kind == TOKEN_SYMBOL && str_same(p->token.text, str_of(symbol));
}

static bool skip_word(struct parser *p, const char *word)
{
    bool is = is_word(p, word);
    if (is)
        next(p);
    return is;
}

static bool skip_symbol(struct parser *p, const char *symbol)
{
    bool is = is_symbol(p, symbol);
    if (is)
        next(p);
    return is;
}

static err_t want_word(struct parser *p, const char *word)
{
    return skip_word(p, word) ? NULL : expected(p, word);
}

static err_t want_symbol(struct parser *p, const char *symbol)
{
    return skip_symbol(p, symbol) ? NULL : expected(p, symbol);
}

/* --- members and values ------------------------------------------------------------------------------------------- */

static err_t take_member(struct parser *p, struct query_member *ret)
{
    struct str names[QUERY_NAMES_MAX];
    size_t count = 0;
    const char *from = p->token.raw.p, *to;
    *ret = (struct query_member){.step_count = 0};
    do {
        if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_NAME)
            return expected(p, "the name of a member");
        if (count == QUERY_NAMES_MAX)
            return wrong(p, p->token.raw, "a name of so many parts is too long");
        names[count++] = p->token.text;
        to = p->token.raw.p + p->token.raw.n;
        next(p);
    } while (skip_symbol(p, "."));
    ret->text = (struct str){from, (size_t)(to - from)};
    const char *fault = query_member_find(p->arena, p->list, names, count, ret);
    return fault ? wrong(p, ret->text, arena_printf(p->arena, "it %s", fault).p) : NULL;
}

static bool is_free(const struct query_member *m)
{
    return m->name_count > 0;
}

/* Can it be compared at all: is it a plain value, or a part of a free one? */
static err_t check_plain(struct parser *p, const struct query_member *m)
{
    switch (query_member_row(m)->kind) {
    case CODEC_KIND_TEXT:
    case CODEC_KIND_BOOL:
    case CODEC_KIND_I64:
    case CODEC_KIND_TIME:
    case CODEC_KIND_WORD:
        return NULL;
    default:
        return is_free(m) ? NULL : wrong(p, m->text, "it is no plain value; name a member of it, or ask IS DEFINED");
    }
}

static bool number_of(struct parser *p, struct query_value *ret)
{
    struct str text = arena_str(p->arena, p->token.text);
    char *end;
    ret->type = dec_i64(text, INT64_MIN, INT64_MAX, &ret->n) ? QUERY_WHOLE : QUERY_REAL;
    ret->real = strtod(text.p, &end);
    return end == text.p + text.n && isfinite(ret->real);
}

static err_t take_literal(struct parser *p, struct query_value *ret)
{
    *ret = (struct query_value){.type = QUERY_TEXT, .text = p->token.text};
    if (is_word(p, "null"))
        return wrong(p, p->token.raw, "null is no value; ask IS DEFINED or IS NOT DEFINED");
    if (is_word(p, "true") || is_word(p, "false"))
        *ret = (struct query_value){.type = QUERY_BOOL, .n = is_word(p, "true")};
    else if (p->token.kind == TOKEN_NUMBER && !number_of(p, ret))
        return wrong(p, p->token.raw, "this is no number");
    else if (p->token.kind != TOKEN_NUMBER && p->token.kind != TOKEN_TEXT)
        return expected(p, "a value: 'a text', a number, true or false");
    if (ret->type == QUERY_TEXT && memchr(ret->text.p, '\0', ret->text.n))
        return wrong(p, p->token.raw, "a text must not hold a NUL character");
    next(p);
    return NULL;
}

/* 0 stands for no time at all in a table. */
static bool time_of(struct query_value *v)
{
    v->type = QUERY_TIME;
    return dec_time_iso(v->text, &v->n) && (v->n = v->n ? v->n : 1);
}

/* The value as the member holds it; NULL, or what it must be. */
static const char *fit(struct arena *a, const struct codec *row, struct query_value *v)
{
    bool is_text = v->type == QUERY_TEXT;
    switch (row->kind) {
    case CODEC_KIND_TEXT:
        v->text = is_text && row->flags & CODEC_ANY_CASE ? arena_lower(a, v->text) : v->text;
        return is_text ? NULL : "a text";
    case CODEC_KIND_BOOL:
        return v->type == QUERY_BOOL ? NULL : "true or false";
    case CODEC_KIND_I64:
        return v->type == QUERY_WHOLE || v->type == QUERY_REAL ? NULL : "a number";
    case CODEC_KIND_TIME:
        return is_text && time_of(v) ? NULL : "a time such as '2026-03-02T08:15:30Z' or '2026-03-02'";
    case CODEC_KIND_WORD:
        v->n = is_text ? word_number_nocase(row->words, v->text) : 0;
        v->text = word_text(row->words, (int)v->n);
        return v->n ? NULL : arena_printf(a, "one of %s", word_list(a, row->words).p).p;
    default:
        return NULL; /* a part of a free value: whatever it is */
    }
}

static err_t take_value(struct parser *p, const struct query_member *m, struct query_value *ret)
{
    struct str raw = p->token.raw;
    TRY(take_literal(p, ret));
    if (p->values++ == QUERY_VALUES_MAX)
        return wrong(p, raw, "these are more values than one query may have");
    const char *wanted = fit(p->arena, query_member_row(m), ret);
    if (!wanted)
        return NULL;
    return wrong(p, raw, arena_printf(p->arena, "%.*s is compared with %s", STR_ARG(m->text), wanted).p);
}

/* --- terms -------------------------------------------------------------------------------------------------------- */

static struct query_node *node(struct parser *p, enum query_kind kind)
{
    struct query_node *n = ARENA_NEW(p->arena, struct query_node);
    n->kind = kind;
    return n;
}

static const struct query_node *not_of(struct parser *p, const struct query_node *of)
{
    struct query_node *n = node(p, QUERY_NOT);
    n->left = of;
    return n;
}

static err_t take_values(struct parser *p, struct query_node *n)
{
    const char *close = is_symbol(p, "[") ? "]" : ")";
    if (!skip_symbol(p, "[") && !skip_symbol(p, "("))
        return expected(p, "( or [");
    n->values = ARENA_NEW_ARRAY(p->arena, QUERY_VALUES_MAX + 1, struct query_value);
    do {
        TRY(take_value(p, &n->member, &n->values[n->count]));
        n->count++;
    } while (skip_symbol(p, ","));
    return want_symbol(p, close);
}

static err_t take_one(struct parser *p, struct query_node *n)
{
    n->values = ARENA_NEW(p->arena, struct query_value);
    n->count = 1;
    return take_value(p, &n->member, n->values);
}

/* What has an order: texts, numbers and times. */
static err_t check_order(struct parser *p, const struct query_node *n, struct str at)
{
    if (n->values->type == QUERY_BOOL || query_member_row(&n->member)->kind == CODEC_KIND_WORD)
        return wrong(p, at, "words, true and false are compared by =, != and IN");
    return NULL;
}

static err_t take_prefix(struct parser *p, struct query_node *n)
{
    enum codec_kind kind = query_member_row(&n->member)->kind;
    struct str at = p->token.raw;
    n->kind = QUERY_STARTS;
    if (kind != CODEC_KIND_TEXT && !is_free(&n->member))
        return wrong(p, n->member.text, "it is no text");
    TRY(take_one(p, n));
    return n->values->type == QUERY_TEXT ? NULL : wrong(p, at, "STARTSWITH takes a text");
}

/* The operators between a member and a value, and what each is made of. */
static const struct {
    const char *symbol;
    enum query_kind kind;
    bool negated;
} operators[] = {
    {"=", QUERY_IN, false},    {"!=", QUERY_IN, true},    {"<>", QUERY_IN, true},    {"<", QUERY_BELOW, false},
    {">", QUERY_ABOVE, false}, {"<=", QUERY_ABOVE, true}, {">=", QUERY_BELOW, true},
};
enum { OPERATORS = sizeof operators / sizeof *operators };

static err_t take_compared(struct parser *p, struct query_node *n, bool *ret_negated)
{
    struct str at = p->token.raw;
    size_t i = 0;
    while (i < OPERATORS && !is_symbol(p, operators[i].symbol))
        i++;
    if (i == OPERATORS)
        return expected(p, "=, !=, <, <=, >, >=, IN, STARTSWITH or IS DEFINED");
    next(p);
    n->kind = operators[i].kind;
    *ret_negated = operators[i].negated;
    TRY(take_one(p, n));
    return n->kind == QUERY_IN ? NULL : check_order(p, n, at);
}

static err_t take_defined(struct parser *p, struct query_node *n, bool *ret_negated)
{
    n->kind = QUERY_DEFINED;
    *ret_negated = skip_word(p, "NOT");
    return want_word(p, "DEFINED");
}

/* What stands behind a member. */
static err_t take_test(struct parser *p, struct query_node *n, bool *ret_negated)
{
    if (skip_word(p, "IS"))
        return take_defined(p, n, ret_negated);
    TRY(check_plain(p, &n->member));
    *ret_negated = skip_word(p, "NOT");
    if (skip_word(p, "IN"))
        return take_values(p, n);
    if (skip_word(p, "STARTSWITH"))
        return take_prefix(p, n);
    return *ret_negated ? expected(p, "IN or STARTSWITH") : take_compared(p, n, ret_negated);
}

/* STARTSWITH(member, 'text'), IS_DEFINED(member) */
static err_t take_call(struct parser *p, struct query_node *n, bool starts)
{
    TRY(want_symbol(p, "("));
    TRY(take_member(p, &n->member));
    n->kind = QUERY_DEFINED;
    if (starts) {
        TRY(check_plain(p, &n->member));
        TRY(want_symbol(p, ","));
        TRY(take_prefix(p, n));
    }
    return want_symbol(p, ")");
}

static err_t take_term(struct parser *p, const struct query_node **ret)
{
    struct query_node *n = node(p, QUERY_IN);
    bool negated = false;
    if (p->terms++ == QUERY_TERMS_MAX)
        return wrong(p, p->token.raw, "these are more comparisons than one query may have");
    if (skip_word(p, "IS_DEFINED")) {
        TRY(take_call(p, n, false));
    } else if (skip_word(p, "STARTSWITH") || skip_word(p, "STARTS_WITH")) {
        TRY(take_call(p, n, true));
    } else {
        TRY(take_member(p, &n->member));
        TRY(take_test(p, n, &negated));
    }
    *ret = negated ? not_of(p, n) : n;
    return NULL;
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

static err_t take_or(struct parser *p, const struct query_node **ret);

/* NOT of one, one in brackets, or a term. */
static err_t take_not(struct parser *p, const struct query_node **ret)
{
    if (p->depth == QUERY_DEPTH_MAX)
        return wrong(p, p->token.raw, "brackets and NOTs lie too deep within each other");
    p->depth++;
    if (skip_word(p, "NOT")) {
        TRY(take_not(p, ret));
        *ret = not_of(p, *ret);
    } else if (skip_symbol(p, "(")) {
        TRY(take_or(p, ret));
        TRY(want_symbol(p, ")"));
    } else {
        TRY(take_term(p, ret));
    }
    p->depth--;
    return NULL;
}

static err_t take_chain(struct parser *p, enum query_kind kind, const char *word,
                        err_t (*link)(struct parser *p, const struct query_node **ret), const struct query_node **ret)
{
    TRY(link(p, ret));
    while (skip_word(p, word)) {
        struct query_node *n = node(p, kind);
        n->left = *ret;
        TRY(link(p, &n->right));
        *ret = n;
    }
    return NULL;
}

static err_t take_and(struct parser *p, const struct query_node **ret)
{
    return take_chain(p, QUERY_AND, "AND", take_not, ret);
}

static err_t take_or(struct parser *p, const struct query_node **ret)
{
    return take_chain(p, QUERY_OR, "OR", take_and, ret);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static size_t rows_of(const struct codec *table)
{
    size_t n = 0;
    while (table[n].kind != CODEC_KIND_END)
        n++;
    return n;
}

/* The table of what was selected: rows of the list's, in the order of the text. */
static err_t take_selected(struct parser *p, struct query *q)
{
    size_t most = rows_of(p->list->members), count = 0;
    struct codec *shown = ARENA_NEW_ARRAY(p->arena, most + 1, struct codec);
    do {
        struct query_member m;
        TRY(take_member(p, &m));
        if (m.step_count != 1 || m.name_count > 0)
            return wrong(p, m.text, "SELECT takes whole members of an entry");
        for (size_t i = 0; i < count; i++)
            if (shown[i].name == m.steps[0]->name)
                return wrong(p, m.text, "it is selected twice");
        shown[count++] = *m.steps[0];
    } while (skip_symbol(p, ","));
    shown[count].kind = CODEC_KIND_END;
    q->shown = shown;
    return NULL;
}

static err_t take_from(struct parser *p)
{
    if (!is_word(p, p->list->name))
        return expected(p, arena_printf(p->arena, "%s, which is what this address lists,", p->list->name).p);
    next(p);
    return NULL;
}

static err_t take_order(struct parser *p, struct query *q)
{
    struct query_member m;
    TRY(want_word(p, "BY"));
    TRY(take_member(p, &m));
    struct text names;
    text_init(&names, p->arena, 96);
    q->ordered = true;
    for (size_t i = 0; i < p->list->index_count; i++) {
        const struct query_index *index = &p->list->indexes[i];
        if (!index->orders)
            continue;
        q->order = i;
        if (str_same(m.path, str_of(index->member))) {
            q->down = skip_word(p, "DESC");
            if (!q->down)
                (void)skip_word(p, "ASC");
            return NULL;
        }
        text_printf(&names, "%s%s", names.n ? ", " : "", index->member);
    }
    return wrong(p, m.text, arena_printf(p->arena, "a list is ordered by one of %s", text_str(&names).p).p);
}

static err_t take_select(struct parser *p, struct query *q)
{
    TRY(want_word(p, "SELECT"));
    if (!skip_symbol(p, "*"))
        TRY(take_selected(p, q));
    if (skip_word(p, "FROM"))
        TRY(take_from(p));
    if (skip_word(p, "WHERE"))
        TRY(take_or(p, &q->where));
    if (skip_word(p, "ORDER"))
        TRY(take_order(p, q));
    return NULL;
}

err_t query_parse(struct arena *a, const struct query_list *list, struct str text, struct err_detail *d,
                  struct query *ret)
{
    struct parser p = {.arena = a, .list = list, .text = text, .rest = text, .detail = d};
    *ret = (struct query){.list = list, .shown = list->members};
    if (text.n > QUERY_BYTES_MAX)
        return err_say(d, E(BAD_FIELD), "query must have at most %d bytes.", QUERY_BYTES_MAX);
    next(&p);
    if (!skip_symbol(&p, "*"))
        TRY(take_select(&p, ret));
    return p.token.kind == TOKEN_END ? NULL : expected(&p, "the end of the query");
}
