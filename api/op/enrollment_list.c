/* enrollment_list.c: the lists of individual enrollments and of enrollment groups, asked by queries. It must never show
 * a key, nor let one be asked for. */
#include "api/op/enrollment.h"
#include "api/op/list.h"
#include "api/op/op.h"

/* By what both can be found. */
#define SHARED_INDEXES                                                                                                 \
    [ENROLLMENTS_BY_CREATED] = {"createdDateTimeUtc", true, NULL},                                                     \
    [ENROLLMENTS_BY_UPDATED] = {"lastUpdatedDateTimeUtc", true, NULL},                                                 \
    [ENROLLMENTS_BY_STATUS] = {"provisioningStatus", false, NULL},                                                     \
    [ENROLLMENTS_BY_POLICY] = {"allocationPolicy", false, NULL},                                                       \
    [ENROLLMENTS_BY_ATTESTATION] = {"attestation.type", false, NULL}

static const struct query_index indexes[] = {[ENROLLMENTS_BY_ID] = {"registrationId", true, NULL},
                                             SHARED_INDEXES,
                                             [ENROLLMENTS_BY_DEVICE] = {"deviceId", false, NULL}};
static const struct query_list enrollments = {"enrollments", enrollment_codec, "attestation.symmetricKey", indexes,
                                              sizeof indexes / sizeof *indexes};

static const struct query_index group_indexes[] = {[ENROLLMENTS_BY_ID] = {"enrollmentGroupId", true, NULL},
                                                   SHARED_INDEXES};
static const struct query_list groups = {"enrollmentGroups", enrollment_group_codec, "attestation.symmetricKey",
                                         group_indexes, sizeof group_indexes / sizeof *group_indexes};

/* What cannot be opened is no reason to show no list: of an attestation its type stands alone, a webhook is left out.
 */
static const struct enrollment *listed(struct call *r, struct arena *a, struct enrollment_row *row)
{
    struct err_detail unsaid;
    struct attestation *shown = ARENA_NEW(a, struct attestation);
    const struct attest_row stored = {r->shared->ring, row->attestation};
    if (attest_mask(a, &stored, &unsaid, shown))
        *shown = (struct attestation){.type = row->attestation.type};
    enrollment_extend(r, a, &stored, shown);
    row->enrollment.attestation = shown;
    (void)enrollment_open_webhook(r, a, row);
    return enrollment_shown(r, a, row);
}

static err_t read_entries(struct call *r, struct arena *a, bool of_group, const struct list_stretch *s,
                          struct list_entries *ret)
{
    const struct enrollment_stretch stretch = {.id_scope = r->instance->id_scope,
                                               .of_group = of_group,
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
        ret->bytes += rows[i].enrollment.initial_twin.n + rows[i].enrollment.optional_device_information.n +
                      rows[i].webhook_sealed.n;
    }
    return NULL;
}

static err_t read_individual(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret)
{
    return read_entries(r, a, false, s, ret);
}

static err_t read_groups(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret)
{
    return read_entries(r, a, true, s, ret);
}

err_t op_enrollment_group_query(struct call *r)
{
    static const struct list_kind kind = {&groups, "EnrollmentGroup", read_groups, NULL};
    return list_reply(r, &kind);
}

err_t op_enrollment_query(struct call *r)
{
    static const struct list_kind kind = {&enrollments, "Enrollment", read_individual, NULL};
    return list_reply(r, &kind);
}
