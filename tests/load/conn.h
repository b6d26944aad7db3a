/* conn.h: one HTTP/1.1 connection of the load client, plain or TLS, that carries one request at a time. Non-blocking;
 * the caller waits (epoll) and decides what is sent. */
#ifndef IDSCOPE_TESTS_CONN_H
#define IDSCOPE_TESTS_CONN_H

#include "leaf.h"

enum { CONN_ANSWER_MAX = 16384 };

struct target {
    struct str address; /* IPv4 address */
    int port;
    struct str host;                   /* SNI and name in the certificate */
    SSL_CTX *tls;                      /* NULL: plain */
    const struct authority *authority; /* of the leaves that connections present */
};

struct conn {
    int fd;
    SSL *ssl;
    bool handshaking;
    struct str request; /* what is to be sent, or was */
    size_t sent;
    char in[CONN_ANSWER_MAX + 1];
    size_t have;
};

enum conn_event { CONN_WAITS, CONN_ANSWERED, CONN_BROKEN };

struct answer {
    int status;
    struct str body; /* valid until the next conn_send */
    bool closes;     /* the server closes the connection */
};

/* `leaf`: what a TLS connection presents; NULL: nothing. */
bool conn_open(struct conn *c, const struct target *t, X509 *leaf);
/* Waits until the TLS handshake is done; without it, conn_step does it on the way. */
bool conn_shake(struct conn *c);
void conn_close(struct conn *c);
/* Begins to send a request on an open, idle connection. */
enum conn_event conn_send(struct conn *c, struct str request);
/* Goes on after the socket became ready. *ret is set with CONN_ANSWERED only. */
enum conn_event conn_step(struct conn *c, struct answer *ret);

#endif
