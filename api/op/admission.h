/* admission.h: does what a device presents admit it, by an enrollment of its own or by a group's? */
#ifndef IDSCOPE_ADMISSION_H
#define IDSCOPE_ADMISSION_H

#include "api/call.h"
#include "db/device.h"

struct admission {
    struct call *call;   /* its error says what came of it */
    struct str id_scope; /* in lower case */
    /* Of its own enrollment, or of the group that its registration remembers; nothing: there is neither. */
    struct attest_stored stored;
    const struct keypair *handed; /* what its TPM may sign with; NULL: nothing */
    struct attest_cas cas;        /* of its instance; set by admission_check where they count */

    /* Out: the group whose key or CA fitted; NULL: `stored` admits it. */
    const struct db_group_found *group;
    struct str derived_from; /* out: what its key derives from; absent: its enrollment is its own */
};

/* Checks all of a batch. UNAUTHORIZED for whatever reason, and after the same work; DEAR_CHECK where the check belongs
 * to other lanes. What `group` points at lives as long as the batch. */
void admission_check(struct arena *a, struct db *db, struct admission *const *at, size_t count);

/* What admitted it. */
static inline const struct attest_stored *admission_stored(const struct admission *m)
{
    return m->group ? &m->group->attestation : &m->stored;
}

#endif
