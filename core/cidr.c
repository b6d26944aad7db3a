/* cidr.c: ranges of addresses. It must never resolve a name. */
#include "core/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/enc.h"

enum { MAPPED_BITS = 96, ALL_BITS = 128 };

static const uint8_t mapped[MAPPED_BITS / 8] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Says how many bits stand before the address's own: 0 for IPv6, 96 for IPv4; -1 when it is neither. */
static int read_bytes(struct str text, uint8_t ret[16])
{
    char name[INET6_ADDRSTRLEN];
    if (text.n == 0 || text.n >= sizeof name || memchr(text.p, '\0', text.n))
        return -1;
    memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    if (inet_pton(AF_INET6, name, ret) == 1)
        return 0;
    memcpy(ret, mapped, sizeof mapped);
    return inet_pton(AF_INET, name, ret + sizeof mapped) == 1 ? MAPPED_BITS : -1;
}

bool address_read(struct str text, struct address *ret)
{
    return read_bytes(text, ret->at) >= 0;
}

bool cidr_read(struct str text, struct cidr *ret)
{
    struct str address, bits = str_split(text, '/', &address);
    int before = read_bytes(address, ret->from.at);
    if (before < 0)
        return false;
    int64_t own = ALL_BITS - before;
    if (bits.p && !dec_i64(bits, 0, own, &own))
        return false;
    ret->bits = before + (int)own;
    return true;
}

bool cidr_holds(const struct cidr *c, const struct address *a)
{
    size_t whole = (size_t)c->bits / 8;
    int rest = c->bits % 8;
    if (memcmp(c->from.at, a->at, whole) != 0)
        return false;
    return rest == 0 || (c->from.at[whole] ^ a->at[whole]) >> (8 - rest) == 0;
}
