/* peer.c: opens the listeners and checks who is at the other end. It must never open the edge listener where strangers
 * can reach it: the headers that it believes name client certificates. */
#include "api/peer.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/crypt.h"
#include "core/enc.h"

enum { BACKLOG = 1024 };

static err_t bad(struct err_detail *d, struct str spec, const char *rule)
{
    return err_say(d, E(BAD_CONFIG), "The listener %.*s: %s.", STR_ARG(spec), rule);
}

/* --- which addresses are ours alone ------------------------------------------------------------------------------- */

static bool v4_is_private(uint32_t ip)
{
    const struct {
        uint32_t net, mask;
    } ranges[] = {
        {0x7f000000, 0xff000000}, {0x0a000000, 0xff000000}, {0xac100000, 0xfff00000},
        {0xc0a80000, 0xffff0000}, {0xa9fe0000, 0xffff0000}, {0x64400000, 0xffc00000},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if ((ip & ranges[i].mask) == ranges[i].net)
            return true;
    return false;
}

static bool v6_is_private(const struct in6_addr *ip)
{
    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        uint32_t v4;
        memcpy(&v4, ip->s6_addr + 12, sizeof v4);
        return v4_is_private(ntohl(v4));
    }
    return IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_LINKLOCAL(ip) || (ip->s6_addr[0] & 0xfe) == 0xfc;
}

static bool is_wildcard(const struct sockaddr *s)
{
    if (s->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)s)->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)s)->sin6_addr);
}

static bool is_private(const struct sockaddr *s)
{
    if (s->sa_family == AF_INET)
        return v4_is_private(ntohl(((const struct sockaddr_in *)(const void *)s)->sin_addr.s_addr));
    return v6_is_private(&((const struct sockaddr_in6 *)(const void *)s)->sin6_addr);
}

/* "All addresses" is as private as the most public address of this machine. */
static bool machine_is_private(void)
{
    struct ifaddrs *all;
    bool good = true;
    if (getifaddrs(&all))
        return false;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6))
            good = good && is_private(i->ifa_addr);
    freeifaddrs(all);
    return good;
}

/* --- listening ---------------------------------------------------------------------------------------------------- */

static err_t listen_on(int fd, const struct sockaddr *address, socklen_t n, struct str spec, struct err_detail *d)
{
    if (fd < 0 || bind(fd, address, n) || listen(fd, BACKLOG)) {
        bool taken = errno == EADDRINUSE; /* by a process that is about to end, perhaps: not the setting's fault */
        err_t e = bad(d, spec, strerror(errno));
        e = taken ? E(INTERNAL) : e;
        if (fd >= 0)
            close(fd);
        return e;
    }
    return NULL;
}

/* HOST:PORT with the host of an IPv6 address in brackets. */
static err_t resolve(struct arena *a, struct str spec, struct str host_port, struct err_detail *d,
                     struct addrinfo **ret)
{
    size_t colon = host_port.n;
    while (colon && host_port.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return bad(d, spec, "ADDRESS:PORT is wanted");
    struct str host = {host_port.p, colon - 1};
    if (host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    struct str port = arena_copy(a, host_port.p + colon, host_port.n - colon);
    struct addrinfo wanted = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int failed = getaddrinfo(arena_str(a, host).p, port.p, &wanted, ret);
    return failed ? bad(d, spec, gai_strerror(failed)) : NULL;
}

static err_t listen_tcp(struct arena *a, struct str spec, struct str host_port, struct err_detail *d, int *ret_fd)
{
    struct addrinfo *found = NULL;
    int on = 1;
    TRY(resolve(a, spec, host_port, d, &found));
    assert(found); /* resolve gives an address or an error */
    err_t e = NULL;
    bool good = is_wildcard(found->ai_addr) ? machine_is_private() : is_private(found->ai_addr);
    int fd = good ? socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (!good)
        e = bad(d, spec, "it is, or includes, a public address");
    else if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!e)
        e = listen_on(fd, found->ai_addr, found->ai_addrlen, spec, d);
    freeaddrinfo(found);
    if (!e)
        *ret_fd = fd;
    return e;
}

/* A socket file that nobody listens at was left behind by a process that was killed. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat found;
    if (stat(address->sun_path, &found) || !S_ISSOCK(found.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)(const void *)address, sizeof *address) && errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

static err_t listen_unix(struct str spec, struct str path, struct err_detail *d, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path.n || path.n >= sizeof address.sun_path)
        return bad(d, spec, "the path of a Unix socket has 1 to 107 bytes");
    memcpy(address.sun_path, path.p, path.n);
    remove_stale(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    TRY(listen_on(fd, (const struct sockaddr *)(const void *)&address, sizeof address, spec, d));
    if (chmod(address.sun_path, 0660)) {
        close(fd);
        return bad(d, spec, strerror(errno));
    }
    *ret_fd = fd;
    return NULL;
}

static bool cut_prefix(struct str spec, struct str prefix, struct str *ret_rest)
{
    *ret_rest = (struct str){spec.p + prefix.n, spec.n - prefix.n};
    return str_starts(spec, prefix);
}

err_t peer_listen_edge(struct arena *a, struct str spec, struct err_detail *d, struct peer_listener *ret)
{
    struct str rest;
    struct peer_listener l = {.fd = -1, .edge = true};
    if (cut_prefix(spec, STR("unix:"), &rest)) {
        l.check_uid = true;
        TRY(listen_unix(spec, rest, d, &l.fd));
    } else if (cut_prefix(spec, STR("tcp:"), &rest)) {
        l.check_secret = true;
        TRY(listen_tcp(a, spec, rest, d, &l.fd));
    } else {
        return bad(d, spec, "unix:PATH or tcp:ADDRESS:PORT is wanted");
    }
    *ret = l;
    return NULL;
}

err_t peer_listen_plain(struct arena *a, struct str spec, struct err_detail *d, struct peer_listener *ret)
{
    struct peer_listener l = {.fd = -1};
    if (!str_starts(spec, STR("127.0.0.1:")))
        return bad(d, spec, "the plain listener must be on 127.0.0.1");
    TRY(listen_tcp(a, spec, spec, d, &l.fd));
    *ret = l;
    return NULL;
}

/* --- who is there ------------------------------------------------------------------------------------------------- */

bool peer_uid_is(int connected_fd, int64_t uid)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(connected_fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (int64_t)who.uid == uid;
}

bool peer_secret_is(struct str sent, struct str secret)
{
    return secret.n && crypt_same((struct bytes){(const uint8_t *)sent.p, sent.n},
                                  (struct bytes){(const uint8_t *)secret.p, secret.n});
}

/* DER that the edge sends in base64. What is not is nothing that a device showed. */
static struct bytes certificates(struct arena *a, struct str base64)
{
    struct bytes der = {NULL, 0};
    return base64.n && dec_base64(a, base64, &der) ? der : (struct bytes){NULL, 0};
}

void peer_presented(const struct peer_listener *l, struct arena *a, peer_header_fn header, const void *context,
                    struct presented *ret)
{
    ret->authorization = arena_str(a, header(context, "Authorization"));
    if (!l->edge)
        return;
    ret->leaf = certificates(a, header(context, "X-Idscope-Client-Cert"));
    ret->chain = certificates(a, header(context, "X-Idscope-Client-Chain"));
    ret->address = arena_str(a, header(context, "X-Idscope-Client-Address"));
}
