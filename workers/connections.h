/* connections.h: the worker's database connections, lent to whoever speaks to the database and taken back before he
 * waits for a hub. So a few serve many turns. Thread-safe. */
#ifndef IDSCOPE_CONNECTIONS_H
#define IDSCOPE_CONNECTIONS_H

#include "db/db.h"

struct connections;

/* BAD_CONFIG, DATABASE_… when one of them cannot be made; *ret is untouched then. */
err_t connections_open(struct arena *a, const char *url, int count, struct err_detail *d, struct connections **ret);
/* All must have been given back. NULL is allowed. */
void connections_close(struct connections *c);
/* Waits until one is free: nobody keeps one for longer than his statements take. */
struct db *connections_take(struct connections *c);
void connections_give(struct connections *c, struct db *db);
/* Whether the database answered last time. */
bool connections_up(struct connections *c);

#endif
