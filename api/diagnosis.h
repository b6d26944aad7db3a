/* diagnosis.h: why a device was refused, found out after it was answered (decisions.md 24). */
#ifndef IDSCOPE_DIAGNOSIS_H
#define IDSCOPE_DIAGNOSIS_H

#include "api/shared.h"
#include "db/attempt.h"

/* Which mistake the device of an attempt made whose enrollment has symmetric keys, or which has none of its own;
 * absent: it is not known. Reads the enrollment, those whose ids are nearest, the groups and the instance's policies as
 * they are now; not for lanes. */
struct str diagnosis_of(struct arena *a, const struct shared *shared, struct db *db, const struct attempt_row *attempt,
                        struct str authorization);

#endif
