/* attempt.h: a refused attempt of a device as the service plane shows it. */
#ifndef IDSCOPE_OP_ATTEMPT_H
#define IDSCOPE_OP_ATTEMPT_H

#include "api/call.h"
#include "db/attempt.h"

struct attempt {
    int64_t at_us;
    struct str registration_id, tracking_id;
    enum tri enrolled;
    struct opt_i64 error_code;
    struct str reason, address;
};
extern const struct codec attempt_codec[];

struct attempt attempt_shown(struct arena *a, const struct attempt_row *row);

#endif
