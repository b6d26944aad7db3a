/* server.h: HTTP. One libmicrohttpd daemon per listener reads requests and sends replies; lanes do what lies between.
 */
#ifndef IDSCOPE_SERVER_H
#define IDSCOPE_SERVER_H

#include "api/lane.h"
#include "api/shared.h"

struct server;

/* The listeners are opened here already, so that a bad setting is found before the database is waited for; nothing is
 * accepted yet. `edge_secret` is what the edge must send on a TCP listener. */
err_t server_open(const struct shared *shared, struct str edge_secret, struct err_detail *d, struct server **ret);
err_t server_start(struct server *s, struct lanes *lanes, struct err_detail *d);

/* Stops accepting, answers what is under way with Connection: close, and returns when nothing is under way or drain_ms
 * are over. */
void server_drain(struct server *s);
/* Closes all connections of a started server. The lanes must have ended: a request that still waits would never be
 * answered. */
void server_stop(struct server *s);
void server_free(struct server *s); /* after server_stop, or when never started */

#endif
