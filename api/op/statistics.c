/* statistics.c: how many entries the lists of an instance have, at all and by what is counted of them, as a worker
 * counted them last. It must never count. */
#include "api/op/op.h"
#include "db/list_count.h"

enum { MEMBERS_MAX = 4 };

struct counted {
    struct str value;
    struct opt_i64 entries;
};
struct statistics {
    struct opt_i64 total;
    struct obj_list of[MEMBERS_MAX]; /* struct counted, by the members of its list */
    int64_t counted_us;
};

/* A list: its name and that of its rounds in the database, the members that are counted, and how it is told. */
struct counted_list {
    struct str name, round;
    struct str members[MEMBERS_MAX];
    const struct codec *codec;
};

#define COUNTED(table, member, count)                                                                                  \
    static const struct codec table[] = {                                                                              \
        CODEC_TEXT(struct counted, value, member, 0, CODEC_OUT),                                                       \
        CODEC_I64(struct counted, entries, count, 0, 0, CODEC_OUT),                                                    \
        CODEC_END,                                                                                                     \
    }
#define TOTAL(wire) CODEC_I64(struct statistics, total, wire, 0, 0, CODEC_OUT)
#define EACH(i, wire, table) CODEC_OBJECTS(struct statistics, of[i], wire, table, struct counted, 0, CODEC_OUT)
#define WHEN CODEC_TIME(struct statistics, counted_us, "countedDateTimeUtc")

COUNTED(registration_status, "status", "registrationCount");
COUNTED(registration_hub, "assignedHub", "registrationCount");
COUNTED(registration_group, "enrollmentGroupId", "registrationCount");
static const struct codec registrations_codec[] = {
    TOTAL("totalRegistrationCount"),
    EACH(0, "statuses", registration_status),
    EACH(1, "hubs", registration_hub),
    EACH(2, "enrollmentGroups", registration_group),
    WHEN,
    CODEC_END,
};

COUNTED(enrollment_status, "provisioningStatus", "enrollmentCount");
COUNTED(enrollment_type, "attestationType", "enrollmentCount");
COUNTED(enrollment_policy, "allocationPolicy", "enrollmentCount");
COUNTED(enrollment_hub, "iotHub", "enrollmentCount");
static const struct codec enrollments_codec[] = {
    TOTAL("totalEnrollmentCount"),
    EACH(0, "provisioningStatuses", enrollment_status),
    EACH(1, "attestationTypes", enrollment_type),
    EACH(2, "allocationPolicies", enrollment_policy),
    EACH(3, "iotHubs", enrollment_hub),
    WHEN,
    CODEC_END,
};

/* clang-format off */
#define ENROLLMENTS(list) {STR(list), STR("enrollments"), {STR("provisioningStatus"), STR("attestationType"), STR("allocationPolicy"), STR("iotHub")}, enrollments_codec}
static const struct counted_list
    registrations = {STR("registrations"), STR("registrations"), {STR("status"), STR("assignedHub"), STR("enrollmentGroupId")}, registrations_codec},
    enrollments = ENROLLMENTS("enrollments"),
    enrollment_groups = ENROLLMENTS("enrollmentGroups");
/* clang-format on */

static void take(struct statistics *s, const struct counted_list *list, const struct list_count *c)
{
    s->counted_us = c->counted_us;
    if (c->member.n == 0)
        s->total = (struct opt_i64){true, c->entries};
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (c->member.n && str_same(c->member, list->members[i]))
            ((struct counted *)s->of[i].at)[s->of[i].n++] = (struct counted){c->value, {true, c->entries}};
}

static err_t reply(struct call *r, const struct counted_list *list)
{
    struct list_count *counts;
    size_t n;
    TRY(db_list_counts(r->db, r->arena, r->instance->id_scope, list->name, list->round, &counts, &n));
    struct statistics s = {.total = {true, 0}};
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        s.of[i] = (struct obj_list){ARENA_NEW_ARRAY(r->arena, n, struct counted), 0, true};
    for (size_t i = 0; i < n; i++)
        take(&s, list, &counts[i]);
    return call_reply_codec(r, 200, list->codec, &s);
}

err_t op_registration_statistics(struct call *r)
{
    return reply(r, &registrations);
}

err_t op_enrollment_statistics(struct call *r)
{
    return reply(r, &enrollments);
}

err_t op_enrollment_group_statistics(struct call *r)
{
    return reply(r, &enrollment_groups);
}
