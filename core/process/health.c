/* health.c: answers probes: one thread, one connection at a time, one request per connection, with short time-outs.
 * Deliberately not the server that carries the service: it must answer while that one is full, and it must never touch
 * the database. */
#include "core/process/health.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/crypt.h"
#include "core/id.h"
#include "core/process/clock.h"

enum { BACKLOG = 64, REQUEST_MAX = 4096, TIMEOUT_MS = 2000, PAUSE_US = 50000 };

struct health {
    struct arena *arena;
    struct health_source source;
    int listen_fd, stop_fd;
    pthread_t thread;
};

/* --- one probe ---------------------------------------------------------------------------------------------------- */

/* One client, and until when it may keep us: all of it, not each byte, or a slow one would keep us from all others. */
struct probe {
    int fd, stop_fd;
    int64_t end_us;
};

/* False when the client's time is over, or ours. */
static bool wait_for(const struct probe *p, short events)
{
    struct pollfd fds[] = {{.fd = p->fd, .events = events}, {.fd = p->stop_fd, .events = POLLIN}};
    int64_t left_us = p->end_us - clock_span_us();
    return left_us > 0 && poll(fds, 2, (int)(left_us / 1000) + 1) > 0 && !fds[1].revents;
}

/* Reads up to the end of the head; what comes behind is of no interest. False when the client is too slow or says too
 * much. */
static bool read_head(const struct probe *p, char *to, size_t room)
{
    size_t n = 0;
    while (n < room - 1 && wait_for(p, POLLIN)) {
        ssize_t got = recv(p->fd, to + n, room - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        to[n] = '\0';
        if (strstr(to, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void send_all(const struct probe *p, struct str s)
{
    while (s.n && wait_for(p, POLLOUT)) {
        ssize_t sent = send(p->fd, s.p, s.n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        s = (struct str){s.p + sent, s.n - (size_t)sent};
    }
}

static void answer(struct arena *a, const struct probe *p, const char *status, const char *type, struct str body)
{
    send_all(p,
             arena_printf(a, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
                          status, type, body.n, STR_ARG(body)));
}

static void answer_ready(const struct health *h, struct arena *a, const struct probe *p)
{
    struct str why_not = STR("not ready");
    bool ready = h->source.ready(h->source.context, a, &why_not);
    answer(a, p, ready ? "200 OK" : "503 Service Unavailable", "text/plain",
           ready ? STR("ready\n") : arena_printf(a, "%s\n", why_not.p));
}

static void answer_metrics(const struct health *h, struct arena *a, const struct probe *p)
{
    struct text out;
    text_init(&out, a, 8192);
    h->source.metrics(h->source.context, &out);
    answer(a, p, "200 OK", "text/plain; version=0.0.4", text_str(&out));
}

static void serve(const struct health *h, const struct probe *p)
{
    char head[REQUEST_MAX];
    if (!read_head(p, head, sizeof head))
        return;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str method, path, rest = str_split(str_of(head), ' ', &method);
    str_split(rest, ' ', &path);
    if (!str_same(method, STR("GET")))
        answer(a, p, "405 Method Not Allowed", "text/plain", STR("only GET\n"));
    else if (str_same(path, STR("/healthz")))
        answer(a, p, "200 OK", "text/plain", STR("ok\n"));
    else if (str_same(path, STR("/readyz")))
        answer_ready(h, a, p);
    else if (str_same(path, STR("/metrics")))
        answer_metrics(h, a, p);
    else
        answer(a, p, "404 Not Found", "text/plain", STR("/healthz, /readyz or /metrics\n"));
}

/* --- the listener ------------------------------------------------------------------------------------------------- */

static void *run(void *context)
{
    struct health *h = context;
    struct pollfd fds[] = {{.fd = h->listen_fd, .events = POLLIN}, {.fd = h->stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[1].revents)
            break;
        int fd = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            usleep(PAUSE_US); /* gone again, or we are out of descriptors: do not spin */
            continue;
        }
        serve(h, &(struct probe){fd, h->stop_fd, clock_span_us() + TIMEOUT_MS * INT64_C(1000)});
        close(fd);
    }
    return NULL;
}

static err_t bad(struct err_detail *d, struct str listen_at, const char *rule)
{
    return err_say(d, E(BAD_CONFIG), "health_listen %.*s: %s.", STR_ARG(listen_at), rule);
}

static err_t open_socket(struct arena *a, struct str listen_at, struct err_detail *d, int *ret)
{
    struct str host = id_host_without_port(listen_at);
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    if (host.n + 1 >= listen_at.n)
        return bad(d, listen_at, "ADDRESS:PORT is wanted");
    const char *port = listen_at.p + host.n + 1;
    if (host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    int failed = getaddrinfo(arena_str(a, host).p, port, &wanted, &found), on = 1;
    if (failed)
        return bad(d, listen_at, gai_strerror(failed));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool good = fd >= 0 && !bind(fd, found->ai_addr, found->ai_addrlen) && !listen(fd, BACKLOG);
    err_t e = good ? NULL : bad(d, listen_at, strerror(errno));
    freeaddrinfo(found);
    if (e && fd >= 0)
        close(fd);
    if (!e)
        *ret = fd;
    return e;
}

err_t health_start(struct str listen, const struct health_source *source, struct err_detail *d, struct health **ret)
{
    struct arena *a = arena_new();
    struct health *h = ARENA_NEW(a, struct health);
    *ret = NULL;
    err_t e = listen.n ? open_socket(a, listen, d, &h->listen_fd) : NULL;
    if (e || !listen.n) {
        arena_free(a);
        return e;
    }
    h->arena = a;
    h->source = *source;
    h->stop_fd = eventfd(0, EFD_CLOEXEC);
    crypt_must(h->stop_fd >= 0 && pthread_create(&h->thread, NULL, run, h) == 0, "starting the health listener");
    *ret = h;
    return NULL;
}

void health_stop(struct health *h)
{
    if (!h)
        return;
    uint64_t one = 1;
    crypt_must(write(h->stop_fd, &one, sizeof one) == sizeof one, "stopping the health listener");
    pthread_join(h->thread, NULL);
    close(h->listen_fd);
    close(h->stop_fd);
    arena_free(h->arena);
}
