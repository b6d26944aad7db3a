/* enrollment_list.c: the list of individual enrollments, asked by queries. It must never show a key, nor let one be
 * asked for. */
#include "api/op/enrollment.h"
#include "api/op/list.h"
#include "api/op/op.h"

static const struct query_index indexes[] = {
    [ENROLLMENTS_BY_ID] = {"registrationId", true},
    [ENROLLMENTS_BY_DEVICE] = {"deviceId", false},
    [ENROLLMENTS_BY_CREATED] = {"createdDateTimeUtc", true},
    [ENROLLMENTS_BY_UPDATED] = {"lastUpdatedDateTimeUtc", true},
    [ENROLLMENTS_BY_STATUS] = {"provisioningStatus", false},
    [ENROLLMENTS_BY_POLICY] = {"allocationPolicy", false},
    [ENROLLMENTS_BY_ATTESTATION] = {"attestation.type", false},
};
static const struct query_list enrollments = {"enrollments", enrollment_codec, "attestation.symmetricKey", indexes,
                                              sizeof indexes / sizeof *indexes};

/* An attestation that cannot be shown (attest_mask) is no reason to show no list: its type stands alone. */
static const struct enrollment *listed(struct call *r, struct arena *a, struct enrollment_row *row)
{
    struct err_detail unsaid;
    struct attestation *shown = ARENA_NEW(a, struct attestation);
    const struct attest_row stored = {r->shared->ring, row->attestation};
    if (attest_mask(a, &stored, &unsaid, shown))
        *shown = (struct attestation){.type = row->attestation.type};
    row->enrollment.attestation = shown;
    return enrollment_shown(r, a, row);
}

static err_t read_entries(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret)
{
    const struct enrollment_stretch stretch = {.id_scope = r->instance->id_scope,
                                               .by = (enum enrollment_order)s->index,
                                               .down = s->down,
                                               .value = s->from.value.text,
                                               .value_us = s->from.value.n,
                                               .key = s->from.key,
                                               .last = s->last.text,
                                               .last_us = s->last.n,
                                               .limit = (int64_t)s->limit};
    struct enrollment_row *rows;
    TRY(db_enrollment_list(r->db, a, &stretch, &rows, &ret->count));
    ret->at = ARENA_NEW_ARRAY(a, ret->count, const void *);
    ret->bytes = 0;
    for (size_t i = 0; i < ret->count; i++) {
        ret->at[i] = listed(r, a, &rows[i]);
        ret->bytes += rows[i].enrollment.initial_twin.n + rows[i].enrollment.optional_device_information.n;
    }
    return NULL;
}

err_t op_enrollment_query(struct call *r)
{
    static const struct list_kind kind = {&enrollments, "Enrollment", read_entries};
    return list_reply(r, &kind);
}
