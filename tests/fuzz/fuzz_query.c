/* fuzz_query.c: any text for the query of a list. One that is refused is told why; of one that is not, each entry that
 * fits lies in a span that the plan reads, and no more fit than the list has. */
#include "fuzz.h"

#include <string.h>

#include "core/model.h"
#include "core/query/query.h"

static const struct query_index indexes[] = {
    {"registrationId", true, NULL},         {"deviceId", false, NULL},           {"createdDateTimeUtc", true, NULL},
    {"lastUpdatedDateTimeUtc", true, NULL}, {"provisioningStatus", false, NULL}, {"allocationPolicy", false, NULL},
    {"attestation.type", false, NULL},
};
static const struct query_list list = {"enrollments", enrollment_codec, "attestation.symmetricKey", indexes,
                                       sizeof indexes / sizeof *indexes};

static struct attestation keys = {.type = ATTEST_SYMMETRIC_KEY};
static struct registration_state failed = {.status = REG_FAILED, .error_code = {true, 400208}};
static const struct enrollment entries[] = {
    {.id = STR("a"), .provisioning_status = PROVISIONING_ENABLED, .created_us = 1, .updated_us = 2},
    {.id = STR("Line7-Unit042"),
     .device_id = STR("Press-42"),
     .attestation = &keys,
     .provisioning_status = PROVISIONING_DISABLED,
     .allocation_policy = POLICY_STATIC,
     .created_us = 1772439330123456,
     .updated_us = 1772439330123457,
     .initial_twin = STR("{\"tags\":{\"hall\":\"B\",\"n\":5,\"x\":0.5,\"on\":true,\"none\":null}}"),
     .registration_state = &failed},
    {.id = STR("zz.9"), .device_id = STR("a"), .allocation_policy = POLICY_HASHED, .created_us = 86400000000},
};

static bool lies_in(const struct query_plan *plan, const struct query_value *v)
{
    for (size_t i = 0; i < plan->count; i++)
        if (query_compare(v, &plan->spans[i].least) >= 0 && query_compare(v, &plan->spans[i].most) <= 0)
            return true;
    return false;
}

static void are_in_order(const struct query_plan *plan)
{
    for (size_t i = 1; i < plan->count; i++)
        HOLDS(query_compare(&plan->spans[i - 1].most, &plan->spans[i].least) < 0);
}

static void are_found(struct arena *a, const struct query *q)
{
    struct query_plan plan;
    query_find(a, q, &plan);
    HOLDS(plan.index < list.index_count && (!plan.down || indexes[plan.index].orders));
    are_in_order(&plan);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct query_value v = query_index_value(a, &list, plan.index, &entries[i]);
        if (query_fits(a, q, &entries[i]))
            HOLDS(v.type != QUERY_ABSENT && lies_in(&plan, &v));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str text = arena_copy(a, (const char *)data, size);
    struct err_detail d = {""};
    struct query q;
    err_t e = query_parse(a, &list, text, &d, &q);
    if (e) {
        HOLDS(e == E(BAD_FIELD) && str_starts(str_of(d.text), STR("query")));
        return 0;
    }
    struct text out;
    text_init(&out, a, 256);
    codec_encode(&out, q.shown, &entries[1]);
    HOLDS(out.n >= 2);
    are_found(a, &q);
    return 0;
}
