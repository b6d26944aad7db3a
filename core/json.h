/* json.h: JSON in from jansson, JSON out into a `struct text`. Duplicate keys, NUL characters, trailing bytes,
 * nesting over JSON_DEPTH_MAX and invalid UTF-8 are refused with words that say where. Numbers of any size are read and
 * keep their text (1.0, 1e400, -0): what fits no integer of 64 bits is a real whose value is the place of its text in
 * the body, of use to json_value only. */
#ifndef IDSCOPE_JSON_H
#define IDSCOPE_JSON_H

#include <jansson.h>

#include "arena.h"
#include "err.h"

enum { JSON_DEPTH_MAX = 32 };

/* The caller owns *ret (json_decref, or `json_auto_t`). BAD_JSON with line and column in `d`. */
err_t json_read(struct str body, struct err_detail *d, json_t **ret);

/* Is it what a JSON string can hold: UTF-8 without NUL? */
bool json_is_text(struct str s);
/* Writes a string with quotes and escapes. */
void json_text(struct text *out, struct str s);
/* A value of a body that json_read has read, and that body whole, which must still stand. */
struct json_in {
    const json_t *v;
    struct str body;
};
/* Compact form of any value, members in their order, numbers as they were sent. */
void json_value(struct text *out, struct json_in in);
/* `,` unless the last byte opens an object or array; then `"name":`. */
void json_member(struct text *out, const char *name);
/* json_member + json_text; nothing when the text is absent. */
void json_member_text(struct text *out, const char *name, struct str s);
void json_member_null(struct text *out, const char *name);
void json_member_i64(struct text *out, const char *name, int64_t n);
void json_member_bool(struct text *out, const char *name, bool b);
void json_member_time(struct text *out, const char *name, int64_t us); /* ISO, seven digits; nothing when 0 */

#endif
