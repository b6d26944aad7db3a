/* json.c: JSON in from jansson, JSON out into a text. It must never repeat a value of a refused body: it may be a key.
 */
#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "enc.h"

enum { NAME_SHOWN_MAX = 128 }; /* bytes of a member's name in a refusal */

/* Where a scan over a body stands. */
struct place {
    int line, column, depth;
    bool in_text, escaped;
};

static void step_text(struct place *at, char c)
{
    if (at->escaped)
        at->escaped = false;
    else if (c == '\\')
        at->escaped = true;
    else if (c == '"')
        at->in_text = false;
}

static void step(struct place *at, char c)
{
    at->line += c == '\n';
    at->column = c == '\n' ? 0 : at->column + 1;
    if (at->in_text)
        step_text(at, c);
    else if (c == '"')
        at->in_text = true;
    else if (c == '{' || c == '[')
        at->depth++;
    else if (c == '}' || c == ']')
        at->depth--;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static size_t digits(struct str s, size_t from)
{
    size_t i = from;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* The bytes of the number that begins at s.p[from], by JSON's grammar; 0: none does. */
static size_t number_length(struct str s, size_t from)
{
    size_t i = from + (from < s.n && s.p[from] == '-'), n = digits(s, i);
    if (!n || (n > 1 && s.p[i] == '0'))
        return 0;
    i += n;
    if (i < s.n && s.p[i] == '.') {
        if (!(n = digits(s, i + 1)))
            return 0;
        i += 1 + n;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        size_t sign = i + 1 < s.n && (s.p[i + 1] == '+' || s.p[i + 1] == '-');
        if (!(n = digits(s, i + 1 + sign)))
            return 0;
        i += 1 + sign + n;
    }
    return i - from;
}

/* A walk over a body that stops at its numbers. */
struct scan {
    struct str body;
    size_t next; /* byte to look at next */
    struct place at;
};

/* May this byte of the body be part of a number? */
static bool in_number(struct str body, size_t at)
{
    return at < body.n && body.p[at] && strchr("+-.0123456789eE", body.p[at]);
}

/* The bytes of the number that begins at the next byte and ends where no more can belong to it; 0: none does. */
static size_t number_at(const struct scan *s)
{
    if (s->at.in_text || (s->next && in_number(s->body, s->next - 1)))
        return 0;
    size_t n = number_length(s->body, s->next);
    return in_number(s->body, s->next + n) ? 0 : n;
}

static void pass(struct scan *s, size_t bytes)
{
    for (; bytes; bytes--)
        step(&s->at, s->body.p[s->next++]);
}

/* The body as the parser is to see it: long numbers are written 0.000… in the same number of bytes, because the parser
 * refuses what fits no machine number, and would round the rest. */
struct masked {
    struct scan scan;
    size_t begin, end; /* of the number that is being passed */
};

static char masked_byte(struct masked *m)
{
    size_t i = m->scan.next;
    if (i >= m->end) {
        m->begin = i;
        m->end = i + number_at(&m->scan);
    }
    pass(&m->scan, 1);
    if (i >= m->end || m->end - m->begin < sizeof "0.0" - 1)
        return m->scan.body.p[i];
    return i == m->begin + 1 ? '.' : '0';
}

static size_t feed(void *to, size_t room, void *context)
{
    struct masked *m = context;
    size_t n = 0;
    while (n < room && m->scan.next < m->scan.body.n)
        ((char *)to)[n++] = masked_byte(m);
    return n;
}

static json_t *parse(struct str body, json_error_t *ret_why)
{
    struct masked m = {.scan = {.body = body}};
    return json_load_callback(feed, &m, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, ret_why);
}

/* The text of the number that begins at this byte of the body. */
static struct str number_text(struct str body, size_t at)
{
    return (struct str){body.p + at, number_length(body, at)};
}

/* What stands for the next number of the body: an integer when that is all it says, else a real whose value is the
 * place of its text. */
static json_t *next_number(struct scan *s)
{
    size_t n;
    while (!(n = number_at(s)))
        pass(s, 1);
    struct str text = number_text(s->body, s->next);
    json_t *place = json_real((double)s->next);
    int64_t whole;
    pass(s, n);
    if (!dec_i64(text, INT64_MIN, INT64_MAX, &whole) || (whole == 0 && *text.p == '-'))
        return place;
    json_decref(place);
    return json_integer(whole);
}

/* Puts back what was masked. Members and elements come in the order of the body; depth is bounded by check_bytes. */
static json_t *with_numbers(json_t *v, struct scan *s)
{
    const char *key;
    json_t *inner;
    void *next;
    size_t i;
    if (json_is_number(v))
        return next_number(s);
    json_object_foreach_safe(v, next, key, inner)
    {
        json_object_set_new_nocheck(v, key, with_numbers(inner, s));
    }
    json_array_foreach(v, i, inner)
    {
        json_array_set_new(v, i, with_numbers(inner, s));
    }
    return json_incref(v);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Before parsing, because the parser's own limit of depth is far above what our recursive readers should meet, and
 * because it takes a NUL behind a number for white space. */
static err_t check_bytes(struct str body, struct err_detail *d)
{
    struct place at = {.line = 1};
    for (size_t i = 0; i < body.n; i++) {
        step(&at, body.p[i]);
        if (!body.p[i])
            return err_say(d, E(BAD_JSON), "The body is not valid JSON: a NUL byte (line %d, column %d).", at.line,
                           at.column);
        if (at.depth > JSON_DEPTH_MAX)
            return err_say(d, E(BAD_JSON), "The body is nested deeper than %d levels (line %d, column %d).",
                           JSON_DEPTH_MAX, at.line, at.column);
    }
    return NULL;
}

static void cut_at(char *text, const char *words)
{
    char *found = strstr(text, words);
    if (found)
        *found = '\0';
}

/* The name that stands twice, which ends at that byte of the body with its closing quote; as the body writes it. */
static struct str name_before(struct str body, size_t end)
{
    size_t close = end - 1, begin = close;
    while (begin && (body.p[begin - 1] != '"' || (begin > 1 && body.p[begin - 2] == '\\')))
        begin--;
    return (struct str){body.p + begin, close - begin};
}

static err_t say_not_json(struct str body, json_error_t *why, struct err_detail *d)
{
    size_t end = (size_t)why->position;
    if (json_error_code(why) == json_error_duplicate_key && end && end <= body.n) {
        struct str name = name_before(body, end);
        return err_say(d, E(BAD_JSON), "The body is not valid JSON: %.*s stands twice (line %d, column %d).",
                       name.n < NAME_SHOWN_MAX ? (int)name.n : NAME_SHOWN_MAX, name.p, why->line, why->column);
    }
    cut_at(why->text, " near "); /* jansson quotes the body from here on */
    cut_at(why->text, " without JSON_");
    return err_say(d, E(BAD_JSON), "The body is not valid JSON: %s (line %d, column %d).", why->text, why->line,
                   why->column);
}

err_t json_read(struct str body, struct err_detail *d, json_t **ret)
{
    TRY(check_bytes(body, d));
    json_error_t why;
    json_auto_t *v = parse(body, &why);
    if (!v)
        return say_not_json(body, &why, d);
    struct scan numbers = {.body = body};
    *ret = with_numbers(v, &numbers);
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* The bytes of the UTF-8 character at `p` (at most `n`), or 0 when there is none. */
static size_t utf8_length(const char *p, size_t n)
{
    const uint8_t *b = (const uint8_t *)p;
    size_t length = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90);
    bool no_character = (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf4 && b[1] > 0x8f);
    return overlong || no_character ? 0 : length;
}

static void json_escape(struct text *out, char c)
{
    if (c == '"' || c == '\\')
        text_printf(out, "\\%c", c);
    else if (c == '\n')
        text_add(out, STR("\\n"));
    else
        text_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

/* How many bytes from `p` on are ASCII that needs no escape: nearly all that is ever written. */
static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

bool json_is_text(struct str s)
{
    json_auto_t *text = s.p && !memchr(s.p, 0, s.n) ? json_stringn(s.p, s.n) : NULL;
    return text != NULL;
}

void json_text(struct text *out, struct str s)
{
    if (!s.p) {
        text_add(out, STR("null"));
        return;
    }
    text_add_char(out, '"');
    for (size_t i = 0; i < s.n;) {
        size_t plain = plain_run(s.p + i, s.n - i);
        text_add(out, (struct str){s.p + i, plain});
        i += plain;
        if (i == s.n)
            break;
        size_t length = utf8_length(s.p + i, s.n - i);
        char c = s.p[i];
        if (length == 0)
            text_add(out, STR("\\ufffd"));
        else if (c == '"' || c == '\\' || (c >= 0 && c < 0x20) || c == 0x7f)
            json_escape(out, c);
        else
            text_add(out, (struct str){s.p + i, length});
        i += length ? length : 1;
    }
    text_add_char(out, '"');
}

void json_member(struct text *out, const char *name)
{
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        text_add_char(out, ',');
    json_text(out, str_of(name));
    text_add_char(out, ':');
}

static void add_object(struct text *out, struct json_in in)
{
    const char *key;
    json_t *v;
    text_add_char(out, '{');
    json_object_foreach((json_t *)in.v, key, v)
    {
        json_member(out, key);
        json_value(out, (struct json_in){v, in.body});
    }
    text_add_char(out, '}');
}

static void add_array(struct text *out, struct json_in in)
{
    json_t *v;
    size_t i;
    text_add_char(out, '[');
    json_array_foreach(in.v, i, v)
    {
        text_add(out, i ? STR(",") : STR(""));
        json_value(out, (struct json_in){v, in.body});
    }
    text_add_char(out, ']');
}

void json_value(struct text *out, struct json_in in)
{
    if (json_is_object(in.v))
        add_object(out, in);
    else if (json_is_array(in.v))
        add_array(out, in);
    else if (json_is_string(in.v))
        json_text(out, (struct str){json_string_value(in.v), json_string_length(in.v)});
    else if (json_is_integer(in.v))
        text_printf(out, "%" PRId64, (int64_t)json_integer_value(in.v));
    else if (json_is_real(in.v))
        text_add(out, number_text(in.body, (size_t)json_real_value(in.v)));
    else
        text_add(out, json_is_true(in.v) ? STR("true") : json_is_false(in.v) ? STR("false") : STR("null"));
}

void json_member_text(struct text *out, const char *name, struct str s)
{
    if (!s.p)
        return;
    json_member(out, name);
    json_text(out, s);
}

void json_member_null(struct text *out, const char *name)
{
    json_member(out, name);
    text_add(out, STR("null"));
}

void json_member_i64(struct text *out, const char *name, int64_t n)
{
    json_member(out, name);
    text_printf(out, "%" PRId64, n);
}

void json_member_bool(struct text *out, const char *name, bool b)
{
    json_member(out, name);
    text_add(out, b ? STR("true") : STR("false"));
}

void json_member_time(struct text *out, const char *name, int64_t us)
{
    if (us)
        json_member_text(out, name, enc_time_iso(out->arena, us));
}
