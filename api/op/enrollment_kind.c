/* enrollment_kind.c: the two kinds of entries of the enrollment list, individual enrollments and enrollment groups: in
 * what they differ on the wire, and the operations of both. It must hold no rule: those are the same for both
 * (enrollment.c and its neighbours). */
#include "api/op/enrollment.h"
#include "api/op/op.h"

const struct enrollment_kind kind_enrollment = {
    .codec = enrollment_codec,
    .id = "registrationId",
    .all = "enrollments",
    .missing = E(ENROLLMENT_NOT_FOUND),
    .exists = E(ENROLLMENT_EXISTS),
};
const struct enrollment_kind kind_enrollment_group = {
    .of_group = true,
    .codec = enrollment_group_codec,
    .id = "enrollmentGroupId",
    .all = "enrollmentGroups",
    .missing = E(GROUP_NOT_FOUND),
    .exists = E(GROUP_EXISTS),
};

#define OPERATION(kind, what)                                                                                          \
    err_t op_##kind##_##what(struct call *r)                                                                           \
    {                                                                                                                  \
        return enrollment_##what(r, &kind_##kind);                                                                     \
    }
#define OPERATIONS(kind)                                                                                               \
    OPERATION(kind, get)                                                                                               \
    OPERATION(kind, attestation)                                                                                       \
    OPERATION(kind, put)                                                                                               \
    OPERATION(kind, delete)                                                                                            \
    OPERATION(kind, bulk)

OPERATIONS(enrollment)
OPERATIONS(enrollment_group)
