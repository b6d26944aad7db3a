/* listen.c: opens listening sockets and says in words why it cannot. It must never decide who may connect. */
#include "core/process/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/process/start.h"

enum { BACKLOG = 1024 };

static err_t failed(struct err_detail *d, err_t e, struct str spec, const char *why)
{
    return err_say(d, e, "The listener %.*s: %s.", STR_ARG(spec), why);
}

static err_t resolver_error(int failure)
{
    if (failure == EAI_SYSTEM)
        return start_error(errno);
    return failure == EAI_AGAIN || failure == EAI_MEMORY ? E(START_FAILED) : E(BAD_CONFIG);
}

err_t listen_resolve(struct arena *a, struct str spec, struct str host_port, struct err_detail *d,
                     struct addrinfo **ret)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    size_t colon = host_port.n;
    while (colon && host_port.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || colon == host_port.n)
        return failed(d, E(BAD_CONFIG), spec, "ADDRESS:PORT is wanted");
    struct str host = {host_port.p, colon - 1};
    if (host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    struct str port = arena_copy(a, host_port.p + colon, host_port.n - colon);
    int failure = getaddrinfo(arena_str(a, host).p, port.p, &wanted, ret);
    return failure ? failed(d, resolver_error(failure), spec, gai_strerror(failure)) : NULL;
}

err_t listen_open(const struct sockaddr *address, socklen_t n, struct str spec, struct err_detail *d, int *ret_fd)
{
    int on = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && address->sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && !bind(fd, address, n) && !listen(fd, BACKLOG)) {
        *ret_fd = fd;
        return NULL;
    }
    err_t e = failed(d, start_error(errno), spec, strerror(errno));
    if (fd >= 0)
        close(fd);
    return e;
}
