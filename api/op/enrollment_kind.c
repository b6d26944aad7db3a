/* enrollment_kind.c: the two kinds of entries of the enrollment list, individual enrollments and enrollment groups: in
 * what they differ on the wire, and the operations of both. It must hold no rule: those are the same for both
 * (enrollment.c and its neighbours). */
#include "api/op/enrollment.h"
#include "api/op/op.h"

static const struct enrollment_kind individual = {
    .codec = enrollment_codec,
    .id = "registrationId",
    .all = "enrollments",
    .missing = E(ENROLLMENT_NOT_FOUND),
    .exists = E(ENROLLMENT_EXISTS),
};
static const struct enrollment_kind group = {
    .of_group = true,
    .codec = enrollment_group_codec,
    .id = "enrollmentGroupId",
    .all = "enrollmentGroups",
    .missing = E(GROUP_NOT_FOUND),
    .exists = E(GROUP_EXISTS),
};

err_t op_enrollment_get(struct call *r)
{
    return enrollment_get(r, &individual);
}

err_t op_enrollment_attestation(struct call *r)
{
    return enrollment_attestation(r, &individual);
}

err_t op_enrollment_put(struct call *r)
{
    return enrollment_put(r, &individual);
}

err_t op_enrollment_delete(struct call *r)
{
    return enrollment_delete(r, &individual);
}

err_t op_enrollment_bulk(struct call *r)
{
    return enrollment_bulk(r, &individual);
}

err_t op_enrollment_group_get(struct call *r)
{
    return enrollment_get(r, &group);
}

err_t op_enrollment_group_attestation(struct call *r)
{
    return enrollment_attestation(r, &group);
}

err_t op_enrollment_group_put(struct call *r)
{
    return enrollment_put(r, &group);
}

err_t op_enrollment_group_delete(struct call *r)
{
    return enrollment_delete(r, &group);
}

err_t op_enrollment_group_bulk(struct call *r)
{
    return enrollment_bulk(r, &group);
}
