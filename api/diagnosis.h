/* diagnosis.h: why a device was refused, found out after it was answered (decisions.md 24). */
#ifndef IDSCOPE_DIAGNOSIS_H
#define IDSCOPE_DIAGNOSIS_H

#include "api/shared.h"
#include "db/attempt.h"

struct diagnosis {
    struct str mistake; /* that the device made with its token; absent: it is not known */
    struct str
        nearest; /* ids that one without an enrollment may have been meant for, as a list; absent: there are none */
};

/* Of the device of an attempt; `authorization`: what came with it. Reads the enrollment, those whose ids are nearest,
 * the groups and the instance's policies as they are now; not for lanes. */
struct diagnosis diagnosis_of(struct arena *a, const struct shared *shared, struct db *db,
                              const struct attempt_row *attempt, struct str authorization);

#endif
