/* health.h: the small HTTP listener for probes: /healthz (the process lives), /readyz (it can serve), /metrics
 * (Prometheus text). Every long-running program has one; it never touches the database itself. */
#ifndef IDSCOPE_HEALTH_H
#define IDSCOPE_HEALTH_H

#include "core/arena.h"
#include "core/err.h"

struct health;

struct health_source {
    bool (*ready)(void *context, struct str *ret_why_not); /* called on the listener's thread */
    void (*metrics)(void *context, struct text *out);
    void *context;
};

/* Listens on "ADDRESS:PORT", without accepting yet. An empty address gives NULL, with which the others do nothing. */
err_t health_open(struct str listen, const struct health_source *source, struct err_detail *d, struct health **ret);
err_t health_start(struct health *h, struct err_detail *d);
void health_stop(struct health *h); /* whether started or not */

#endif
