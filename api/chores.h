/* chores.h: what the api does beside its calls. */
#ifndef IDSCOPE_CHORES_H
#define IDSCOPE_CHORES_H

#include "api/shared.h"

/* A thread with a connection of its own. Stopping it does the chores a last time. */
struct chores;
err_t chores_open(const struct shared *shared, struct err_detail *d, struct chores **ret);
void chores_free(struct chores *c); /* NULL is allowed */
void chores_start(struct chores *c);
void chores_stop(struct chores *c);

#endif
