/* enrollment.h: what the operations on individual enrollments share. */
#ifndef IDSCOPE_OP_ENROLLMENT_H
#define IDSCOPE_OP_ENROLLMENT_H

#include "api/op/service.h"
#include "api/shared.h"
#include "db/enrollment.h"

/* The row as clients see it, its attestation as the caller has set it, with what became of its device. */
const struct enrollment *enrollment_shown(struct call *r, struct arena *a, struct enrollment_row *row);

#endif
