/* limits.c: the limits that a tenant or an instance has of its own, in place of the deployment's (decisions.md
 * 32). It must never say which limits the deployment has: that is a setting of the api. */
#include "admin/run.h"
#include "core/codec.h"
#include "core/enc.h"
#include "core/quota.h"
#include "db/limit.h"

static err_t place_of(struct run *run, struct limit_place *ret)
{
    struct str tenant, instance = run_option(run, "instance");
    struct limits_place there;
    TRY(run_needs(run, "tenant", &tenant));
    TRY(run_uuid(run, tenant, &ret->tenant));
    ret->name_key = instance.p ? arena_lower(run->arena, instance) : instance;
    run_act(run, &ret->tenant);
    TRY(db_limits_place(run->db, run->arena, ret, &there));
    if (!there.tenant)
        return err_say(&run->detail, E(NO_ROW), "There is no tenant of this id.");
    if (instance.p && !there.instance)
        return err_say(&run->detail, E(NO_ROW), "The tenant has no instance of this name.");
    return NULL;
}

/* --- what is shown ------------------------------------------------------------------------------------------------ */

struct shown {
    struct str name, from;
    struct opt_i64 most;
};
static const struct codec shown_codec[] = {
    CODEC_TEXT(struct shown, name, "name", 0, CODEC_OUT),
    CODEC_I64(struct shown, most, "value", 0, 0, CODEC_OUT | CODEC_NULL),
    CODEC_TEXT(struct shown, from, "from", 0, CODEC_OUT),
    CODEC_END,
};

/* The instance's own goes before its tenant's. */
static struct shown find_shown(enum quota q, const struct limit_row *rows, size_t count)
{
    struct shown s = {.name = quota_rows[q].wire, .from = STR("deployment")};
    for (size_t i = 0; i < count; i++) {
        if (!str_same(rows[i].name, s.name) || (s.most.set && !rows[i].of_instance))
            continue;
        s.most = (struct opt_i64){true, rows[i].most};
        s.from = rows[i].of_instance ? STR("instance") : STR("tenant");
    }
    return s;
}

static void write_line(struct run *run, const struct shown *s)
{
    struct str value = s->most.set ? arena_printf(run->arena, "%lld", (long long)s->most.n) : STR("-");
    text_printf(&run->out, "%.*s\t%.*s\t%.*s", STR_ARG(s->name), STR_ARG(value), STR_ARG(s->from));
}

static err_t show(struct run *run, const struct limit_place *at)
{
    struct limit_row *rows;
    size_t count;
    TRY(db_limits(run->db, run->arena, at, &rows, &count));
    run_list_begin(run);
    for (enum quota q = 0; q < QUOTAS; q++) {
        const struct shown s = find_shown(q, rows, count);
        run_list_item(run);
        if (run_flag(run, "json"))
            codec_encode(&run->out, shown_codec, &s);
        else
            write_line(run, &s);
    }
    run_list_end(run);
    return NULL;
}

err_t run_limits_show(struct run *run)
{
    struct limit_place at;
    TRY(place_of(run, &at));
    return show(run, &at);
}

/* --- what is set -------------------------------------------------------------------------------------------------- */

static err_t quota_named(struct run *run, enum quota *ret)
{
    *ret = quota_of(run_word(run, 0));
    if (*ret != QUOTAS)
        return NULL;
    return err_say(&run->detail, E(BAD_REQUEST), "There is no limit of this name; limits show lists those that are.");
}

static err_t value_given(struct run *run, struct str name, struct str *ret)
{
    int64_t most;
    struct str given = run_word(run, 1);
    *ret = STR("{}");
    if (str_same(given, STR("default")))
        return NULL;
    if (!dec_i64(given, 0, QUOTA_MOST, &most))
        return err_say(&run->detail, E(BAD_REQUEST), "The value is a whole number from 0 (no limit) to %d, or default.",
                       QUOTA_MOST);
    *ret = arena_printf(run->arena, "{\"%s\": %lld}", name.p, (long long)most);
    return NULL;
}

static err_t check_kind(struct run *run, enum quota q, const struct limit_place *at)
{
    if (q == QUOTA_OF_INSTANCES && at->name_key.p)
        return err_say(&run->detail, E(BAD_REQUEST), "%s is a limit of a tenant: leave --instance out.",
                       quota_rows[q].wire.p);
    return NULL;
}

err_t run_limits_set(struct run *run)
{
    struct limit_place at;
    enum quota q;
    struct str value;
    TRY(quota_named(run, &q));
    TRY(value_given(run, quota_rows[q].wire, &value));
    TRY(place_of(run, &at));
    TRY(check_kind(run, q, &at));
    TRY(db_limit_put(run->db, run->arena, &at, quota_rows[q].wire, value));
    return show(run, &at);
}
