/* server.c: the door. It reads a request, finds its operation, reserves a place in a queue, suspends the connection,
 * and sends the reply when a lane has made it. Order matters: reserve (no place is an answer at once), suspend (the
 * lane may be quicker than our return), push; and a lane touches nothing of libmicrohttpd but the resume. Everything of
 * a request lives in its arena, from the first line until the reply is sent, so an idle connection costs its buffer and
 * no more. A body of any length is given to its operation piece by piece: while a lane has one, the client waits. A
 * reply of any length is asked for in the same way. It must never know what an operation does.
 *
 * The event loop is ours (serve). The library's own, in version 0.9.75, takes events 128 at a time and waits for more
 * before it looks at those it has: 128 clients that send at the same moment stop it for ever. Called without blocking,
 * it does no such thing. */
#include "api/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/budget.h"
#include "api/peer.h"
#include "api/plane.h"
#include "api/reply.h"
#include "api/router.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/program.h"

enum {
    EDGE_POOL = 56 * 1024, /* a request's head with a client's chain in it */
    PLAIN_POOL = 4 * 1024, /* what an idle connection costs */
    IDLE_TIMEOUT_S = 120,
    PIECE_BYTES = 256 * 1024, /* of a body that comes piece by piece: what one run of its operation gets, and holds */
    REPLY_BLOCK = 32 * 1024,
    DISCARD_MAX = 16 * 1024 * 1024, /* of a body that nobody wants, before the connection is cut */
    TARGET_MAX = 8 * 1024,
    PARAMETERS_MAX = 100, /* in the query */
    REQUEST_ID_MAX = 128,
    LOG_DETAIL_MAX = 400,
    SPARE_ARENAS = 64,
    SPARE_IDS = 64,
    WAIT_MAX_MS = 200, /* of the event loop, which then looks whether it is to stop */
    DRAIN_STEP_US = 10000,
    QUIET_STEPS = 5,
    LOOK_US = 500000,
    FLUSH_MS = 500, /* for the last replies to be sent, once the lanes have made them */
};

struct server {
    struct arena *arena;
    const struct shared *shared;
    struct lanes *lanes;
    struct str edge_secret;
    int64_t edge_uid;
    struct listener {
        struct server *server;
        struct peer_listener peer;
        struct MHD_Daemon *daemon;
        pthread_t thread;                  /* while there is a daemon */
        struct arena *spare[SPARE_ARENAS]; /* emptied, for the next requests; only the listener's thread touches them */
        size_t spare_count;
        struct exchange *exchanges, *free; /* one for each connection that there may be */
        size_t exchange_count;             /* that were ever used */
        struct exchange *oldest, *newest;  /* those whose request is still arriving, in the order in which they began */
        struct budget *bodies;             /* bytes of them */
        int64_t looked_us;                 /* when we last looked whether their clients are still there */
        struct uuid ids[SPARE_IDS];
        size_t id_count;
        int wake_fd;        /* eventfd: a lane has resumed a connection */
        _Atomic bool woken; /* and said so already: one wake-up serves a whole batch */
    } listeners[2];
    _Atomic bool draining, stopping;
};

/* One connection and the request that it is at. It lives as long as the connection, so what a request took is given
 * back at the latest when the connection ends: of a request that libmicrohttpd answers by itself we hear nothing more.
 */
struct exchange {
    struct listener *listener;
    struct MHD_Connection *connection;
    struct exchange *next_free;
    struct exchange *older, *newer; /* while `arriving` */
    bool arriving;
    struct call *call; /* NULL between requests, and the lanes' while IN_LANE */
    enum { AT_HEAD, AT_BODY, PIECE_IN_LANE, IN_LANE } state;
    struct str target;
    struct text body;
    uint64_t received; /* of the body */
    size_t sent;       /* of r->reply, where there is more than that */
    int64_t since_us;  /* while `arriving` (monotonic) */
    unsigned share;    /* of the listener's budget for bodies */
    size_t discarded;
    bool close; /* the connection cannot be used again */
};

/* --- requests that are still arriving ----------------------------------------------------------------------------- */

static void begin_arrival(struct exchange *x)
{
    struct listener *l = x->listener;
    x->arriving = true;
    x->since_us = clock_span_us();
    x->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = x;
    l->newest = x;
}

static void end_arrival(struct exchange *x)
{
    struct listener *l = x->listener;
    if (!x->arriving)
        return;
    x->arriving = false;
    *(x->older ? &x->older->newer : &l->oldest) = x->newer;
    *(x->newer ? &x->newer->older : &l->newest) = x->older;
    x->older = x->newer = NULL;
}

/* --- the reply ---------------------------------------------------------------------------------------------------- */

static void add_header(void *context, const char *name, struct str value)
{
    (void)MHD_add_response_header(context, name, value.p);
}

/* The reply, or a piece, is complete, on whatever thread. */
static void on_done(struct call *r)
{
    struct exchange *x = r->door;
    struct listener *l = x->listener;
    const uint64_t one = 1;
    x->call = r;
    MHD_resume_connection(x->connection); /* from here on the exchange may be gone */
    if (!atomic_exchange(&l->woken, true))
        crypt_must(write(l->wake_fd, &one, sizeof one) == sizeof one, "waking a listener");
}

/* libmicrohttpd wants more of the reply; the lanes are asked for it when all that there is was sent. */
static ssize_t next_of_reply(void *exchange, uint64_t at, char *ret, size_t most)
{
    (void)at;
    struct exchange *x = exchange;
    struct call *r = x->call;
    size_t left = r->reply.n - x->sent;
    if (r->error)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!left && !r->pieces.more)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!left) {
        x->sent = 0;
        MHD_suspend_connection(x->connection);
        lanes_submit(x->listener->server->lanes, r, on_done);
        return 0;
    }
    size_t n = left < most ? left : most;
    memcpy(ret, r->reply.p + x->sent, n);
    x->sent += n;
    return (ssize_t)n;
}

static struct MHD_Response *response_of(struct exchange *x)
{
    const struct call *r = x->call;
    if (r->pieces.more && !r->error)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, REPLY_BLOCK, next_of_reply, x, NULL);
    return MHD_create_response_from_buffer(r->reply.n, (void *)(uintptr_t)r->reply.p, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_reply(struct exchange *x)
{
    struct call *r = x->call;
    struct MHD_Response *response = response_of(x);
    if (!response)
        return MHD_NO;
    reply_headers(r, add_header, response);
    if (x->close || x->listener->server->draining)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    end_arrival(x);
    enum MHD_Result sent = MHD_queue_response(x->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return sent;
}

/* The reply for r->error, without a lane. */
static enum MHD_Result send_error(struct exchange *x)
{
    reply_finish(x->call);
    return send_reply(x);
}

/* --- requests that arrive too slowly, or not at all --------------------------------------------------------------- */

static int socket_of(const struct exchange *x)
{
    return MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static bool has_left(const struct exchange *x)
{
    char byte;
    return recv(socket_of(x), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void add_header_line(void *text, const char *name, struct str value)
{
    text_printf(text, "%s: %.*s\r\n", name, STR_ARG(value));
}

/* libmicrohttpd takes no reply for a request whose body is still to come. So this one goes to the socket as it is; on
 * what the library hears of next, the connection's end, it gives the rest back. */
static void answer_and_cut(struct exchange *x)
{
    struct call *r = x->call;
    struct text out;
    text_init(&out, r->arena, 1024);
    reply_finish(r);
    text_printf(&out, "HTTP/1.1 %d %s\r\n", r->status, MHD_get_reason_phrase_for((unsigned)r->status));
    reply_headers(r, add_header_line, &out);
    text_printf(&out, "Connection: close\r\nContent-Length: %zu\r\n\r\n%.*s", r->reply.n, STR_ARG(r->reply));
    (void)send(socket_of(x), out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(socket_of(x), SHUT_RDWR);
}

/* Who was refused at the head, and sends a body that nobody waits for, hears why; all others that they were too slow.
 */
static void cut_those_that_are_slow(struct listener *l)
{
    int64_t begun_us = clock_span_us() - l->server->shared->cfg->body_timeout_ms * 1000;
    while (l->oldest && l->oldest->since_us <= begun_us) {
        struct exchange *x = l->oldest;
        end_arrival(x);
        if (!x->call->error)
            x->call->error = E(BODY_TIMEOUT);
        answer_and_cut(x);
    }
}

/* Of a client that leaves with its last bytes libmicrohttpd hears nothing: the end of the stream is no event of its
 * own. Such a connection would be kept until it has been idle for long. */
static void cut_those_that_left(struct listener *l)
{
    int64_t now_us = clock_span_us();
    if (now_us - l->looked_us < LOOK_US)
        return;
    l->looked_us = now_us;
    for (const struct exchange *x = l->oldest; x; x = x->newer)
        if (has_left(x))
            shutdown(socket_of(x), SHUT_RDWR);
}

/* --- the head ----------------------------------------------------------------------------------------------------- */

/* As libmicrohttpd has it, which is until the reply is sent; what the call keeps is copied (`kept`), since a lane may
 * hold on to it for longer. */
static struct str header(const struct exchange *x, const char *name)
{
    return str_of(MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name));
}

static struct str kept(const struct exchange *x, const char *name)
{
    return arena_str(x->call->arena, header(x, name));
}

static struct str header_of(const void *exchange, const char *name)
{
    return header(exchange, name);
}

static struct str socket_address(struct exchange *x)
{
    char text[INET6_ADDRSTRLEN] = "";
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    if (from && from->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)from)->sin_addr, text, sizeof text);
    else if (from && from->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, text, sizeof text);
    return arena_str(x->call->arena, str_of(text));
}

/* The client's own id comes back when it asked for that, and when it is harmless to repeat. */
static struct str echoed_request_id(const struct exchange *x)
{
    struct str id = kept(x, "x-ms-client-request-id");
    bool wanted = str_same_nocase(header(x, "x-ms-return-client-request-id"), STR("true"));
    for (size_t i = 0; wanted && i < id.n; i++)
        wanted = id.p[i] > ' ' && id.p[i] < 0x7f;
    return wanted && id.n <= REQUEST_ID_MAX ? id : (struct str){NULL, 0};
}

static void read_headers(struct exchange *x)
{
    struct call *r = x->call;
    peer_presented(&x->listener->peer, r->arena, header_of, x, &r->presented);
    if (!x->listener->peer.edge)
        r->presented.address = socket_address(x);
    r->options.if_match = kept(x, "If-Match");
    r->options.if_none_match = kept(x, "If-None-Match");
    r->options.max_item_count = kept(x, "x-ms-max-item-count");
    r->options.continuation = kept(x, "x-ms-continuation");
    r->options.id_scope = kept(x, "x-provisioning-id-scope");
    r->options.extensions = str_same(header(x, "x-idscope-extensions"), STR("1"));
    r->client_request_id = echoed_request_id(x);
}

static bool is_edge_itself(const struct exchange *x)
{
    const struct listener *l = x->listener;
    return !l->peer.check_secret || peer_secret_is(header(x, "X-Idscope-Edge-Secret"), l->server->edge_secret);
}

static bool declares_body(const struct exchange *x, uint64_t *ret_length)
{
    *ret_length = 0;
    if (header(x, "Transfer-Encoding").n)
        return true;
    int64_t n = 0;
    struct str declared = header(x, "Content-Length");
    if (declared.n && dec_i64(declared, 0, INT64_MAX, &n))
        *ret_length = (uint64_t)n;
    return n > 0;
}

static size_t count_of(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

static err_t check_head(struct exchange *x, struct str method)
{
    struct call *r = x->call;
    uint64_t length;
    err_t e = router_resolve(r, method, header(x, "Host"), x->target);
    if (!is_edge_itself(x))
        return call_refuse(r, E(FORBIDDEN), "the request did not come from the edge");
    if (x->target.n > TARGET_MAX)
        return call_fail(r, E(BAD_REQUEST), "The request's target is longer than %d bytes.", TARGET_MAX);
    if (count_of(r->query, '&') >= PARAMETERS_MAX)
        return call_fail(r, E(BAD_REQUEST), "The query has more than %d parameters.", PARAMETERS_MAX);
    return e ? e : auth_read(r, declares_body(x, &length));
}

static err_t too_large(struct call *r)
{
    return call_fail(r, E(BODY_TOO_LARGE), "The body is over the limit of %zu bytes.",
                     r->route ? r->route->body_max : 0);
}

static enum MHD_Result take_head(struct exchange *x, const char *method)
{
    struct call *r = x->call;
    uint64_t length;
    read_headers(x);
    r->error = check_head(x, str_of(method));
    bool has_body = declares_body(x, &length);
    if (!r->error && length > r->route->body_max)
        r->error = too_large(r);
    x->state = AT_BODY;
    /* Who asks first, or would send a lot for nothing, is told now; such a connection ends. Else the little body is
     * read and dropped. */
    bool asks = header(x, "Expect").n > 0;
    if (r->error && has_body && (asks || length > DISCARD_MAX)) {
        x->close = true;
        return send_error(x);
    }
    x->share = budget_share(x->listener->bodies, r->presented.address);
    return MHD_YES;
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

/* The connection waits until it is given back. */
static void give_to_lanes(struct exchange *x, bool last)
{
    struct call *r = x->call;
    call_take_body(r, x->body.n ? text_str(&x->body) : (struct str){NULL, 0});
    r->pieces.last = last;
    end_arrival(x);
    x->state = last ? IN_LANE : PIECE_IN_LANE;
    MHD_suspend_connection(x->connection);
    lanes_submit(x->listener->server->lanes, r, on_done);
}

/* What the operation left of the piece comes before the next one. A call that was given up is still its lane's. */
static void piece_taken(struct exchange *x)
{
    const struct call *r = x->call;
    size_t left = r->error ? 0 : r->pieces.rest.n;
    budget_give(x->listener->bodies, x->share, x->body.n - left);
    if (r->error)
        x->body = (struct text){.n = 0};
    else
        memmove(x->body.p, r->pieces.rest.p, left);
    x->body.n = left;
    x->state = AT_BODY;
    begin_arrival(x);
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *size)
{
    struct call *r = x->call;
    size_t n = *size;
    *size = 0;
    x->received += n;
    if (!r->error && x->received > r->route->body_max)
        r->error = too_large(r);
    if (!r->error && !budget_take(x->listener->bodies, x->share, n))
        r->error = call_refuse(r, E(OVERLOADED), "too many bytes of bodies are held, in all or of this address");
    if (r->error) {
        x->discarded += n;
        return x->discarded > DISCARD_MAX && !r->pieces.state ? MHD_NO : MHD_YES;
    }
    if (!x->body.arena)
        text_init(&x->body, r->arena, n);
    text_add(&x->body, (struct str){data, n});
    if (r->route->pieces && x->body.n >= PIECE_BYTES)
        give_to_lanes(x, false);
    return MHD_YES;
}

static enum MHD_Result body_complete(struct exchange *x)
{
    struct call *r = x->call;
    r->now_us = clock_wall_us();
    if (r->error)
        return send_error(x);
    give_to_lanes(x, true);
    return MHD_YES;
}

/* --- callbacks of libmicrohttpd ----------------------------------------------------------------------------------- */

static struct arena *take_arena(struct listener *l)
{
    return l->spare_count ? l->spare[--l->spare_count] : arena_new();
}

static void give_arena(struct listener *l, struct arena *a)
{
    if (l->spare_count < SPARE_ARENAS)
        l->spare[l->spare_count++] = a;
    else
        arena_free(a);
}

static struct uuid take_id(struct listener *l)
{
    if (!l->id_count) {
        crypt_uuid4s(l->ids, SPARE_IDS);
        l->id_count = SPARE_IDS;
    }
    return l->ids[--l->id_count];
}

/* --- the first and the last of a request -------------------------------------------------------------------------- */

static struct exchange *exchange_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The first that is heard of a request: its target, before anything of it was decoded. libmicrohttpd would list the
 * parameters in the connection's pool, which some hundreds of them exhaust, and then answer by itself. The router reads
 * them from our copy, so it is left none to list. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct listener *l = context;
    struct exchange *x = exchange_of(connection);
    if (!x)
        return NULL;
    char *query = strchr((char *)(uintptr_t)target, '?');
    const struct uuid tracking = take_id(l);
    struct call *r = call_new(take_arena(l), l->server->shared, &tracking);
    *x = (struct exchange){.listener = l, .connection = connection, .call = r};
    r->door = x;
    x->target = arena_str(r->arena, str_of(target));
    begin_arrival(x);
    if (query)
        query[1] = '\0';
    return x;
}

/* The request is over: answered, given up by the client (status 0), or answered by libmicrohttpd without a word to us.
 */
static void finish(struct exchange *x)
{
    struct call *r = x->call;
    if (!r)
        return;
    end_arrival(x);
    budget_give(x->listener->bodies, x->share, x->body.n);
    x->call = NULL;
    if (x->state == AT_HEAD && !r->error)
        r->error = call_refuse(r, E(BAD_REQUEST), "the head did not arrive whole, or is no HTTP");
    give_arena(x->listener, call_end(r));
}

/* What libmicrohttpd has to say, which is mostly why it answered by itself. It ends its sentences with line feeds. */
static void on_complaint(void *context, const char *format, va_list args)
{
    (void)context;
    char words[LOG_DETAIL_MAX];
    vsnprintf(words, sizeof words, format, args);
    words[strcspn(words, "\r\n")] = '\0';
    log_event(LOG_INFO, "httpRefused", L_CSTR("detail", words));
}

static bool is_stranger(const struct listener *l, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return l->peer.check_uid && !(info && peer_uid_is(info->connect_fd, l->server->edge_uid));
}

static void log_stranger(void)
{
    log_event(LOG_WARN, "edgePeerRefused",
              L_CSTR("detail", "a process of another user connected to the edge listener"));
}

/* There are as many as connections are allowed. */
static struct exchange *take_exchange(struct listener *l)
{
    struct exchange *x = l->free;
    if (x)
        l->free = x->next_free;
    else if (l->exchange_count < (size_t)l->server->shared->cfg->connections_max)
        x = &l->exchanges[l->exchange_count++];
    return x;
}

static void give_exchange(struct listener *l, struct exchange *x)
{
    x->next_free = l->free;
    l->free = x;
}

/* A connection without an exchange is a stranger's: whatever it asks for, it is cut. */
static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct listener *l = context;
    struct exchange *x = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED && is_stranger(l, connection)) {
        log_stranger();
    } else if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = take_exchange(l);
    } else if (x) {
        finish(x);
        give_exchange(l, x);
    }
}

/* libmicrohttpd may come with the next chunk of a body that it was told to wait with: it comes again. */
static bool is_suspended(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
    return info && info->suspended == MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **request)
{
    (void)context, (void)connection, (void)url, (void)version;
    struct exchange *x = *request;
    if (!x || !x->call)
        return MHD_NO;
    if (is_suspended(connection))
        return MHD_YES;
    if (x->state == PIECE_IN_LANE)
        piece_taken(x);
    switch (x->state) {
    case AT_HEAD:
        return take_head(x, method);
    case AT_BODY:
        return *size ? take_body(x, data, size) : body_complete(x);
    case PIECE_IN_LANE:
    case IN_LANE:
        break;
    }
    return send_reply(x);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode how)
{
    (void)context, (void)connection, (void)how;
    if (*request)
        finish(*request);
    *request = NULL;
}

/* Targets are decoded by the router, once and by segment. */
static size_t no_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return str_of(text).n;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* A listening socket that is shut down refuses at once; one that is merely not served would let clients wait. */
static void stop_accepting(struct listener *l)
{
    (void)MHD_quiesce_daemon(l->daemon);
    shutdown(l->peer.fd, SHUT_RDWR);
}

static int wait_ms(struct MHD_Daemon *daemon)
{
    MHD_UNSIGNED_LONG_LONG ms;
    return MHD_get_timeout(daemon, &ms) == MHD_YES && ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS;
}

static void *serve(void *context)
{
    struct listener *l = context;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd events[] = {{.fd = info->epoll_fd, .events = POLLIN}, {.fd = l->wake_fd, .events = POLLIN}};
    uint64_t ignored;
    bool accepting = true;
    while (!l->server->stopping) {
        if (accepting && l->server->draining) {
            stop_accepting(l);
            accepting = false;
        }
        if (poll(events, 2, wait_ms(l->daemon)) > 0 && events[1].revents) {
            (void)!read(l->wake_fd, &ignored, sizeof ignored);
            l->woken = false; /* before the run: who resumes from now on wakes us again */
        }
        (void)MHD_run(l->daemon);
        cut_those_that_left(l);
        cut_those_that_are_slow(l);
    }
    return NULL;
}

static void end_daemon(struct listener *l)
{
    if (!l->daemon)
        return;
    pthread_join(l->thread, NULL);
    MHD_stop_daemon(l->daemon);
    close(l->wake_fd);
}

static void free_listener(struct listener *l)
{
    while (l->spare_count)
        arena_free(l->spare[--l->spare_count]);
    if (l->peer.fd >= 0)
        close(l->peer.fd);
}

static err_t open_listeners(struct server *s, struct err_detail *d)
{
    const struct cfg *cfg = s->shared->cfg;
    if (cfg->edge_listen.n)
        TRY(peer_listen_edge(s->arena, cfg->edge_listen, d, &s->listeners[0].peer));
    if (cfg->plain_listen.n)
        TRY(peer_listen_plain(s->arena, cfg->plain_listen, d, &s->listeners[1].peer));
    if (s->listeners[0].peer.check_secret && !s->edge_secret.n)
        return err_say(d, E(BAD_CONFIG), "A tcp edge listener needs edge_secret_file, with a secret in it.");
    if (s->listeners[0].peer.fd < 0 && s->listeners[1].peer.fd < 0)
        return err_say(d, E(BAD_CONFIG), "Set edge_listen or plain_listen: there is no listener.");
    return NULL;
}

err_t server_open(const struct shared *shared, struct str edge_secret, struct err_detail *d, struct server **ret)
{
    struct arena *a = arena_new();
    struct server *s = ARENA_NEW(a, struct server);
    *s = (struct server){.arena = a, .shared = shared, .edge_secret = edge_secret};
    s->edge_uid = shared->cfg->edge_uid >= 0 ? shared->cfg->edge_uid : (int64_t)getuid();
    for (size_t i = 0; i < 2; i++)
        s->listeners[i] = (struct listener){.server = s, .peer = {.fd = -1}};
    err_t e = open_listeners(s, d);
    if (e) {
        server_free(s);
        return e;
    }
    *ret = s;
    return NULL;
}

static struct MHD_Daemon *start_daemon(struct listener *l)
{
    const struct cfg *cfg = l->server->shared->cfg;
    size_t pool = l->peer.edge ? EDGE_POOL : PLAIN_POOL;
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, l,
                            MHD_OPTION_EXTERNAL_LOGGER, on_complaint, NULL, MHD_OPTION_LISTEN_SOCKET, l->peer.fd,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)cfg->connections_max,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_URI_LOG_CALLBACK, on_target, l,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, l, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                            l, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL, MHD_OPTION_END);
}

err_t server_start(struct server *s, struct lanes *lanes, struct err_detail *d)
{
    s->lanes = lanes;
    for (size_t i = 0; i < 2; i++) {
        struct listener *l = &s->listeners[i];
        if (l->peer.fd < 0)
            continue;
        l->bodies = budget_new(s->arena, (uint64_t)s->shared->cfg->body_bytes_max,
                               (uint64_t)s->shared->cfg->body_bytes_per_address);
        l->exchanges = ARENA_NEW_ARRAY(s->arena, (size_t)s->shared->cfg->connections_max, struct exchange);
        l->daemon = start_daemon(l);
        if (!l->daemon)
            return err_say(d, E(INTERNAL), "The HTTP server could not be started.");
        l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        crypt_must(l->wake_fd >= 0 && pthread_create(&l->thread, NULL, serve, l) == 0, "starting a listener's thread");
        pthread_setname_np(l->thread, l->peer.edge ? "edge" : "plain");
    }
    return NULL;
}

/* Until nothing has been under way for a moment: on a kept-alive connection the next request may be on its way. */
static void wait_until_quiet(int64_t at_most_ms)
{
    int64_t end_us = clock_span_us() + at_most_ms * 1000;
    for (int quiet = 0; quiet < QUIET_STEPS && clock_span_us() < end_us; quiet = calls_in_flight() ? 0 : quiet + 1)
        usleep(DRAIN_STEP_US);
}

void server_drain(struct server *s)
{
    s->draining = true;
    wait_until_quiet(program_work_ms(s->shared->cfg->drain_ms));
}

void server_stop(struct server *s)
{
    wait_until_quiet(FLUSH_MS);
    s->stopping = true;
    for (size_t i = 0; i < 2; i++)
        end_daemon(&s->listeners[i]);
}

void server_free(struct server *s)
{
    for (size_t i = 0; i < 2; i++)
        free_listener(&s->listeners[i]);
    arena_free(s->arena);
}
