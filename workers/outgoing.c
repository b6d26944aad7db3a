/* outgoing.c: which addresses the worker may call. Judged after resolution, on the address that is about to be
 * connected to, so that no name can lead elsewhere. It must never look at a name. */
#include "workers/outgoing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "core/enc.h"

/* Ranges that are not the public internet (IANA's registries of special addresses). IPv6 forms that carry an IPv4
 * address are refused whole, but for the mapped form, which is judged as IPv4. */
static const char *const special[] = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "::/96",          "64:ff9b::/96",   "64:ff9b:1::/48",
    "100::/64",       "2001::/23",    "2001:db8::/32",  "2002::/16",      "fc00::/7",       "fe80::/10",
    "fec0::/10",      "ff00::/8",
};
enum { SPECIAL = sizeof special / sizeof *special, MAPPED_BITS = 96 };

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Reads an address into 16 bytes and says how many bits stand before its own: 0 for IPv6, 96 for IPv4; -1 when it is
 * neither. */
static int read_address(const char *text, uint8_t ret[16])
{
    if (inet_pton(AF_INET6, text, ret) == 1)
        return 0;
    memcpy(ret, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, ret + sizeof mapped) == 1 ? MAPPED_BITS : -1;
}

static bool read_range(struct str text, struct outgoing_range *ret)
{
    struct str address, bits = str_split(text, '/', &address);
    char name[INET6_ADDRSTRLEN];
    if (address.n == 0 || address.n >= sizeof name)
        return false;
    memcpy(name, address.p, address.n);
    name[address.n] = '\0';
    int before = read_address(name, ret->at);
    if (before < 0)
        return false;
    int64_t own = 128 - before;
    if (bits.p && !dec_i64(bits, 0, own, &own))
        return false;
    ret->bits = before + (int)own;
    return true;
}

err_t outgoing_parse(struct str list, struct err_detail *d, struct outgoing *ret)
{
    struct outgoing o = {.count = 0};
    for (struct str rest = list, item; rest.n > 0;) {
        rest = str_split(rest, ',', &item);
        item = str_trim(item);
        if (o.count == OUTGOING_RANGES_MAX || !read_range(item, &o.allowed[o.count]))
            return err_say(d, E(BAD_CONFIG),
                           "outgoing_allow: \"%.*s\" is no range such as 10.0.0.0/8, or there are more than %d.",
                           STR_ARG(item), OUTGOING_RANGES_MAX);
        o.count++;
    }
    *ret = o;
    return NULL;
}

static bool is_within(const struct outgoing_range *r, const uint8_t at[16])
{
    size_t whole = (size_t)r->bits / 8;
    int rest = r->bits % 8;
    if (memcmp(r->at, at, whole) != 0)
        return false;
    return rest == 0 || (r->at[whole] ^ at[whole]) >> (8 - rest) == 0;
}

static bool is_special(const uint8_t at[16])
{
    for (size_t i = 0; i < SPECIAL; i++) {
        struct outgoing_range r;
        if (read_range(str_of(special[i]), &r) && is_within(&r, at))
            return true;
    }
    return false;
}

static bool address_bytes(const struct sockaddr *address, uint8_t ret[16])
{
    if (address->sa_family == AF_INET6) {
        memcpy(ret, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return true;
    }
    if (address->sa_family != AF_INET)
        return false;
    memcpy(ret, mapped, sizeof mapped);
    memcpy(ret + sizeof mapped, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

bool outgoing_may_reach(const struct outgoing *o, const struct sockaddr *address)
{
    uint8_t at[16];
    if (!address_bytes(address, at))
        return false;
    for (size_t i = 0; i < o->count; i++)
        if (is_within(&o->allowed[i], at))
            return true;
    return !is_special(at);
}
