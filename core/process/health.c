/* health.c: answers probes, in a daemon and thread of its own. Deliberately not the listener that carries the service:
 * it must answer while that one is full, and it must never touch the database. */
#include "core/process/health.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/crypt.h"
#include "core/process/listen.h"

enum {
    PLACES = 32,      /* connections; one more, and the oldest of them goes */
    SPARE_PLACES = 8, /* for those that were sent away and are not gone yet */
    POOL = 8192,      /* of one connection: the longest head */
    IDLE_S = 2,
};

struct health {
    struct arena *arena;
    struct health_source source;
    int listen_fd;
    struct MHD_Daemon *daemon;
    int open[PLACES + SPARE_PLACES]; /* descriptors of connections, oldest first; the daemon's thread's own */
    size_t count;
};

/* --- connections -------------------------------------------------------------------------------------------------- */

static void remember(struct health *h, int fd)
{
    h->open[h->count++] = fd;
    if (h->count > PLACES)
        shutdown(h->open[h->count - PLACES - 1], SHUT_RDWR);
}

static void forget(struct health *h, int fd)
{
    size_t i = 0;
    while (i < h->count && h->open[i] != fd)
        i++;
    if (i == h->count)
        return;
    h->count--;
    memmove(h->open + i, h->open + i + 1, (h->count - i) * sizeof h->open[0]);
}

/* Idle time alone would let clients that send a byte now and then hold all places for ever. */
static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)socket_context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        remember(context, info->connect_fd);
    else
        forget(context, info->connect_fd);
}

/* --- one probe ---------------------------------------------------------------------------------------------------- */

struct answer {
    unsigned status;
    const char *type;
    struct str body;
};

static struct answer say(unsigned status, struct str body)
{
    return (struct answer){status, "text/plain", body};
}

static struct answer say_ready(const struct health *h, struct arena *a)
{
    struct str why_not = STR("not ready");
    if (h->source.ready(h->source.context, &why_not))
        return say(MHD_HTTP_OK, STR("ready\n"));
    return say(MHD_HTTP_SERVICE_UNAVAILABLE, arena_printf(a, "%.*s\n", STR_ARG(why_not)));
}

static struct answer say_metrics(const struct health *h, struct arena *a)
{
    struct text out;
    text_init(&out, a, 8192);
    h->source.metrics(h->source.context, &out);
    return (struct answer){MHD_HTTP_OK, "text/plain; version=0.0.4", text_str(&out)};
}

static struct answer look(const struct health *h, struct arena *a, struct str method, struct str path)
{
    if (!str_same(method, STR("GET")))
        return say(MHD_HTTP_METHOD_NOT_ALLOWED, STR("only GET\n"));
    if (str_same(path, STR("/healthz")))
        return say(MHD_HTTP_OK, STR("ok\n"));
    if (str_same(path, STR("/readyz")))
        return say_ready(h, a);
    if (str_same(path, STR("/metrics")))
        return say_metrics(h, a);
    return say(MHD_HTTP_NOT_FOUND, STR("/healthz, /readyz or /metrics\n"));
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct answer *answer)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body.n, (void *)(uintptr_t)answer->body.p, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result sent = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request)
{
    (void)version, (void)data, (void)size, (void)request;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct answer answer = look(context, a, str_of(method), str_of(path));
    return send_answer(connection, &answer);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

err_t health_open(struct str listen, const struct health_source *source, struct err_detail *d, struct health **ret)
{
    struct addrinfo *found;
    *ret = NULL;
    if (!listen.n)
        return NULL;
    struct arena *a = arena_new();
    struct health *h = ARENA_NEW(a, struct health);
    *h = (struct health){.arena = a, .source = *source, .listen_fd = -1};
    err_t e = listen_resolve(a, listen, listen, d, &found);
    if (!e) {
        e = listen_open(found->ai_addr, found->ai_addrlen, listen, d, &h->listen_fd);
        freeaddrinfo(found);
    }
    if (e)
        arena_free(a);
    else
        *ret = h;
    return e;
}

/* poll, not epoll: see api/server.c for what the library's own epoll thread does when 128 events come at once. */
err_t health_start(struct health *h, struct err_detail *d)
{
    if (!h)
        return NULL;
    h->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET,
                                 h->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)(PLACES + SPARE_PLACES),
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)IDLE_S, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
    return h->daemon ? NULL : err_say(d, E(START_FAILED), "The health listener could not be started.");
}

void health_stop(struct health *h)
{
    if (!h)
        return;
    if (h->daemon)
        MHD_stop_daemon(h->daemon); /* which closes its listening socket */
    else
        close(h->listen_fd);
    arena_free(h->arena);
}
