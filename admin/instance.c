/* instance.c: an instance on an ID scope that devices already carry, for whoever moves a fleet in (decisions.md 6). The
 * operator's alone, since an ID scope is the deployment's: a tenant could take one before its owner comes. Names,
 * places and the first policy follow the rules of the management plane's PUT, by which the instance is configured from
 * here on; what a tenant may hold is not asked. It must never take a scope that was issued here before. */
#include "admin/run.h"
#include "core/id.h"
#include "core/keypair.h"
#include "db/admin.h"

static err_t name_of(struct run *run, struct db_admin_instance *i)
{
    TRY(run_needs(run, "name", &i->name));
    if (!id_service_name_valid(i->name))
        return err_say(&run->detail, E(BAD_ID),
                       "--name: %d to %d letters, digits and hyphens, not only digits, and no hyphen at its ends.",
                       SERVICE_NAME_LEAST, SERVICE_NAME_MOST);
    if (id_service_name_reserved(i->name))
        return err_say(&run->detail, E(BAD_ID), "--name: %.*s is reserved.", STR_ARG(i->name));
    i->at.name_key = arena_lower(run->arena, i->name);
    return NULL;
}

static err_t scope_of(struct run *run, struct db_admin_instance *i)
{
    TRY(run_needs(run, "id-scope", &i->id_scope_text));
    if (!id_scope_valid(i->id_scope_text))
        return err_say(&run->detail, E(BAD_ID), "--id-scope: \"%.*s\" is not 0ne and eight hex digits.",
                       STR_ARG(i->id_scope_text));
    i->id_scope = arena_lower(run->arena, i->id_scope_text);
    return NULL;
}

static err_t place_of(struct run *run, struct place *at)
{
    struct str tenant, subscription, group;
    TRY(run_needs(run, "tenant", &tenant));
    TRY(run_needs(run, "subscription", &subscription));
    TRY(run_needs(run, "group", &group));
    TRY(run_uuid(run, tenant, &at->tenant_id));
    TRY(run_uuid(run, subscription, &at->subscription_id));
    at->group_key = arena_lower(run->arena, group);
    return NULL;
}

static err_t location_of(struct run *run, struct db_admin_instance *i)
{
    struct str given;
    TRY(run_needs(run, "location", &given));
    if (!id_location(run->arena, given, &i->location))
        return err_say(&run->detail, E(BAD_FIELD), "--location: 1 to 64 letters, digits, blanks and hyphens.");
    return NULL;
}

static err_t first_policy(struct run *run, struct db_admin_instance *i)
{
    struct keypair keys;
    const struct symmetric_key none = {0};
    const struct seal_id row = {"instance_policy", i->id_scope, STR(FIRST_POLICY_NAME)};
    i->policy.key_name = row.name;
    if (!service_rights_parse(STR(FIRST_POLICY_RIGHTS), &i->policy.rights))
        return E(INTERNAL);
    TRY(keypair_read(run->arena, &none, "policy", POLICY_KEY_BYTES, &run->detail, &keys));
    struct keypair_sealed sealed = keypair_seal(run->arena, run->ring, &row, &keys);
    i->policy.primary_sealed = sealed.primary;
    i->policy.secondary_sealed = sealed.secondary;
    return NULL;
}

/* One run of the command, inside of its transaction. */
struct creation {
    struct run *run;
    const struct db_admin_instance *instance;
};

static err_t create(struct db *db, void *context)
{
    struct creation *c = context;
    struct place_found found;
    bool done;
    TRY(db_place(db, c->run->arena, &c->instance->at.at, &found));
    if (!found.subscription)
        return E(SUBSCRIPTION_NOT_FOUND);
    if (!found.group.p)
        return E(RESOURCE_GROUP_NOT_FOUND);
    TRY(db_admin_instance_create(db, c->run->arena, c->instance, &done));
    if (!done)
        return err_say(&c->run->detail, E(CONFLICT),
                       "--id-scope: %.*s was issued here before, to an instance that is there or was deleted; an ID "
                       "scope is never issued twice.",
                       STR_ARG(c->instance->id_scope_text));
    TRY(db_name_take(db, c->run->arena, "instance", c->instance->at.name_key, &done));
    return done ? NULL : E(UNIQUE_VIOLATION);
}

err_t run_instance_create(struct run *run)
{
    struct db_admin_instance i = {0};
    struct creation c = {run, &i};
    TRY(scope_of(run, &i));
    TRY(place_of(run, &i.at.at));
    TRY(name_of(run, &i));
    TRY(location_of(run, &i));
    TRY(first_policy(run, &i));
    run_act(run, &i.at.at.tenant_id);
    err_t e = db_tx(run->db, create, &c);
    if (e == E(UNIQUE_VIOLATION))
        return err_say(&run->detail, E(NAME_TAKEN), "--name: %.*s is taken; names are unique across all tenants.",
                       STR_ARG(i.name));
    TRY(e);
    text_printf(&run->out, "IDSCOPE_ID_SCOPE=%.*s\n", STR_ARG(i.id_scope_text));
    text_printf(&run->out, "IDSCOPE_SERVICE_HOST=%s\n", id_service_host(run->arena, i.name, run->cfg.domain).p);
    return NULL;
}
