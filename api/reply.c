/* reply.c: error shapes and common headers of the planes (wire.md 0, 1.2, 3.8, A2). It must never show a
 * client the words that were meant for the log, or what a 5xx was about. */
#include "api/reply.h"

#include "core/json.h"

enum { RETRY_AFTER_LEAST_S = 2, RETRY_AFTER_SPREAD_S = 4 };

/* Errors without a status of their own are ours to explain, not the client's. */
static err_t shown_as(err_t e)
{
    if (e->http_status)
        return e;
    return e == E(DATABASE_RETRY) ? E(STALE) : E(INTERNAL);
}

static struct str sentence_of(const struct call *r, err_t shown)
{
    bool own_words = shown == r->error && shown->http_status < 500 && r->detail.text[0];
    return str_of(own_words ? r->detail.text : shown->sentence);
}

void reply_arm_error(struct call *r, err_t e, struct str sentence, struct text *out)
{
    (void)r;
    text_add(out, STR("{\"error\":{"));
    json_member_text(out, "code", str_of(e->arm_code));
    json_member_text(out, "message", sentence);
    text_add(out, STR("}}"));
}

/* RFC 6749 5.2; everything that is not about the client or the scope is a fault of the request or of ours. */
static void write_oauth(struct text *out, err_t e, struct str sentence)
{
    struct str code = str_of(e->arm_code);
    if (!str_starts(code, STR("invalid_")))
        code = e->http_status < 500 ? STR("invalid_request") : STR("temporarily_unavailable");
    text_add_char(out, '{');
    json_member_text(out, "error", code);
    json_member_text(out, "error_description", sentence);
    text_add_char(out, '}');
}

/* Errors of the token endpoint have the shape of OAuth 2; the documents beside it that of the management plane. */
void reply_sign_in_error(struct call *r, err_t e, struct str sentence, struct text *out)
{
    if (r->method == METHOD_POST)
        write_oauth(out, e, sentence);
    else
        reply_arm_error(r, e, sentence, out);
}

void reply_data_error(struct call *r, err_t e, struct str sentence, struct text *out)
{
    call_header(r, "x-ms-error-code", arena_printf(r->arena, "%d", e->code));
    text_add_char(out, '{');
    json_member_i64(out, "errorCode", e->code);
    json_member_text(out, "trackingId", r->tracking_id);
    json_member_text(out, "message", sentence);
    json_member_time(out, "timestampUtc", r->now_us);
    text_add_char(out, '}');
}

void reply_hub_error(struct call *r, err_t e, struct str sentence, struct text *out)
{
    struct str message = arena_printf(r->arena, "ErrorCode:%s;%.*s", e->hub_code, STR_ARG(sentence));
    struct str time = enc_time_iso(r->arena, r->now_us);
    call_header(r, "iothub-errorcode", str_of(e->hub_code));
    text_add_char(out, '{');
    json_member_text(out, "Message", message);
    json_member_text(out, "ExceptionMessage",
                     arena_printf(r->arena, "Tracking ID:%s-TimeStamp:%s", r->tracking_id.p, time.p));
    text_add_char(out, '}');
}

static void add_error_headers(struct call *r, err_t e)
{
    if (e == E(INVALID_TOKEN))
        call_header(r, "WWW-Authenticate", STR("Bearer error=\"invalid_token\""));
    if (r->retry_after_s)
        call_retry_after(r, r->retry_after_s);
    /* Spread, so that those who were turned away together do not come back together. */
    if (e->http_status == 503)
        call_retry_after(r, RETRY_AFTER_LEAST_S + r->tracking.b[0] % RETRY_AFTER_SPREAD_S);
}

void reply_finish(struct call *r)
{
    if (!r->error)
        return;
    err_t shown = shown_as(r->error);
    bool keep_headers = shown == E(METHOD_NOT_ALLOWED); /* Allow */
    if (!keep_headers)
        r->header_count = 0;
    struct text body;
    text_init(&body, r->arena, 320);
    planes[r->plane].error(r, shown, sentence_of(r, shown), &body);
    add_error_headers(r, shown);
    call_reply(r, shown->http_status, text_str(&body));
}

static bool has_header(const struct call *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_same_nocase(str_of(r->headers[i].name), str_of(name)))
            return true;
    return false;
}

/* REGION:yyyymmddThhmmssZ:guid, out of 2026-03-02T08:15:30.1234560Z. */
static struct str routing_id(const struct call *r)
{
    const char *t = enc_time_iso(r->arena, r->now_us).p;
    return arena_printf(r->arena, "%.*s:%.4s%.2s%.2sT%.2s%.2s%.2sZ:%s", STR_ARG(r->cfg->region), t, t + 5, t + 8,
                        t + 11, t + 14, t + 17, r->tracking_id.p);
}

void reply_data_headers(struct call *r, plane_header_fn add, void *context)
{
    (void)r;
    add(context, "Strict-Transport-Security", STR("max-age=31536000; includeSubDomains"));
}

void reply_arm_headers(struct call *r, plane_header_fn add, void *context)
{
    add(context, "x-ms-correlation-request-id", r->tracking_id);
    add(context, "x-ms-routing-request-id", routing_id(r));
    if (!has_header(r, "Cache-Control"))
        add(context, "Cache-Control", STR("no-cache"));
    add(context, "Pragma", STR("no-cache"));
    add(context, "Expires", STR("-1"));
}

void reply_headers(struct call *r, plane_header_fn add, void *context)
{
    for (size_t i = 0; i < r->header_count; i++)
        add(context, r->headers[i].name, r->headers[i].value);
    if (r->reply.n && !has_header(r, "Content-Type"))
        add(context, "Content-Type", str_of(planes[r->plane].media_type));
    add(context, "x-ms-request-id", r->tracking_id);
    if (r->client_request_id.p)
        add(context, "x-ms-client-request-id", r->client_request_id);
    planes[r->plane].headers(r, add, context);
}
