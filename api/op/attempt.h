/* attempt.h: refused attempts of devices as the service plane shows them. */
#ifndef IDSCOPE_OP_ATTEMPT_H
#define IDSCOPE_OP_ATTEMPT_H

#include "api/call.h"
#include "db/attempt.h"

/* The attempts as a JSON array. */
void attempts_shown(struct arena *a, const struct attempt_row *rows, size_t count, struct text *out);

#endif
