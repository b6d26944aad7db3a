/* call.c: a call from its beginning to its line in the access log, whatever door it came through, and what operations
 * do with it: read its query and body, answer it, refuse it. It must never send anything: the reply stands in the call
 * until its door sends it. */
#include "api/call.h"

#include <assert.h>
#include <stdatomic.h>

#include "api/metrics.h"
#include "api/plane.h"
#include "api/shared.h"
#include "core/json.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/metric.h"

/* A call and its stand-in are both alive, and one of them is in flight. */
static _Atomic size_t alive, in_flight;

/* --- from its beginning to its end -------------------------------------------------------------------------------- */

static struct call *make(struct arena *a, const struct shared *shared, const struct uuid *tracking)
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

struct call *call_new(struct arena *a, const struct shared *shared, const struct uuid *tracking)
{
    struct call *c = make(a, shared, tracking);
    c->begun_us = clock_span_us();
    c->now_us = clock_wall_us();
    atomic_fetch_add(&in_flight, 1);
    return c;
}

static void log_call(const struct call *c)
{
    int64_t now_us = clock_span_us();
    int64_t queued_us = c->work.begun_us ? c->work.begun_us - c->work.submitted_us : 0;
    const char *detail = c->log_detail.text[0] ? c->log_detail.text : c->detail.text[0] ? c->detail.text : NULL;
    log_event(c->status >= 500 ? LOG_WARN : LOG_INFO, "request", L_TEXT("trackingId", c->tracking_id),
              L_CSTR("operation", c->route ? c->route->name : NULL), L_CSTR("plane", planes[c->plane].word),
              L_NUM("status", c->status), L_CSTR("error", c->error ? c->error->name : NULL),
              L_CSTR("detail", c->status >= 400 ? detail : NULL), L_TEXT("address", c->presented.address),
              L_TEXT(c->owner_kind ? c->owner_kind : "owner", c->owner), L_NUM("queuedUs", queued_us),
              L_NUM("totalUs", now_us - c->begun_us));
}

struct arena *call_end(struct call *c)
{
    struct arena *a = c->arena;
    metrics_request(c->route, c->status);
    log_call(c);
    atomic_fetch_sub(&alive, 1);
    atomic_fetch_sub(&in_flight, 1);
    arena_reset(a);
    return a;
}

void call_drop(struct call *c)
{
    atomic_fetch_sub(&alive, 1);
    arena_free(c->arena);
}

size_t calls_in_flight(void)
{
    return in_flight;
}

void calls_metrics(struct text *out)
{
    metric_one(out, "idscope_requests_in_flight", "Requests between their first line and the end of their reply.",
               METRIC_GAUGE, in_flight);
    metric_one(out, "idscope_arenas", "Arenas that calls hold, those included that were given up and still run.",
               METRIC_GAUGE, alive);
}

struct call *call_stand_in(const struct call *c)
{
    struct arena *a = arena_new();
    struct call *s = make(a, c->shared, &c->tracking);
    s->door = c->door;
    s->work = c->work;
    s->begun_us = c->begun_us;
    s->now_us = c->now_us;
    s->plane = c->plane;
    s->route = c->route;
    s->method = c->method;
    s->client_request_id = arena_str(a, c->client_request_id);
    s->presented.address = arena_str(a, c->presented.address);
    return s;
}

void call_take_body(struct call *c, struct str body)
{
    static const struct str mark = {"\xef\xbb\xbf", 3};
    if (str_starts(body, mark))
        body = (struct str){body.p + mark.n, body.n - mark.n};
    c->body = body;
}

/* --- what operations do with it ----------------------------------------------------------------------------------- */

/* The first parameter of this name behind *rest, as it was sent; absent: there is none. */
static struct str next_query(struct call *r, const char *name, struct str *rest)
{
    while (rest->p) {
        struct str pair, decoded;
        *rest = str_split(*rest, '&', &pair);
        struct str value = str_split(pair, '=', &pair);
        if (dec_percent(r->arena, pair, true, &decoded) && str_same_nocase(decoded, str_of(name)))
            return value.p ? value : STR("");
    }
    return (struct str){NULL, 0};
}

struct str call_query(struct call *r, const char *name)
{
    struct str rest = r->query, sent, decoded;
    while ((sent = next_query(r, name, &rest)).p)
        if (dec_percent(r->arena, sent, true, &decoded))
            return decoded;
    return (struct str){NULL, 0};
}

err_t call_query_text(struct call *r, const char *name, struct str *ret)
{
    struct str rest = r->query, sent = next_query(r, name, &rest);
    *ret = sent;
    if (sent.p && (!dec_percent(r->arena, sent, true, ret) || !json_is_text(*ret)))
        return call_fail(r, E(BAD_REQUEST), "%s is no percent-encoded UTF-8 text.", name);
    return NULL;
}

bool call_makes_new(const struct call *r)
{
    return r->method == METHOD_PUT && str_same(str_trim(r->options.if_none_match), STR("*"));
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
