/* outgoing.h: which addresses the worker may call. Tenants name the hosts, so an address of a private, loopback,
 * link-local or otherwise special range is refused unless the setting outgoing_allow lists its range. */
#ifndef IDSCOPE_OUTGOING_H
#define IDSCOPE_OUTGOING_H

#include <sys/socket.h>

#include "core/arena.h"
#include "core/cidr.h"
#include "core/err.h"

enum { OUTGOING_RANGES_MAX = 32 };

struct outgoing {
    struct cidr allowed[OUTGOING_RANGES_MAX];
    size_t count;
};

/* `list`: CIDR ranges separated by commas, IPv4 or IPv6. BAD_CONFIG names the one that is none. */
err_t outgoing_parse(struct str list, struct err_detail *d, struct outgoing *ret);
/* Judges the address that a name was resolved to. Anything but IPv4 and IPv6 is refused. */
bool outgoing_may_reach(const struct outgoing *o, const struct sockaddr *address);

#endif
