/* req.c: what operations do with a request: read its query and body, answer it, refuse it. It must never send anything:
 * the reply stands in the request until api/server.c sends it. */
#include "api/req.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct str req_query(struct req *r, const char *name)
{
    struct str rest = r->query;
    while (rest.p) {
        struct str pair, decoded_name, decoded;
        rest = str_split(rest, '&', &pair);
        struct str value = str_split(pair, '=', &pair);
        if (!dec_percent(r->arena, pair, true, &decoded_name) || !str_same_nocase(decoded_name, str_of(name)))
            continue;
        if (dec_percent(r->arena, value.p ? value : STR(""), true, &decoded))
            return decoded;
    }
    return (struct str){NULL, 0};
}

err_t req_reply(struct req *r, int status, struct str json)
{
    r->status = status;
    r->reply = json;
    return NULL;
}

err_t req_reply_empty(struct req *r, int status)
{
    return req_reply(r, status, (struct str){NULL, 0});
}

err_t req_reply_codec(struct req *r, int status, const struct codec *table, const void *from)
{
    struct text out;
    text_init(&out, r->arena, 512);
    codec_encode(&out, table, from);
    return req_reply(r, status, text_str(&out));
}

void req_header(struct req *r, const char *name, struct str value)
{
    assert(r->header_count < REQ_HEADERS_MAX);
    r->headers[r->header_count++] = (struct reply_header){name, value};
}

void req_retry_after(struct req *r, int64_t seconds)
{
    req_header(r, "Retry-After", arena_printf(r->arena, "%lld", (long long)seconds));
}

err_t req_decode(struct req *r, const struct codec *table, unsigned mode, void *to)
{
    return codec_read(r->arena, table, mode, r->body, to, &r->detail);
}

static void say(struct err_detail *d, const char *format, va_list args)
{
    vsnprintf(d->text, sizeof d->text, format, args);
}

err_t req_fail(struct req *r, err_t e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(&r->detail, format, args);
    va_end(args);
    return e;
}

err_t req_refuse(struct req *r, err_t e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(&r->log_detail, format, args);
    va_end(args);
    return e;
}
