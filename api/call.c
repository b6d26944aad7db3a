/* call.c: what operations do with a request: read its query and body, answer it, refuse it. It must never send
 * anything: the reply stands in the request until api/server.c sends it. */
#include "api/call.h"

#include <assert.h>
#include <stdatomic.h>

#include "api/shared.h"

static _Atomic size_t alive;

struct call *call_new(struct arena *a, const struct shared *shared, const struct uuid *tracking)
{
    struct call *c = ARENA_NEW(a, struct call);
    c->arena = a;
    c->shared = shared;
    c->cfg = shared->cfg;
    c->tracking = *tracking;
    c->tracking_id = enc_uuid(a, tracking);
    atomic_fetch_add(&alive, 1);
    return c;
}

struct arena *call_end(struct call *c)
{
    struct arena *a = c->arena;
    atomic_fetch_sub(&alive, 1);
    arena_reset(a);
    return a;
}

void call_free(struct call *c)
{
    atomic_fetch_sub(&alive, 1);
    arena_free(c->arena);
}

size_t call_count(void)
{
    return alive;
}

struct call *call_stand_in(const struct call *c)
{
    struct arena *a = arena_new();
    struct call *s = call_new(a, c->shared, &c->tracking);
    s->door = c->door;
    s->work = c->work;
    s->now_us = c->now_us;
    s->plane = c->plane;
    s->route = c->route;
    s->method = c->method;
    s->client_request_id = arena_str(a, c->client_request_id);
    s->presented.address = arena_str(a, c->presented.address);
    return s;
}

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
