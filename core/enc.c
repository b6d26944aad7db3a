/* enc.c: text forms of bytes, ids and times. It must never be lenient: a decoder that guesses lets two texts mean one
 * key. */
#include "enc.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char HEX_LOWER[] = "0123456789abcdef";
static const char HEX_UPPER[] = "0123456789ABCDEF";

static struct str base64_write(struct arena *a, struct bytes in, const char *alphabet, bool padded)
{
    char *to = arena_alloc(a, (in.n + 2) / 3 * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t v = (uint32_t)in.p[i] << 16;
        v |= left > 1 ? (uint32_t)in.p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)in.p[i + 2] : 0;
        to[n++] = alphabet[v >> 18];
        to[n++] = alphabet[v >> 12 & 63];
        if (left > 1 || padded)
            to[n++] = left > 1 ? alphabet[v >> 6 & 63] : '=';
        if (left > 2 || padded)
            to[n++] = left > 2 ? alphabet[v & 63] : '=';
    }
    return (struct str){to, n};
}

struct str enc_base64(struct arena *a, struct bytes in)
{
    return base64_write(a, in, BASE64, true);
}

struct str enc_base64url(struct arena *a, struct bytes in)
{
    return base64_write(a, in, BASE64URL, false);
}

static int base64_digit(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == alphabet[62])
        return 62;
    return c == alphabet[63] ? 63 : -1;
}

/* `in` without padding. Bits that belong to no byte must be zero, else two texts would be one value. */
static bool base64_read(struct arena *a, struct str in, const char *alphabet, struct bytes *ret)
{
    if (in.n % 4 == 1)
        return false;
    uint8_t *to = arena_alloc(a, in.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t v = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < in.n; i++) {
        int digit = base64_digit(in.p[i], alphabet);
        if (digit < 0)
            return false;
        v = v << 6 | (uint32_t)digit;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        to[n++] = (uint8_t)(v >> bits);
        v &= (1u << bits) - 1;
    }
    if (v)
        return false;
    *ret = (struct bytes){to, n};
    return true;
}

bool dec_base64(struct arena *a, struct str in, struct bytes *ret)
{
    if (in.n % 4)
        return false;
    for (int pads = 0; pads < 2 && in.n && in.p[in.n - 1] == '='; pads++)
        in.n--;
    return base64_read(a, in, BASE64, ret);
}

bool dec_base64url(struct arena *a, struct str in, struct bytes *ret)
{
    return base64_read(a, in, BASE64URL, ret);
}

struct str enc_hex(struct arena *a, struct bytes in, bool upper)
{
    const char *digits = upper ? HEX_UPPER : HEX_LOWER;
    char *to = arena_alloc(a, in.n * 2 + 1);
    for (size_t i = 0; i < in.n; i++) {
        to[2 * i] = digits[in.p[i] >> 4];
        to[2 * i + 1] = digits[in.p[i] & 15];
    }
    return (struct str){to, in.n * 2};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of two hex digits, or -1. */
static int hex_byte(const char *p)
{
    int high = hex_digit(p[0]), low = hex_digit(p[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool dec_hex(struct arena *a, struct str in, struct bytes *ret)
{
    if (in.n % 2)
        return false;
    uint8_t *to = arena_alloc(a, in.n / 2 + 1);
    for (size_t i = 0; i < in.n / 2; i++) {
        int byte = hex_byte(in.p + 2 * i);
        if (byte < 0)
            return false;
        to[i] = (uint8_t)byte;
    }
    *ret = (struct bytes){to, in.n / 2};
    return true;
}

bool dec_percent(struct arena *a, struct str in, bool plus_is_blank, struct str *ret)
{
    char *to = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int c = (unsigned char)in.p[i];
        if (c == '%') {
            c = in.n - i > 2 ? hex_byte(in.p + i + 1) : -1;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (c <= 0)
            return false;
        to[n++] = (char)c;
    }
    *ret = (struct str){to, n};
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

struct str enc_percent(struct arena *a, struct str in)
{
    struct text t;
    text_init(&t, a, in.n * 3);
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = (uint8_t)in.p[i];
        if (!is_unreserved(in.p[i])) {
            text_add_char(&t, '%');
            text_add_char(&t, HEX_UPPER[c >> 4]);
        }
        text_add_char(&t, is_unreserved(in.p[i]) ? in.p[i] : HEX_UPPER[c & 15]);
    }
    return text_str(&t);
}

/* A hyphen stands before these bytes of a uuid's text. */
static bool hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool uuid_same(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

struct str enc_uuid(struct arena *a, const struct uuid *u)
{
    char *to = arena_alloc(a, 37);
    size_t n = 0;
    for (size_t i = 0; i < sizeof u->b; i++) {
        if (hyphen_before(i))
            to[n++] = '-';
        to[n++] = HEX_LOWER[u->b[i] >> 4];
        to[n++] = HEX_LOWER[u->b[i] & 15];
    }
    return (struct str){to, n};
}

bool dec_uuid(struct str in, struct uuid *ret)
{
    if (in.n != 36)
        return false;
    struct uuid u;
    const char *p = in.p;
    for (size_t i = 0; i < sizeof u.b; i++, p += 2) {
        if (hyphen_before(i) && *p++ != '-')
            return false;
        int byte = hex_byte(p);
        if (byte < 0)
            return false;
        u.b[i] = (uint8_t)byte;
    }
    *ret = u;
    return true;
}

/* Splits into whole seconds as a calendar date and the microseconds left (never negative). */
static int64_t calendar(int64_t us, struct tm *ret)
{
    int64_t left = us % 1000000;
    if (left < 0)
        left += 1000000;
    time_t s = (time_t)((us - left) / 1000000);
    gmtime_r(&s, ret);
    return left;
}

struct str enc_time_iso(struct arena *a, int64_t us)
{
    struct tm t;
    int64_t left = calendar(us, &t);
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%06" PRId64 "0Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                        t.tm_hour, t.tm_min, t.tm_sec, left);
}

struct str enc_time_http(struct arena *a, int64_t us)
{
    char text[40];
    struct tm t;
    (void)calendar(us, &t);
    size_t n = strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &t);
    return arena_copy(a, text, n);
}

/* Takes `digits` digits and the character behind them (0: none) off the front. */
static bool take_digits(struct str *in, size_t digits, char behind, int *ret)
{
    int64_t n;
    size_t all = digits + (behind != 0);
    if (in->n < all || *in->p == '-' || !dec_i64((struct str){in->p, digits}, 0, INT32_MAX, &n) ||
        (behind && in->p[digits] != behind))
        return false;
    *in = (struct str){in->p + all, in->n - all};
    *ret = (int)n;
    return true;
}

static bool take_fraction(struct str *in, int64_t *ret_us)
{
    *ret_us = 0;
    if (!in->n || *in->p != '.')
        return true;
    size_t i = 1;
    for (int64_t worth = 100000; i < in->n && in->p[i] >= '0' && in->p[i] <= '9'; i++, worth /= 10)
        *ret_us += worth * (in->p[i] - '0');
    *in = (struct str){in->p + i, in->n - i};
    return i > 1;
}

/* No field was out of its range: the calendar would have carried it over. */
static bool is_date(const struct tm *t)
{
    struct tm carried = *t;
    time_t s = timegm(&carried);
    return s >= 0 && carried.tm_mday == t->tm_mday && carried.tm_mon == t->tm_mon && carried.tm_hour == t->tm_hour &&
           carried.tm_min == t->tm_min && carried.tm_sec == t->tm_sec;
}

bool dec_time_iso(struct str in, int64_t *ret)
{
    struct tm t = {0};
    int64_t us = 0;
    bool date_only = in.n == strlen("2026-03-02");
    if (!take_digits(&in, 4, '-', &t.tm_year) || !take_digits(&in, 2, '-', &t.tm_mon) ||
        !take_digits(&in, 2, date_only ? 0 : 'T', &t.tm_mday))
        return false;
    if (!date_only && (!take_digits(&in, 2, ':', &t.tm_hour) || !take_digits(&in, 2, ':', &t.tm_min) ||
                       !take_digits(&in, 2, 0, &t.tm_sec) || !take_fraction(&in, &us) || !str_same(in, STR("Z"))))
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    if (!is_date(&t))
        return false;
    *ret = (int64_t)timegm(&t) * 1000000 + us;
    return true;
}

bool dec_i64(struct str in, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = in.n && *in.p == '-';
    size_t i = negative ? 1 : 0;
    if (i == in.n)
        return false;
    int64_t n = 0;
    for (; i < in.n; i++) {
        int digit = in.p[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, negative ? -digit : digit, &n))
            return false;
    }
    if (n < min || n > max)
        return false;
    *ret = n;
    return true;
}
