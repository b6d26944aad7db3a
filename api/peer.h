/* peer.h: whom a listener listens to, and whom it believes. Only the edge listener believes X-Idscope-* headers, so
 * only the edge may reach it: on a Unix socket the kernel tells who connects, on an internal TCP address a shared
 * secret does. */
#ifndef IDSCOPE_PEER_H
#define IDSCOPE_PEER_H

#include "core/arena.h"
#include "core/attest/presented.h"
#include "core/err.h"

struct peer_listener {
    int fd; /* a listening socket, not blocking; -1: none */
    bool edge;
    bool check_uid;    /* Unix socket: who connects must be `uid` */
    bool check_secret; /* TCP edge listener: each request must carry the secret */
};

/* "unix:PATH" or "tcp:ADDRESS:PORT". BAD_CONFIG for anything else and for an address that is, or includes, a public
 * one. */
err_t peer_listen_edge(struct arena *a, struct str spec, struct err_detail *d, struct peer_listener *ret);
/* "127.0.0.1:PORT" and nothing else. */
err_t peer_listen_plain(struct arena *a, struct str spec, struct err_detail *d, struct peer_listener *ret);

/* Is the process at the other end of a connected Unix socket run by `uid`? */
bool peer_uid_is(int connected_fd, int64_t uid);
/* Constant time. An empty secret is never right. */
bool peer_secret_is(struct str sent, struct str secret);

/* The value of a request's header; absent when there is none. */
typedef struct str (*peer_header_fn)(const void *context, const char *name);
/* What a request presents, copied into the arena: its Authorization header, and on the edge listener what the edge says
 * of the client's address and certificates. On another listener the address is left to the caller. */
void peer_presented(const struct peer_listener *l, struct arena *a, peer_header_fn header, const void *context,
                    struct presented *ret);

#endif
