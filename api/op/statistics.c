/* statistics.c: how many registrations an instance has, by status, hub and group, as a worker counted them last. It
 * must never count. */
#include "api/op/op.h"
#include "db/registration.h"

struct counted {
    struct str name;
    struct opt_i64 count;
};
struct statistics {
    struct opt_i64 total;
    struct obj_list statuses, hubs, groups; /* struct counted */
    int64_t counted_us;
};

static err_t reply(struct call *r, const struct statistics *s)
{
#define COUNTED(table, member)                                                                                         \
    static const struct codec table[] = {                                                                              \
        CODEC_TEXT(struct counted, name, member, 0, CODEC_OUT),                                                        \
        CODEC_I64(struct counted, count, "registrationCount", 0, 0, CODEC_OUT),                                        \
        CODEC_END,                                                                                                     \
    }
    COUNTED(status, "status");
    COUNTED(hub, "assignedHub");
    COUNTED(group, "enrollmentGroupId");
#undef COUNTED
    static const struct codec codec[] = {
        CODEC_I64(struct statistics, total, "totalRegistrationCount", 0, 0, CODEC_OUT),
        CODEC_OBJECTS(struct statistics, statuses, "statuses", status, struct counted, 0, CODEC_OUT),
        CODEC_OBJECTS(struct statistics, hubs, "hubs", hub, struct counted, 0, CODEC_OUT),
        CODEC_OBJECTS(struct statistics, groups, "enrollmentGroups", group, struct counted, 0, CODEC_OUT),
        CODEC_TIME(struct statistics, counted_us, "countedDateTimeUtc"),
        CODEC_END,
    };
    return call_reply_codec(r, 200, codec, s);
}

static void add(struct obj_list *list, struct str name, int64_t count)
{
    ((struct counted *)list->at)[list->n++] = (struct counted){name, {true, count}};
}

static void take(struct statistics *s, const struct registration_count *c)
{
    if (c->status.p)
        add(&s->statuses, c->status, c->registrations);
    else if (c->hub.p)
        add(&s->hubs, c->hub, c->registrations);
    else if (c->enrollment_group.p)
        add(&s->groups, c->enrollment_group, c->registrations);
    else
        s->total = (struct opt_i64){true, c->registrations};
    s->counted_us = c->counted_us;
}

err_t op_registration_statistics(struct call *r)
{
    struct registration_count *counts;
    size_t n;
    TRY(db_registration_counts(r->db, r->arena, r->instance->id_scope, &counts, &n));
    struct statistics s = {.total = {true, 0}};
    for (struct obj_list **l = (struct obj_list *[]){&s.statuses, &s.hubs, &s.groups, NULL}; *l; l++)
        **l = (struct obj_list){ARENA_NEW_ARRAY(r->arena, n, struct counted), 0, true};
    for (size_t i = 0; i < n; i++)
        take(&s, &counts[i]);
    return reply(r, &s);
}
