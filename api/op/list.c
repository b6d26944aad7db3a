/* list.c: a page of a list: what is asked, where the last page ended, the entries that fit, where the next page goes
 * on. A page looks at a bounded number of entries, whatever is asked; one that has not found all says so by a
 * continuation, be it empty. It must never hold more of a list in memory than a page and what is read at once. */
#include "api/op/list.h"

#include <string.h>

enum {
    PAGE_DEFAULT = 100,
    PAGE_MAX = 1000,
    PAGE_BYTES = 1 << 20, /* a page that is so long ends */
    READ_MAX = 100,       /* entries in one statement */
    LOOK_MAX = 2000,      /* entries that a page looks at */
    LOOK_BYTES = 8 << 20, /* of twins and the like */
    TOKEN_HASH = 16,
    ID_BYTES_MAX = 128,
};

struct page {
    struct call *r;
    const struct list_kind *kind;
    struct query query;
    struct query_plan plan;
    struct str bound; /* what a continuation belongs to */
    size_t size;
    bool goes_on;            /* behind a place: */
    struct list_place place; /* of the last entry that was looked at */
    struct text out;
    size_t count, looked, bytes;
    bool more;
};

/* --- what is asked ------------------------------------------------------------------------------------------------ */

struct query_body {
    struct str query;
};
static const struct codec query_codec[] = {
    CODEC_TEXT(struct query_body, query, "query", QUERY_BYTES_MAX, CODEC_MUST),
    CODEC_END,
};

err_t list_page_size(struct call *r, size_t *ret)
{
    int64_t n = PAGE_DEFAULT;
    struct str sent = str_trim(r->options.max_item_count);
    if (sent.n && !dec_i64(sent, 1, INT64_MAX, &n))
        return call_fail(r, E(BAD_REQUEST), "x-ms-max-item-count must be a whole number of at least 1.");
    *ret = (size_t)(n > PAGE_MAX ? PAGE_MAX : n);
    return NULL;
}

void list_headers(struct call *r, const char *item_type, size_t size)
{
    call_header(r, "x-ms-item-type", str_of(item_type));
    call_header(r, "x-ms-max-item-count", arena_printf(r->arena, "%zu", size));
}

/* --- continuations ------------------------------------------------------------------------------------------------ */

/* A continuation is good for the text that it came from, in its scope and its order alone. */
static struct str bound_to(const struct page *p, struct str text)
{
    struct arena *a = p->r->arena;
    struct str all = arena_printf(a, "%.*s\n%s\n%zu%d\n%.*s", STR_ARG(p->r->host), p->kind->item_type, p->plan.index,
                                  p->plan.down, STR_ARG(text));
    struct sha256 hash = crypt_sha256(str_bytes(all));
    return arena_copy(a, (const char *)hash.b, TOKEN_HASH);
}

static struct str token_of(const struct page *p)
{
    struct text t;
    text_init(&t, p->r->arena, 320);
    text_add(&t, p->bound);
    if (p->place.value.type == QUERY_TIME)
        text_printf(&t, "%lld", (long long)p->place.value.n);
    else
        text_add(&t, p->place.value.text);
    text_add_char(&t, '\n');
    text_add(&t, p->place.key);
    return enc_base64url(p->r->arena, text_bytes(&t));
}

/* As ids and words are: what is none would not pass for a text at the database. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    return s.p && s.n <= ID_BYTES_MAX;
}

static bool read_place(struct page *p, struct bytes raw)
{
    struct str value, text = bytes_str(raw);
    bool by_time = query_index_row(p->r->arena, p->kind->query, p->plan.index)->kind == CODEC_KIND_TIME;
    if (text.n < TOKEN_HASH || !str_same(p->bound, (struct str){text.p, TOKEN_HASH}))
        return false;
    p->place.key = str_split((struct str){text.p + TOKEN_HASH, text.n - TOKEN_HASH}, '\n', &value);
    p->place.value = (struct query_value){.type = by_time ? QUERY_TIME : QUERY_TEXT, .text = value};
    return is_plain(p->place.key) && is_plain(value) &&
           (!by_time || dec_i64(value, INT64_MIN, INT64_MAX, &p->place.value.n));
}

static err_t read_token(struct page *p)
{
    struct bytes raw;
    p->goes_on = p->r->options.continuation.n > 0;
    if (!p->goes_on || (dec_base64url(p->r->arena, p->r->options.continuation, &raw) && read_place(p, raw)))
        return NULL;
    return call_fail(p->r, E(BAD_REQUEST), "x-ms-continuation is not one that this query gave.");
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

/* Copied: the entry goes with the arena that it was read into. */
static void set_place(struct page *p, const void *entry)
{
    struct arena *a = p->r->arena;
    p->place.value = query_index_value(a, p->kind->query, p->plan.index, entry);
    p->place.value.text = arena_str(a, p->place.value.text);
    p->place.key = arena_str(a, query_index_value(a, p->kind->query, 0, entry).text);
    p->goes_on = true;
}

static bool is_full(const struct page *p)
{
    return p->count == p->size || p->out.n >= PAGE_BYTES;
}

static void take_entries(struct page *p, struct arena *a, const struct list_entries *e)
{
    const void *last = NULL;
    for (size_t i = 0; i < e->count; i++) {
        bool hidden = p->kind->hides && p->kind->hides(e->at[i]);
        bool fits = !hidden && query_fits(a, &p->query, e->at[i]);
        p->more = fits && is_full(p);
        if (p->more)
            break;
        last = e->at[i];
        if (!fits)
            continue;
        text_add(&p->out, p->count++ ? STR(",") : STR(""));
        codec_encode(&p->out, p->query.shown, last);
    }
    if (last)
        set_place(p, last);
    p->looked += e->count;
    p->bytes += e->bytes;
}

/* What the page still wants and one more, which tells whether there is another page; more and more where few fit. */
static size_t next_limit(const struct page *p)
{
    size_t wanted = p->size - p->count + 1;
    wanted = wanted < p->looked ? p->looked : wanted;
    return wanted < READ_MAX ? wanted : READ_MAX;
}

static bool has_looked_enough(const struct page *p)
{
    return p->looked >= LOOK_MAX || p->bytes >= LOOK_BYTES;
}

static err_t read_span(struct page *p, struct list_stretch *s)
{
    struct list_entries e = {.count = 0};
    do {
        ARENA_CLEANUP struct arena *a = arena_new();
        s->limit = next_limit(p);
        p->more = has_looked_enough(p);
        if (p->more)
            return NULL;
        TRY(p->kind->read(p->r, a, s, &e));
        take_entries(p, a, &e);
        s->from = p->place;
    } while (!p->more && e.count == s->limit);
    return NULL;
}

/* Where the span is read from: its beginning, or the place where the last page ended. False: that is behind it. */
static bool begin_span(const struct page *p, const struct query_span *span, struct list_stretch *ret)
{
    bool down = p->plan.down;
    const struct query_value *first = down ? &span->most : &span->least, *last = down ? &span->least : &span->most;
    *ret = (struct list_stretch){p->plan.index, down, {*first, down ? STR("\x7f") : STR("")}, *last, 0};
    if (!p->goes_on)
        return true;
    int order = query_compare(&p->place.value, first), end = query_compare(&p->place.value, last);
    if (down ? order <= 0 : order >= 0)
        ret->from = p->place;
    return down ? end >= 0 : end <= 0;
}

static err_t read_page(struct page *p)
{
    for (size_t i = 0; i < p->plan.count && !p->more; i++) {
        struct list_stretch s;
        if (begin_span(p, &p->plan.spans[p->plan.down ? p->plan.count - 1 - i : i], &s))
            TRY(read_span(p, &s));
    }
    return NULL;
}

/* `what` is that which a continuation is good for. */
static err_t reply_page(struct call *r, const struct list_kind *kind, struct str query, struct str what)
{
    struct page p = {.r = r, .kind = kind};
    TRY(query_parse(r->arena, kind->query, query, &r->detail, &p.query));
    TRY(list_page_size(r, &p.size));
    query_find(r->arena, &p.query, &p.plan);
    p.bound = bound_to(&p, what);
    TRY(read_token(&p));
    text_init(&p.out, r->arena, 4096);
    text_add_char(&p.out, '[');
    TRY(read_page(&p));
    text_add_char(&p.out, ']');
    list_headers(r, kind->item_type, p.size);
    if (p.more)
        call_header(r, "x-ms-continuation", token_of(&p));
    return call_reply(r, 200, text_str(&p.out));
}

err_t list_reply(struct call *r, const struct list_kind *kind)
{
    struct query_body body = {{NULL, 0}};
    TRY(call_decode(r, query_codec, CODEC_KEEP_UNKNOWN, &body));
    return reply_page(r, kind, body.query, body.query);
}

err_t list_reply_all(struct call *r, const struct list_kind *kind, struct str what)
{
    return reply_page(r, kind, STR("*"), what);
}
