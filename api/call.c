/* call.c: what operations do with a request: read its query and body, answer it, refuse it. It must never send
 * anything: the reply stands in the request until api/server.c sends it. */
#include "api/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct str call_query(struct call *r, const char *name)
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

err_t call_reply(struct call *r, int status, struct str json)
{
    r->status = status;
    r->reply = json;
    return NULL;
}

err_t call_reply_empty(struct call *r, int status)
{
    return call_reply(r, status, (struct str){NULL, 0});
}

err_t call_reply_codec(struct call *r, int status, const struct codec *table, const void *from)
{
    struct text out;
    text_init(&out, r->arena, 512);
    codec_encode(&out, table, from);
    return call_reply(r, status, text_str(&out));
}

void call_header(struct call *r, const char *name, struct str value)
{
    assert(r->header_count < CALL_HEADERS_MAX);
    r->headers[r->header_count++] = (struct reply_header){name, value};
}

void call_retry_after(struct call *r, int64_t seconds)
{
    call_header(r, "Retry-After", arena_printf(r->arena, "%lld", (long long)seconds));
}

err_t call_decode(struct call *r, const struct codec *table, unsigned mode, void *to)
{
    return codec_read(r->arena, table, mode, r->body, to, &r->detail);
}

static void say(struct err_detail *d, const char *format, va_list args)
{
    vsnprintf(d->text, sizeof d->text, format, args);
}

err_t call_fail(struct call *r, err_t e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(&r->detail, format, args);
    va_end(args);
    return e;
}

err_t call_refuse(struct call *r, err_t e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(&r->log_detail, format, args);
    va_end(args);
    return e;
}
