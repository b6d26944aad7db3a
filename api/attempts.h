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

/* Writes what was noted since the last time, which is meant to be so long ago. For one thread alone (chores.h). */
enum { ATTEMPTS_ROUND_US = 1000000 };
void attempts_write(struct attempts *t, const struct shared *shared, struct db *db);

void attempts_metrics(const struct attempts *t, struct text *out);

#endif
