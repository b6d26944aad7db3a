/* service.c: calls to a service plane by libcurl, one after the other over a kept connection. It must never show a key,
 * follow a redirect, or ask more often than it was told it may. */
#include "admin/service.h"

#include <curl/curl.h>

#include "core/id.h"
#include "core/json.h"
#include "core/process/clock.h"
#include "core/sas.h"

#define SERVICE_API_VERSION "2021-10-01"

enum {
    REPLY_MAX = 64 << 20,
    TOKEN_LIFE_S = 1200,
    CONNECT_MS = 10000,
    CALL_MS = 60000,
    LOST_MAX = 8, /* calls in a row that came to nothing: a minute and a half */
    WAIT_LEAST_MS = 500,
    WAIT_MOST_MS = 30000,
    ASKED_MOST_MS = 3600000, /* a longer Retry-After is cut */
};

struct service {
    const char *side;
    struct str host, key_name, ca_pem;
    int port;
    struct bytes key;
    const struct log_sink *say;
    CURL *easy;
    int64_t calls, put_off;
    bool met; /* it has answered before: what is lost now may come back */
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

static err_t read_credential(struct arena *a, struct str text, struct service *s, struct err_detail *d)
{
    struct err_detail why = {{0}};
    struct connection_string c;
    if (id_connection_string_at(a, text, &why, &c, &s->port))
        return err_say(d, E(BAD_CONFIG), "%s: %s", s->side, why.text);
    if (c.masked || !dec_base64(a, c.key, &s->key))
        return err_say(d, E(BAD_CONFIG), "%s: SharedAccessKey is no key.", s->side);
    s->host = arena_lower(a, c.host);
    s->key_name = c.key_name;
    return NULL;
}

err_t service_open(struct arena *a, const struct service_settings *settings, struct err_detail *d, struct service **ret)
{
    struct service *s = ARENA_NEW(a, struct service);
    s->side = settings->side;
    s->ca_pem = settings->ca_pem;
    s->say = settings->say;
    TRY(read_credential(a, settings->connection_string, s, d));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    s->easy = curl_easy_init();
    *ret = s;
    return NULL;
}

void service_close(struct service *s)
{
    if (s)
        curl_easy_cleanup(s->easy);
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct text *body = context;
    size_t n = size * count;
    if (body->n + n > REPLY_MAX)
        return 0; /* ends the call */
    text_add(body, (struct str){data, n});
    return n;
}

static struct curl_slist *headers_of(struct service *s, struct arena *a, const struct service_call *call)
{
    struct str token = sas_make(a, s->host, s->key_name, s->key, clock_wall_us() / 1000000 + TOKEN_LIFE_S);
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    list = curl_slist_append(list, "Accept: application/json");
    list = curl_slist_append(list, arena_printf(a, "Authorization: %.*s", STR_ARG(token)).p);
    const char *media = call->media_type ? call->media_type : "application/json; charset=utf-8";
    if (call->body.p)
        list = curl_slist_append(list, arena_printf(a, "Content-Type: %s", media).p);
    list = curl_slist_append(list, "x-ms-max-item-count: 100");
    if (call->continuation.p)
        list = curl_slist_append(list, arena_printf(a, "x-ms-continuation: %.*s", STR_ARG(call->continuation)).p);
    return list;
}

static void set_bounds(struct service *s)
{
    struct curl_blob ca = {(void *)(uintptr_t)s->ca_pem.p, s->ca_pem.n, CURL_BLOB_NOCOPY};
    curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(s->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(s->easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(s->easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)CALL_MS);
    curl_easy_setopt(s->easy, CURLOPT_USERAGENT, "idscope-admin/" IDSCOPE_VERSION);
    if (ca.len)
        curl_easy_setopt(s->easy, CURLOPT_CAINFO_BLOB, &ca);
}

static void set_request(struct service *s, struct arena *a, const struct service_call *call)
{
    struct str url = arena_printf(a, "https://%.*s:%d%.*s?api-version=" SERVICE_API_VERSION "%s", STR_ARG(s->host),
                                  s->port, STR_ARG(call->path), call->query ? call->query : "");
    curl_easy_setopt(s->easy, CURLOPT_URL, url.p);
    if (call->body.p) {
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, call->body.p);
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    }
    curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static struct str header(const struct service *s, struct arena *a, const char *name)
{
    struct curl_header *found;
    if (curl_easy_header(s->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK || !*found->value)
        return (struct str){NULL, 0};
    return arena_str(a, str_of(found->value));
}

/* The options of the call before are gone; its connection stays. */
static CURLcode perform(struct service *s, struct arena *a, const struct service_call *call, struct service_answer *ret)
{
    struct text body;
    long status = 0;
    text_init(&body, a, 4096);
    curl_easy_reset(s->easy);
    struct curl_slist *headers = headers_of(s, a, call);
    set_bounds(s);
    set_request(s, a, call);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(s->easy);
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    *ret = (struct service_answer){.status = code == CURLE_OK ? (int)status : 0, .body = text_str(&body)};
    ret->continuation = header(s, a, "x-ms-continuation");
    curl_slist_free_all(headers);
    s->calls++;
    return code;
}

/* --- again -------------------------------------------------------------------------------------------------------- */

/* Does the same call, later, have a chance? A name that does not resolve or a certificate that nobody trusts is a
 * mistake in the settings, unless the service was there before. */
static bool passes(const struct service *s, CURLcode code, int status)
{
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return false;
    if (code != CURLE_OK)
        return s->met;
    return status == 408 || status == 429 || status >= 500;
}

static int64_t back_off_ms(const struct service *s, int before)
{
    curl_off_t asked_s = 0;
    int64_t ms = before < 6 ? (int64_t)WAIT_LEAST_MS << before : WAIT_MOST_MS;
    curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &asked_s);
    if (asked_s * 1000 > ms)
        ms = asked_s * 1000;
    return ms < ASKED_MOST_MS ? ms : ASKED_MOST_MS;
}

void service_wait(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

static void put_off(struct service *s, struct arena *a, const char *why, int64_t ms)
{
    s->put_off++;
    s->say->take(arena_printf(a, "%s: %.*s: %s; asked again in %lld s\n", s->side, STR_ARG(s->host), why,
                              (long long)((ms + 999) / 1000)));
    service_wait(ms);
}

static err_t lost(const struct service *s, CURLcode code, int status, struct err_detail *d)
{
    if (code == CURLE_OK)
        return err_say(d, E(OVERLOADED), "%s: %.*s answers HTTP %d again and again; begin again to go on from here.",
                       s->side, STR_ARG(s->host), status);
    return err_say(d, E(OVERLOADED), "%s: %.*s cannot be asked: %s.", s->side, STR_ARG(s->host),
                   curl_easy_strerror(code));
}

static err_t not_let_in(const struct service *s, const struct service_call *call, int status, struct err_detail *d)
{
    return err_say(d, E(BAD_CONFIG),
                   "%s: %.*s refuses %s %.*s (HTTP %d): the key of policy %.*s must be right and the policy have %s.",
                   s->side, STR_ARG(s->host), call->method, STR_ARG(call->path), status, STR_ARG(s->key_name),
                   call->right);
}

err_t service_ask(struct service *s, struct arena *a, const struct service_call *call, struct err_detail *d,
                  struct service_answer *ret)
{
    int before = 0, lost_count = 0;
    for (;; before++) {
        CURLcode code = perform(s, a, call, ret);
        if (ret->status == 401 || ret->status == 403)
            return not_let_in(s, call, ret->status, d);
        bool again = passes(s, code, ret->status);
        lost_count = again && ret->status != 429 ? lost_count + 1 : 0;
        s->met |= code == CURLE_OK;
        if (code == CURLE_OK && !again)
            return NULL;
        if (!again || lost_count >= LOST_MAX)
            return lost(s, code, ret->status, d);
        const char *why = code == CURLE_OK ? arena_printf(a, "HTTP %d", ret->status).p : curl_easy_strerror(code);
        put_off(s, a, why, back_off_ms(s, before));
    }
}

/* --- what was answered -------------------------------------------------------------------------------------------- */

struct str service_words(struct arena *a, const struct service_answer *answer)
{
    struct err_detail unsaid;
    json_auto_t *body = NULL;
    const char *message = NULL;
    if (!json_read(answer->body, &unsaid, &body)) {
        message = json_string_value(json_object_get(body, "message"));
        if (!message)
            message = json_string_value(json_object_get(body, "Message"));
    }
    return message ? arena_printf(a, "%.300s", message) : arena_printf(a, "HTTP %d", answer->status);
}

err_t service_unfit(const struct service *s, struct arena *a, const struct service_call *call,
                    const struct service_answer *answer, struct err_detail *d)
{
    return err_say(d, E(BAD_REQUEST), "%s: %.*s answers %s %.*s with HTTP %d: %.*s", s->side, STR_ARG(s->host),
                   call->method, STR_ARG(call->path), answer->status, STR_ARG(service_words(a, answer)));
}

bool service_same(const struct service *a, const struct service *b)
{
    return str_same(a->host, b->host) && a->port == b->port;
}

int64_t service_calls(const struct service *s)
{
    return s->calls;
}

int64_t service_put_off(const struct service *s)
{
    return s->put_off;
}
