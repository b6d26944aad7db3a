/* start.h: a program's start and stop as a table of steps, and whose fault it is when one fails. */
#ifndef IDSCOPE_START_H
#define IDSCOPE_START_H

#include "core/err.h"

struct start_step {
    /* BAD_CONFIG: starting again will not help. DATABASE_UNAVAILABLE: the step may be tried again. Any other error:
     * the program may be started again. A failed step leaves nothing behind. */
    err_t (*start)(void *self, struct err_detail *d);
    void (*stop)(void *self); /* of a step that was started; NULL: nothing to do */
};

/* Starts in order, until one fails; *ret_started says how many did. */
err_t start_steps(const struct start_step *steps, size_t count, void *self, struct err_detail *d, size_t *ret_started);
/* Stops the first `started` of them, the last one first. */
void stop_steps(const struct start_step *steps, size_t started, void *self);

/* Whose fault an errno is when a setting's file or address cannot be had. START_FAILED for what may pass by itself: a
 * port or socket that another process holds, an address that this machine does not have yet, no descriptors or memory.
 * BAD_CONFIG for the rest: only another setting, or another file behind it, helps. */
err_t start_error(int number);

#endif
