/* listen.h: opens listening sockets of settings such as health_listen. */
#ifndef IDSCOPE_LISTEN_H
#define IDSCOPE_LISTEN_H

#include <netdb.h>

#include "core/arena.h"
#include "core/err.h"

/* The first address of "ADDRESS:PORT", an IPv6 address in brackets; for freeaddrinfo. Errors name `spec`, which is the
 * setting as it was given. */
err_t listen_resolve(struct arena *a, struct str spec, struct str host_port, struct err_detail *d,
                     struct addrinfo **ret);

/* A socket that does not block and listens at `address`. A port or path that another process holds is START_FAILED:
 * it may be free the next time. */
err_t listen_open(const struct sockaddr *address, socklen_t n, struct str spec, struct err_detail *d, int *ret_fd);

#endif
