/* enc.h: text forms of bytes, ids and times. Pure; every decoder is strict and says no by returning false. */
#ifndef IDSCOPE_ENC_H
#define IDSCOPE_ENC_H

#include "arena.h"

struct bytes {
    const uint8_t *p;
    size_t n;
};

struct uuid {
    uint8_t b[16];
};

/* The same bytes, as the other one has them. */
static inline struct bytes str_bytes(struct str s)
{
    return (struct bytes){(const uint8_t *)s.p, s.n};
}
static inline struct bytes text_bytes(struct text *t)
{
    return str_bytes(text_str(t));
}
static inline struct str bytes_str(struct bytes b)
{
    return (struct str){(const char *)b.p, b.n};
}

bool uuid_same(const struct uuid *a, const struct uuid *b);

struct str enc_base64(struct arena *a, struct bytes in);            /* RFC 4648 section 4, padded */
struct str enc_base64url(struct arena *a, struct bytes in);         /* section 5, unpadded */
bool dec_base64(struct arena *a, struct str in, struct bytes *ret); /* padded, no blanks, no stray bits */
bool dec_base64url(struct arena *a, struct str in, struct bytes *ret);
struct str enc_hex(struct arena *a, struct bytes in, bool upper);
bool dec_hex(struct arena *a, struct str in, struct bytes *ret);

/* Percent-decoding (RFC 3986 2.1) of one path segment or one query value. Refuses a bad escape and NUL.
 * `plus_is_blank` for query values and forms. */
bool dec_percent(struct arena *a, struct str in, bool plus_is_blank, struct str *ret);
struct str enc_percent(struct arena *a, struct str in); /* all but unreserved characters, upper hex */

struct str enc_uuid(struct arena *a, const struct uuid *u); /* lower case, with hyphens */
bool dec_uuid(struct str in, struct uuid *ret);             /* 8-4-4-4-12, any case */

/* Times are microseconds since 1970-01-01 UTC (`_us`). */
struct str enc_time_iso(struct arena *a, int64_t us);  /* 2026-03-02T08:15:30.1234560Z: seven digits */
struct str enc_time_http(struct arena *a, int64_t us); /* Mon, 02 Mar 2026 08:15:30 GMT (RFC 1123) */
/* The first of these with any digits of a second or none (beyond six they are cut), or the date alone; from year 1970
 * on. */
bool dec_time_iso(struct str in, int64_t *ret);

bool dec_i64(struct str in, int64_t min, int64_t max, int64_t *ret); /* decimal, optional '-', nothing else */

#endif
