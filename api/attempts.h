/* attempts.h: refused calls of devices, on their way to the log that their tenant reads (decisions.md 24). Lanes note
 * them in memory, so many a second and ring of a scope; a thread with a connection of its own writes what was noted
 * once a second. */
#ifndef IDSCOPE_ATTEMPTS_H
#define IDSCOPE_ATTEMPTS_H

#include "api/call.h"

struct attempts; /* made with what all share: api/shared.h */

/* Notes a call that was refused, if it is one of a device of an instance. It takes the same time whatever the call was
 * refused for, and waits for nobody but others who note. */
void attempts_note(struct attempts *t, const struct call *r);

/* The thread that writes. Stopping it writes what was noted last. */
err_t attempts_open(struct attempts *t, const struct shared *shared, struct err_detail *d);
void attempts_close(struct attempts *t);
void attempts_start(struct attempts *t);
void attempts_stop(struct attempts *t);

void attempts_metrics(const struct attempts *t, struct text *out);

#endif
