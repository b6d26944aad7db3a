/* deleted.c: instances that were deleted and are not purged yet: listed, and brought back as they were, on their ID
 * scope and in their group. It must never bring one back without its name: that may be another instance's by now. */
#include "admin/run.h"
#include "core/codec.h"
#include "core/id.h"
#include "db/admin.h"

enum { PAGE = 500 };

struct shown {
    struct str id_scope, name, subscription_id, group, service_host;
    int64_t deleted_us, until_us;
    struct str_list hubs_gone;
};
static const struct codec shown_codec[] = {
    CODEC_TEXT(struct shown, id_scope, "idScope", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, name, "name", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, subscription_id, "subscriptionId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, group, "resourceGroup", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, service_host, "serviceOperationsHostName", 0, CODEC_OUT),
    CODEC_TIME(struct shown, deleted_us, "deletedDateTimeUtc"),
    CODEC_TIME(struct shown, until_us, "undeleteUntilDateTimeUtc"),
    CODEC_TEXTS(struct shown, hubs_gone, "deletedHubs", 0, CODEC_OUT),
    CODEC_END,
};

/* --- the list ----------------------------------------------------------------------------------------------------- */

static void write_one(struct run *run, const struct db_deleted *one)
{
    struct str subscription = enc_uuid(run->arena, &one->at.at.subscription_id);
    if (!run_flag(run, "json")) {
        text_printf(&run->out, "%.*s\t%s\t%.*s\t%s\t%.*s", STR_ARG(one->id_scope_text), subscription.p,
                    STR_ARG(one->at.at.group_key), enc_time_iso(run->arena, one->until_us).p, STR_ARG(one->name));
        return;
    }
    const struct shown shown = {
        .id_scope = one->id_scope_text,
        .name = one->name,
        .subscription_id = subscription,
        .group = one->at.at.group_key,
        .deleted_us = one->deleted_us,
        .until_us = one->until_us,
    };
    codec_encode(&run->out, shown_codec, &shown);
}

err_t run_instance_deleted(struct run *run)
{
    struct str of, after = STR("");
    struct uuid tenant;
    struct db_deleted *page;
    size_t count = PAGE;
    TRY(run_needs(run, "tenant", &of));
    TRY(run_uuid(run, of, &tenant));
    run_act(run, &tenant);
    run_list_begin(run);
    while (count == PAGE) {
        TRY(db_admin_deleted(run->db, run->arena, &tenant, after, PAGE, &page, &count));
        for (size_t i = 0; i < count; i++) {
            run_list_item(run);
            write_one(run, &page[i]);
        }
        after = count ? page[count - 1].id_scope : after;
    }
    run_list_end(run);
    return NULL;
}

/* --- bringing back ------------------------------------------------------------------------------------------------ */

/* One run of the command, inside of its transaction. */
struct undeletion {
    struct run *run;
    struct db_deleted of;
    struct str_list hubs_gone; /* that it links, deleted since */
};

static err_t is_taken(const struct undeletion *u)
{
    return err_say(&u->run->detail, E(NAME_TAKEN),
                   "The name %.*s is taken by now; names are unique across all tenants.", STR_ARG(u->of.name));
}

/* Can it come back at all? */
static err_t check_deleted(struct db *db, struct undeletion *u)
{
    struct err_detail *d = &u->run->detail;
    struct db_deleted *of = &u->of;
    bool retired, there;
    TRY(db_admin_scope_lock(db, u->run->arena, of->id_scope, &retired));
    if (!retired)
        return err_say(d, E(CONFLICT), "The instance is there: it was not deleted, or came back.");
    TRY(db_admin_deleted_find(db, u->run->arena, &of->at.at.tenant_id, of->id_scope, &there, of));
    if (!there)
        return err_say(d, E(CONFLICT), "The instance was purged: what it had is gone.");
    if (!of->until_us)
        return err_say(d, E(CONFLICT),
                       "Its tenant made an instance named %.*s since, which ended the time to undelete this one.",
                       STR_ARG(of->name));
    if (!of->in_time)
        return err_say(d, E(CONFLICT), "The time to undelete it ended at %s.",
                       enc_time_iso(u->run->arena, of->until_us).p);
    return NULL;
}

static err_t check_group(struct db *db, struct undeletion *u)
{
    struct place_found found;
    const struct place *at = &u->of.at.at;
    TRY(db_place(db, u->run->arena, at, &found));
    if (found.group.p)
        return NULL;
    return err_say(&u->run->detail, E(RESOURCE_GROUP_NOT_FOUND),
                   "Its resource group %.*s was deleted: make it again in the subscription %s, then undelete.",
                   STR_ARG(at->group_key), enc_uuid(u->run->arena, &at->subscription_id).p);
}

static err_t undelete(struct db *db, void *context)
{
    struct undeletion *u = context;
    struct arena *a = u->run->arena;
    bool taken;
    TRY(check_deleted(db, u));
    TRY(check_group(db, u));
    TRY(db_admin_undelete(db, a, &u->of.at.at.tenant_id, u->of.id_scope));
    TRY(db_name_take(db, a, "instance", u->of.at.name_key, &taken));
    if (!taken)
        return is_taken(u);
    return db_admin_hubs_gone(db, a, &u->of.at.at.tenant_id, u->of.id_scope, &u->hubs_gone);
}

static err_t find_owner(struct run *run, struct undeletion *u)
{
    struct str given = run_word(run, 0);
    if (!id_scope_valid(given))
        return err_say(&run->detail, E(BAD_ID), "\"%.*s\" is not 0ne and eight hex digits.", STR_ARG(given));
    u->of.id_scope = arena_lower(run->arena, given);
    err_t e = db_admin_scope_tenant(run->db, run->arena, u->of.id_scope, &u->of.at.at.tenant_id);
    return e == E(NO_ROW) ? err_say(&run->detail, e, "No instance here ever had this ID scope.") : e;
}

static void write_undeleted(struct run *run, const struct undeletion *u)
{
    const struct db_deleted *of = &u->of;
    struct str host = id_service_host(run->arena, of->name, run->cfg.domain);
    if (run_flag(run, "json")) {
        const struct shown shown = {
            .id_scope = of->id_scope_text,
            .name = of->name,
            .subscription_id = enc_uuid(run->arena, &of->at.at.subscription_id),
            .group = of->at.at.group_key,
            .service_host = host,
            .hubs_gone = u->hubs_gone,
        };
        codec_encode(&run->out, shown_codec, &shown);
        text_add_char(&run->out, '\n');
        return;
    }
    text_printf(&run->out, "IDSCOPE_ID_SCOPE=%.*s\nIDSCOPE_SERVICE_HOST=%s\nIDSCOPE_DELETED_HUBS='",
                STR_ARG(of->id_scope_text), host.p);
    for (size_t i = 0; i < u->hubs_gone.n; i++)
        text_printf(&run->out, "%s%.*s", i ? " " : "", STR_ARG(u->hubs_gone.at[i]));
    text_add(&run->out, STR("'\n"));
}

err_t run_instance_undelete(struct run *run)
{
    struct undeletion u = {.run = run};
    TRY(find_owner(run, &u));
    run_act(run, &u.of.at.at.tenant_id);
    err_t e = db_tx(run->db, undelete, &u);
    if (e == E(UNIQUE_VIOLATION))
        return is_taken(&u);
    TRY(e);
    write_undeleted(run, &u);
    return NULL;
}
