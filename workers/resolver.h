/* resolver.h: names to addresses for outgoing calls, without waiting: who asks is told "not yet" and asks again when
 * the sockets had something to say. So every deadline covers the name too, and nothing is left behind that must be
 * waited for, as a thread in getaddrinfo would be. Knows /etc/hosts and /etc/resolv.conf. Belongs to one thread at a
 * time. */
#ifndef IDSCOPE_RESOLVER_H
#define IDSCOPE_RESOLVER_H

#include <curl/curl.h>

#include "core/arena.h"

struct resolver;

/* Once per process, before any other. */
void resolver_global_init(void);
struct resolver *resolver_new(struct arena *a);
void resolver_free(struct resolver *r);

enum resolver_word {
    RESOLVER_ASKED,   /* the answer is still to come */
    RESOLVER_FOUND,   /* *ret_addresses is set */
    RESOLVER_NO_NAME, /* there is no such name, or no server that could say */
};

/* The addresses of a host (lower case, or itself an address), asked for unless they are known from a moment ago:
 * "192.0.2.1,[2001:db8::1]", valid until the next call. */
enum resolver_word resolver_look(struct resolver *r, struct str host, const char **ret_addresses);
/* What to wait for, for libcurl's poll: fills in at most `most` sockets and shortens *timeout_ms. Returns how many. */
unsigned resolver_sockets(struct resolver *r, struct curl_waitfd *ret, unsigned most, int *timeout_ms);
/* Takes the answers that came in, and asks again where none came. */
void resolver_step(struct resolver *r);

#endif
