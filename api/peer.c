/* peer.c: opens the listeners and checks who is at the other end. It must never open the edge listener where strangers
 * can reach it: the headers that it believes name client certificates. */
#include "api/peer.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/crypt.h"
#include "core/process/listen.h"
#include "core/enc.h"

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

static err_t listen_tcp(struct arena *a, struct str spec, struct str host_port, struct err_detail *d, int *ret_fd)
{
    struct addrinfo *found = NULL;
    TRY(listen_resolve(a, spec, host_port, d, &found));
    assert(found); /* listen_resolve gives an address or an error */
    bool good = is_wildcard(found->ai_addr) ? machine_is_private() : is_private(found->ai_addr);
    err_t e = good ? listen_open(found->ai_addr, found->ai_addrlen, spec, d, ret_fd)
                   : bad(d, spec, "it is, or includes, a public address");
    freeaddrinfo(found);
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
    TRY(listen_open((const struct sockaddr *)(const void *)&address, sizeof address, spec, d, ret_fd));
    if (!chmod(address.sun_path, 0660))
        return NULL;
    close(*ret_fd);
    return bad(d, spec, strerror(errno));
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
    return secret.n && crypt_same(str_bytes(sent), str_bytes(secret));
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
