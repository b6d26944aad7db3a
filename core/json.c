/* json.c: JSON in from jansson, JSON out into a text. It must never repeat bytes of a refused body: they may be keys.
 */
#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "enc.h"

/* Up to here a double holds each whole number. */
static const double exact_max = 9007199254740992.0;

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

/* Before parsing, because the parser's own limit is far above what our recursive readers should meet. */
static err_t check_depth(struct str body, struct err_detail *d)
{
    struct place at = {.line = 1};
    for (size_t i = 0; i < body.n; i++) {
        step(&at, body.p[i]);
        if (at.depth > JSON_DEPTH_MAX)
            return err_say(d, E(BAD_JSON), "The body is nested deeper than %d levels (line %d, column %d).",
                           JSON_DEPTH_MAX, at.line, at.column);
    }
    return NULL;
}

/* An integer for a real that is whole and small enough to be one without doubt; else NULL. */
static json_t *whole(const json_t *v)
{
    double n = json_real_value(v);
    bool exact = json_is_real(v) && n >= -exact_max && n <= exact_max && (double)(int64_t)n == n;
    return exact ? json_integer((int64_t)n) : NULL;
}

/* Depth is bounded by check_depth. */
static void make_whole_inside(json_t *v)
{
    const char *key;
    json_t *inner, *n;
    void *next;
    size_t i;
    json_object_foreach_safe(v, next, key, inner)
    {
        make_whole_inside(inner);
        if ((n = whole(inner)))
            json_object_set_new_nocheck(v, key, n);
    }
    json_array_foreach(v, i, inner)
    {
        make_whole_inside(inner);
        if ((n = whole(inner)))
            json_array_set_new(v, i, n);
    }
}

static json_t *parse(struct str body, size_t flags, json_error_t *ret_why)
{
    return json_loadb(body.p ? body.p : "", body.n, flags | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, ret_why);
}

/* A whole number beyond 64 bits is good JSON. It is read as the nearest real, as most clients do; to that end all
 * numbers of the body are, and those that are no larger than that become integers again. */
static json_t *parse_numbers_of_any_size(struct str body, json_error_t *ret_why)
{
    json_t *v = parse(body, JSON_DECODE_INT_AS_REAL, ret_why);
    if (v)
        make_whole_inside(v);
    return v;
}

static void cut_at(char *text, const char *words)
{
    char *found = strstr(text, words);
    if (found)
        *found = '\0';
}

err_t json_read(struct str body, struct err_detail *d, json_t **ret)
{
    TRY(check_depth(body, d));
    json_error_t why;
    json_t *v = parse(body, 0, &why);
    if (!v && json_error_code(&why) == json_error_numeric_overflow)
        v = parse_numbers_of_any_size(body, &why);
    if (!v) {
        cut_at(why.text, " near "); /* jansson quotes the body from here on */
        cut_at(why.text, " without JSON_");
        return err_say(d, E(BAD_JSON), "The body is not valid JSON: %s (line %d, column %d).", why.text, why.line,
                       why.column);
    }
    *ret = v;
    return NULL;
}

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

static int add_piece(const char *p, size_t n, void *out)
{
    text_add(out, (struct str){p, n});
    return 0;
}

void json_value(struct text *out, const json_t *v)
{
    json_dump_callback(v, add_piece, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

void json_member(struct text *out, const char *name)
{
    if (out->n && out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        text_add_char(out, ',');
    json_text(out, str_of(name));
    text_add_char(out, ':');
}

void json_member_text(struct text *out, const char *name, struct str s)
{
    if (!s.p)
        return;
    json_member(out, name);
    json_text(out, s);
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
