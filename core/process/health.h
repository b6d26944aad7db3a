/* health.h: the small HTTP listener for probes: /healthz (the process lives), /readyz (it can serve), /metrics
 * (Prometheus text). Used by the api and by the worker; it never touches the database itself. */
#ifndef IDSCOPE_HEALTH_H
#define IDSCOPE_HEALTH_H

#include "core/arena.h"
#include "core/err.h"

struct health;

struct health_source {
    bool (*ready)(void *context, struct arena *a, struct str *ret_why_not); /* called on the listener's thread */
    void (*metrics)(void *context, struct text *out);
    void *context;
};

/* Listens on "ADDRESS:PORT". An empty address starts nothing and gives NULL. */
err_t health_start(struct str listen, const struct health_source *source, struct err_detail *d, struct health **ret);
void health_stop(struct health *h); /* NULL is allowed */

#endif
