/* cidr.h: ranges of addresses as RFC 4632 and RFC 4291 (2.3) write them. IPv4 and IPv6 are one space here: an IPv4
 * address stands in it as ::ffff:a.b.c.d, so whoever is mapped into IPv6 is the same one. Pure. */
#ifndef IDSCOPE_CIDR_H
#define IDSCOPE_CIDR_H

#include "core/arena.h"

struct address {
    uint8_t at[16];
};
struct cidr {
    struct address from;
    int bits; /* of the 128 */
};

/* An IPv4 or IPv6 address without port, brackets or zone; false: it is none. */
bool address_read(struct str text, struct address *ret);
/* An address, or one with "/" and the number of its bits that count. */
bool cidr_read(struct str text, struct cidr *ret);
bool cidr_holds(const struct cidr *c, const struct address *a);

#endif
