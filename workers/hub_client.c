/* hub_client.c: HTTPS calls to hubs by libcurl. It must never log, follow a redirect,
 * use a proxy, or connect to an address that outgoing.h refuses. */
#include "workers/hub_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

#include "core/cache.h"
#include "core/id.h"
#include "core/process/clock.h"
#include "core/sas.h"
#include "workers/resolver.h"
#include "workers/schedule.h"

enum {
    REPLY_MAX = 1 << 20,
    CONNECTIONS_MAX = 128, /* every credential of every link of an instance at once */
    TOKENS_MAX = 64,
    TOKEN_LIFE_S = 1200,  /* no schedule: of a token that a hub is shown */
    TOKEN_RENEW_S = 600,  /* no schedule: an older one is not shown any more */
    WAIT_SLICE_MS = 1000, /* no schedule: what libcurl waits for at most before it is asked again */
    NAME_SOCKETS_MAX = 16,
};

const char *const hub_outcome_words[] = {
    [HUB_ANSWERED] = "answered",
    [HUB_UNRESOLVED] = "name does not resolve",
    [HUB_NAME_SILENT] = "name server does not answer",
    [HUB_NOT_ALLOWED] = "address is in a range that is not allowed",
    [HUB_NOT_CONNECTED] = "connection refused",
    [HUB_CONNECT_TIMED_OUT] = "connect timed out",
    [HUB_NOT_TRUSTED] = "certificate not trusted",
    [HUB_NO_TLS] = "no TLS connection",
    [HUB_TIMED_OUT] = "no answer in time",
    [HUB_BROKE] = "connection broke",
    [HUB_CANCELLED] = "cancelled",
};

struct hub_client {
    struct arena *arena;
    const struct hub_client_settings *settings;
    CURLM *multi;
    struct resolver *resolver;
    struct cache *tokens;       /* their texts, by a hash of what they are made from */
    struct hub_transfer *first; /* of the open calls, the one that was started last */
    size_t open;
};

/* The client's side of one open call. */
struct hub_transfer {
    struct hub_client *client;
    struct hub_call *call;
    struct hub_transfer *next, *before;
    bool resolving; /* libcurl does not have it yet */
    bool over;      /* ended by us, and not yet handed back */
    int64_t begun_ms;
    struct str name, port; /* of where it connects to */
    CURL *easy;
    struct curl_slist *headers, *connect_to, *resolve;
    struct text reply;
    bool by_edge, not_allowed;
};

void hub_client_global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    resolver_global_init();
}

struct hub_client *hub_client_new(const struct hub_client_settings *settings)
{
    struct arena *a = arena_new();
    struct hub_client *c = ARENA_NEW(a, struct hub_client);
    c->arena = a;
    c->settings = settings;
    c->tokens = cache_new(TOKENS_MAX, (TOKEN_LIFE_S - TOKEN_RENEW_S) * INT64_C(1000000));
    c->resolver = resolver_new(a);
    c->multi = curl_multi_init();
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    /* No limit per host: to libcurl all hubs behind the edge are one host, and would take each other's connections. Who
     * calls keeps to one call per hub and thread. */
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    return c;
}

void hub_client_free(struct hub_client *c)
{
    if (!c)
        return;
    curl_multi_cleanup(c->multi);
    resolver_free(c->resolver);
    cache_free(c->tokens);
    arena_free(c->arena);
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

static struct sha256 token_identity(struct arena *a, const struct hub_call *call)
{
    const struct hub_credential *k = call->credential;
    struct text t;
    text_init(&t, a, 256);
    text_printf(&t, "%.*s\n%.*s\n", STR_ARG(call->host), STR_ARG(k->key_name));
    text_add(&t, bytes_str(k->key));
    struct str s = text_str(&t);
    return crypt_sha256(str_bytes(s));
}

static struct str make_token(const struct hub_call *call, struct arena *a, int64_t now_s)
{
    const struct hub_credential *k = call->credential;
    return sas_make(a, arena_lower(a, call->host), k->key_name, k->key, now_s + TOKEN_LIFE_S);
}

static struct str token_for(struct hub_client *c, const struct hub_call *call)
{
    int64_t now_us = clock_wall_us();
    const struct sha256 of = token_identity(call->arena, call);
    const struct str key = bytes_str(sha256_bytes(&of));
    struct str *token = cache_find(c->tokens, key, now_us);
    if (!token) {
        token = cache_make(c->tokens, key, sizeof *token, now_us);
        *token = make_token(call, cache_arena(token), now_us / 1000000);
        cache_keep(c->tokens, token);
    }
    struct str copy = arena_str(call->arena, *token);
    cache_release(token);
    return copy;
}

/* --- callbacks of libcurl ----------------------------------------------------------------------------------------- */

static size_t take_reply(char *data, size_t size, size_t count, void *context)
{
    struct hub_transfer *t = context;
    size_t n = size * count;
    if (t->reply.n + n > REPLY_MAX)
        return 0; /* ends the transfer */
    text_add(&t->reply, (struct str){data, n});
    return n;
}

/* Called with the address that is about to be connected to. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct hub_transfer *t = context;
    (void)purpose;
    if (!t->by_edge && !outgoing_may_reach(&t->client->settings->outgoing, &address->addr)) {
        t->not_allowed = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void end_here(struct hub_transfer *t, enum hub_outcome outcome)
{
    t->over = true;
    t->resolving = false;
    t->call->outcome = outcome;
    t->call->status = 0;
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static void add_header(struct hub_transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more)
        t->headers = more;
}

static void set_headers(struct hub_client *c, struct hub_call *call)
{
    struct hub_transfer *t = call->transfer;
    add_header(t, "Expect:");
    add_header(t, "Accept: application/json");
    if (call->body.p)
        add_header(t, "Content-Type: application/json; charset=utf-8");
    if (call->if_match.p)
        add_header(t, arena_printf(call->arena, "If-Match: %.*s", STR_ARG(call->if_match)).p);
    if (call->id_scope.p)
        add_header(t, arena_printf(call->arena, "x-provisioning-id-scope: %.*s", STR_ARG(call->id_scope)).p);
    if (call->page)
        add_header(t, arena_printf(call->arena, "x-ms-max-item-count: %d", call->page).p);
    if (call->continuation.p)
        add_header(t, arena_printf(call->arena, "x-ms-continuation: %.*s", STR_ARG(call->continuation)).p);
    if (call->credential)
        add_header(t, arena_printf(call->arena, "Authorization: %s", token_for(c, call).p).p);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

/* "ADDRESS:PORT", the address perhaps in brackets. */
static struct str address_of(struct str both, struct str *ret_port)
{
    size_t n = both.n;
    while (n > 0 && both.p[n - 1] != ':')
        n--;
    *ret_port = (struct str){both.p + n, both.n - n};
    return (struct str){both.p, n > 0 ? n - 1 : 0};
}

static void set_place(struct hub_client *c, struct hub_call *call)
{
    struct hub_transfer *t = call->transfer;
    const struct hub_client_settings *s = c->settings;
    /* A plain "http" URL with CONNECT_ONLY sends nothing at all: it is how to time a TCP connect without a handshake.
     */
    const char *scheme = call->connect_only ? "http" : "https";
    t->port = call->port ? arena_printf(call->arena, "%d", call->port) : STR("443");
    struct str url = arena_printf(call->arena, "%s://%.*s:%.*s%.*s", scheme, STR_ARG(call->host), STR_ARG(t->port),
                                  STR_ARG(call->path));
    curl_easy_setopt(t->easy, CURLOPT_URL, url.p);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, scheme);
    t->by_edge = s->edge_address.n > 0 && id_hub_built_in(call->arena, call->host, s->domain);
    t->name = arena_lower(call->arena, call->host);
    if (!t->by_edge)
        return;
    struct str to =
        arena_printf(call->arena, "%.*s:%.*s:%.*s", STR_ARG(call->host), STR_ARG(t->port), STR_ARG(s->edge_address));
    t->name = address_of(s->edge_address, &t->port);
    t->connect_to = curl_slist_append(NULL, to.p);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
}

static void set_method(struct hub_call *call)
{
    CURL *easy = call->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    if (call->body.p) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.p);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    }
    if (call->fresh || call->connect_only) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    if (call->connect_only)
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
}

/* From the call's start until it must be connected. */
static int64_t connect_ms(const struct hub_call *call)
{
    return call->timeout_ms < WAIT_connect_MS ? call->timeout_ms : WAIT_connect_MS;
}

/* What is left of a time that began with the call; 0 would mean "for ever" to libcurl. */
static long left_of(const struct hub_transfer *t, int64_t ms)
{
    int64_t left_ms = t->begun_ms + ms - clock_ms();
    return left_ms > 1 ? (long)left_ms : 1;
}

static void set_times(struct hub_call *call)
{
    struct hub_transfer *t = call->transfer;
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, left_of(t, call->timeout_ms));
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, left_of(t, connect_ms(call)));
}

static void set_bounds(struct hub_client *c, struct hub_call *call)
{
    CURL *easy = call->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "idscope-worker/" IDSCOPE_VERSION);
    struct curl_blob ca = {(void *)(uintptr_t)c->settings->ca_pem.p, c->settings->ca_pem.n, CURL_BLOB_NOCOPY};
    if (ca.len)
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
}

static void set_callbacks(struct hub_call *call)
{
    CURL *easy = call->transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call->transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call->transfer);
}

static void open_call(struct hub_client *c, struct hub_call *call)
{
    struct hub_transfer *t = ARENA_NEW(call->arena, struct hub_transfer);
    *t = (struct hub_transfer){.client = c,
                               .call = call,
                               .next = c->first,
                               .resolving = true,
                               .begun_ms = clock_ms(),
                               .easy = curl_easy_init()};
    text_init(&t->reply, call->arena, 1024);
    if (c->first)
        c->first->before = t;
    c->first = t;
    c->open++;
    call->transfer = t;
}

/* libcurl is given the addresses, so that it never looks for them itself: it would wait for a thread that does. */
static void connect_to(struct hub_transfer *t, const char *addresses)
{
    struct arena *a = t->call->arena;
    if (addresses) {
        struct str known = arena_printf(a, "+%.*s:%.*s:%s", STR_ARG(t->name), STR_ARG(t->port), addresses);
        t->resolve = curl_slist_append(NULL, known.p);
        curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->resolve);
    }
    t->resolving = false;
    set_times(t->call);
    curl_multi_add_handle(t->client->multi, t->easy);
}

static bool is_address(const struct hub_transfer *t)
{
    uint8_t at[16];
    const char *name = arena_str(t->call->arena, t->name).p;
    return name[0] == '[' || inet_pton(AF_INET, name, at) == 1;
}

/* Goes on as far as the name is known. */
static void look_up(struct hub_transfer *t)
{
    const char *addresses = NULL;
    switch (resolver_look(t->client->resolver, t->name, &addresses)) {
    case RESOLVER_FOUND:
        connect_to(t, addresses);
        break;
    case RESOLVER_NO_NAME:
        end_here(t, HUB_UNRESOLVED);
        break;
    case RESOLVER_ASKED:
        if (clock_ms() >= t->begun_ms + connect_ms(t->call))
            end_here(t, HUB_NAME_SILENT);
        break;
    }
}

static void look_up_all(struct hub_client *c)
{
    resolver_step(c->resolver);
    for (struct hub_transfer *t = c->first; t; t = t->next)
        if (t->resolving)
            look_up(t);
}

void hub_client_start(struct hub_client *c, struct hub_call *call)
{
    open_call(c, call);
    if (call->timeout_ms <= 0) {
        end_here(call->transfer, HUB_CANCELLED);
        return;
    }
    set_headers(c, call);
    set_place(c, call);
    set_method(call);
    set_bounds(c, call);
    set_callbacks(call);
    if (is_address(call->transfer))
        connect_to(call->transfer, NULL);
    else
        look_up(call->transfer);
}

/* --- ending ------------------------------------------------------------------------------------------------------- */

static int64_t info_us(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, what, &us);
    return us;
}

static enum hub_outcome outcome_of(const struct hub_transfer *t, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return HUB_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return HUB_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
        return t->not_allowed ? HUB_NOT_ALLOWED : HUB_NOT_CONNECTED;
    case CURLE_OPERATION_TIMEDOUT:
        return info_us(t->easy, CURLINFO_CONNECT_TIME_T) == 0 ? HUB_CONNECT_TIMED_OUT : HUB_TIMED_OUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return HUB_NOT_TRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
        return HUB_NO_TLS;
    default:
        return HUB_BROKE;
    }
}

static struct str header_of(const struct hub_call *call, const char *name)
{
    struct curl_header *h;
    if (curl_easy_header(call->transfer->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK || !h->value[0])
        return (struct str){NULL, 0};
    return arena_str(call->arena, str_of(h->value));
}

static void read_times(struct hub_call *call)
{
    CURL *easy = call->transfer->easy;
    long made = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made);
    if (made == 0)
        return;
    int64_t resolved = info_us(easy, CURLINFO_NAMELOOKUP_TIME_T), connected = info_us(easy, CURLINFO_CONNECT_TIME_T);
    int64_t secured = info_us(easy, CURLINFO_APPCONNECT_TIME_T), sent = info_us(easy, CURLINFO_PRETRANSFER_TIME_T);
    int64_t answered = info_us(easy, CURLINFO_STARTTRANSFER_TIME_T);
    call->connect_us = connected > resolved ? connected - resolved : 0;
    call->tls_us = secured > connected ? secured - connected : 0;
    call->http_us = answered > sent ? answered - sent : 0;
}

static void release(struct hub_client *c, struct hub_call *call)
{
    struct hub_transfer *t = call->transfer;
    if (t->before)
        t->before->next = t->next;
    else
        c->first = t->next;
    if (t->next)
        t->next->before = t->before;
    c->open--;
    curl_multi_remove_handle(c->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->connect_to);
    curl_slist_free_all(t->resolve);
    call->transfer = NULL;
}

static void conclude(struct hub_client *c, struct hub_call *call, CURLcode code)
{
    struct hub_transfer *t = call->transfer;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    call->outcome = outcome_of(t, code);
    call->status = call->outcome == HUB_ANSWERED ? (int)status : 0;
    call->retry_after_ms = info_us(t->easy, CURLINFO_RETRY_AFTER) * 1000;
    call->reply = text_str(&t->reply);
    if (call->page)
        call->next_page = header_of(call, "x-ms-continuation");
    read_times(call);
    release(c, call);
}

/* One that was ended by us. */
static struct hub_call *ended_here(struct hub_client *c)
{
    for (struct hub_transfer *t = c->first; t; t = t->next) {
        if (!t->over)
            continue;
        struct hub_call *call = t->call;
        release(c, call);
        return call;
    }
    return NULL;
}

/* One that libcurl ended. */
static struct hub_call *ended(struct hub_client *c)
{
    int left, running;
    curl_multi_perform(c->multi, &running);
    for (CURLMsg *m = curl_multi_info_read(c->multi, &left); m; m = curl_multi_info_read(c->multi, &left)) {
        if (m->msg != CURLMSG_DONE)
            continue;
        char *private = NULL;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        struct hub_call *call = (struct hub_call *)(void *)private;
        conclude(c, call, code);
        return call;
    }
    return NULL;
}

static void wait_for_sockets(struct hub_client *c, int ms)
{
    struct curl_waitfd of_names[NAME_SOCKETS_MAX];
    unsigned count = resolver_sockets(c->resolver, of_names, NAME_SOCKETS_MAX, &ms);
    curl_multi_poll(c->multi, of_names, count, ms, NULL);
}

struct hub_call *hub_client_next(struct hub_client *c, int64_t wait_ms)
{
    int64_t until_ms = clock_ms() + wait_ms;
    for (;;) {
        look_up_all(c);
        struct hub_call *call = ended_here(c);
        if (!call)
            call = ended(c);
        int64_t left_ms = until_ms - clock_ms();
        if (call || c->open == 0 || left_ms <= 0)
            return call;
        wait_for_sockets(c, left_ms < WAIT_SLICE_MS ? (int)left_ms : WAIT_SLICE_MS);
    }
}

size_t hub_client_open(const struct hub_client *c)
{
    return c->open;
}

void hub_client_give_up(struct hub_client *c)
{
    for (struct hub_transfer *t = c->first; t; t = t->next)
        end_here(t, HUB_CANCELLED);
}
