/* outgoing.c: which addresses the worker may call. Judged after resolution, on the address that is about to be
 * connected to, so that no name can lead elsewhere. It must never look at a name. */
#include "workers/outgoing.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Ranges that are not the public internet (IANA's registries of special addresses). IPv6 forms that carry an IPv4
 * address are refused whole, but for the mapped form, which is judged as IPv4. */
static const char *const special[] = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "::/96",          "64:ff9b::/96",   "64:ff9b:1::/48",
    "100::/64",       "2001::/23",    "2001:db8::/32",  "2002::/16",      "fc00::/7",       "fe80::/10",
    "fec0::/10",      "ff00::/8",
};
enum { SPECIAL = sizeof special / sizeof *special };

err_t outgoing_parse(struct str list, struct err_detail *d, struct outgoing *ret)
{
    struct outgoing o = {.count = 0};
    for (struct str rest = list, item; rest.n > 0;) {
        rest = str_split(rest, ',', &item);
        item = str_trim(item);
        if (o.count == OUTGOING_RANGES_MAX || !cidr_read(item, &o.allowed[o.count]))
            return err_say(d, E(BAD_CONFIG),
                           "outgoing_allow: \"%.*s\" is no range such as 10.0.0.0/8, or there are more than %d.",
                           STR_ARG(item), OUTGOING_RANGES_MAX);
        o.count++;
    }
    *ret = o;
    return NULL;
}

static bool is_special(const struct address *a)
{
    for (size_t i = 0; i < SPECIAL; i++) {
        struct cidr c;
        if (cidr_read(str_of(special[i]), &c) && cidr_holds(&c, a))
            return true;
    }
    return false;
}

static bool read_socket_address(const struct sockaddr *from, struct address *ret)
{
    char text[INET6_ADDRSTRLEN];
    const void *raw = from->sa_family == AF_INET6
                          ? (const void *)&((const struct sockaddr_in6 *)(const void *)from)->sin6_addr
                          : (const void *)&((const struct sockaddr_in *)(const void *)from)->sin_addr;
    if (from->sa_family != AF_INET6 && from->sa_family != AF_INET)
        return false;
    return inet_ntop(from->sa_family, raw, text, sizeof text) && address_read(str_of(text), ret);
}

bool outgoing_may_reach(const struct outgoing *o, const struct sockaddr *address)
{
    struct address a;
    if (!read_socket_address(address, &a))
        return false;
    for (size_t i = 0; i < o->count; i++)
        if (cidr_holds(&o->allowed[i], &a))
            return true;
    return !is_special(&a);
}
