/* role.c: role assignments, as operators make, list and delete them. They may leave a subscription without an owner,
 * and give it one again. Must never give a role to a client of another tenant than the scope's. */
#include "admin/run.h"
#include "core/enc.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/model.h"
#include "core/word.h"
#include "db/admin.h"

enum { PAGE = 200 };

struct shown {
    struct str id, tenant_id, client_id, role, scope, created_by;
    int64_t created_us;
};
static const struct codec shown_codec[] = {
    CODEC_TEXT(struct shown, id, "id", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, tenant_id, "tenantId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, client_id, "clientId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, role, "role", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, scope, "scope", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, created_by, "createdBy", 0, CODEC_OUT),
    CODEC_TIME(struct shown, created_us, "createdDateTimeUtc"),
    CODEC_END,
};

static void write_one(struct run *run, const struct assigned *one)
{
    const struct shown s = {
        .id = enc_uuid(run->arena, &one->is.assignment_id),
        .tenant_id = enc_uuid(run->arena, &one->tenant),
        .client_id = enc_uuid(run->arena, &one->is.client_id),
        .role = word_text(role_words, one->is.role),
        .scope = one->is.scope.n ? one->is.scope : STR("/"),
        .created_by = one->is.created_by,
        .created_us = one->is.created_us,
    };
    if (run_flag(run, "json"))
        codec_encode(&run->out, shown_codec, &s);
    else
        text_printf(&run->out, "%s\t%s\t%s\t%.*s\t%.*s", s.id.p, s.tenant_id.p, s.client_id.p, STR_ARG(s.role),
                    STR_ARG(s.scope));
}

/* --- making one --------------------------------------------------------------------------------------------------- */

err_t run_role(struct run *run, struct str word)
{
    if (word_number(role_words, word))
        return NULL;
    return err_say(&run->detail, E(BAD_REQUEST), "A role is one of %s.", word_list(run->arena, role_words).p);
}

static err_t bad_scope(struct run *run)
{
    return err_say(&run->detail, E(BAD_REQUEST),
                   "A scope is /, /subscriptions/ID or /subscriptions/ID/resourceGroups/NAME.");
}

/* The words of the path in any case; *ret->group_key is absent for a subscription. */
static bool read_path(struct arena *a, struct str scope, struct place *ret)
{
    struct str word, id, group_word, group, rest = str_split(scope, '/', &word);
    if (word.n || !rest.p)
        return false;
    rest = str_split(rest, '/', &word);
    rest = str_split(rest, '/', &id);
    if (!str_same_nocase(word, STR("subscriptions")) || !dec_uuid(id, &ret->subscription_id))
        return false;
    if (!rest.p)
        return true;
    rest = str_split(rest, '/', &group_word);
    rest = str_split(rest, '/', &group);
    ret->group_key = arena_lower(a, group);
    return str_same_nocase(group_word, STR("resourceGroups")) && !rest.p && id_resource_group_valid(group);
}

/* The scope, of that tenant, as it is stored and shown. */
static err_t find_scope(struct run *run, const struct uuid *tenant, struct str scope, struct str *ret)
{
    struct place at = {.tenant_id = *tenant};
    struct place_found found;
    *ret = STR("");
    if (str_same(scope, STR("/")))
        return NULL;
    if (!read_path(run->arena, scope, &at))
        return bad_scope(run);
    TRY(db_place(run->db, run->arena, &at, &found));
    if (!found.subscription)
        return err_say(&run->detail, E(SUBSCRIPTION_NOT_FOUND), "The client's tenant has no such subscription.");
    if (at.group_key.p && !found.group.p)
        return err_say(&run->detail, E(RESOURCE_GROUP_NOT_FOUND), "There is no such resource group.");
    const char *id = enc_uuid(run->arena, &at.subscription_id).p;
    *ret = at.group_key.p ? arena_printf(run->arena, "/subscriptions/%s/resourceGroups/%.*s", id, STR_ARG(found.group))
                          : arena_printf(run->arena, "/subscriptions/%s", id);
    return NULL;
}

err_t run_assign(struct run *run, const struct uuid *tenant, const struct uuid *client, struct str role,
                 struct str scope, struct uuid *ret_id)
{
    struct role_row row = {.assignment_id = crypt_uuid4(), .client_id = *client, .role = word_number(role_words, role)};
    const struct assigned_find held = {.client = client};
    struct assigned *roles;
    struct role_row old;
    size_t count;
    bool there;
    TRY(find_scope(run, tenant, scope, &row.scope));
    row.scope_key = arena_lower(run->arena, row.scope);
    row.created_by = run_actor(run);
    TRY(db_role_lock(run->db, run->arena, tenant, &row.assignment_id, &there, &old));
    TRY(db_admin_roles(run->db, run->arena, &held, ROLES_MOST, &roles, &count));
    if (count == ROLES_MOST)
        return err_say(&run->detail, E(QUOTA_EXCEEDED), "A client may have %d roles.", ROLES_MOST);
    *ret_id = row.assignment_id;
    return db_role_insert(run->db, run->arena, tenant, &row);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static err_t find_role(struct run *run, const struct uuid *id, struct assigned *ret)
{
    const struct assigned_find f = {.id = id};
    struct assigned *one;
    size_t count;
    TRY(db_admin_roles(run->db, run->arena, &f, 1, &one, &count));
    if (!count)
        return err_say(&run->detail, E(NO_ROW), "There is no role assignment of this id.");
    *ret = *one;
    return NULL;
}

static void print_one(struct run *run, const struct assigned *one)
{
    write_one(run, one);
    text_add_char(&run->out, '\n');
}

static err_t create_in_tx(struct db *db, void *context)
{
    struct run *run = context;
    struct uuid client, id;
    struct admitted principal;
    struct assigned one;
    struct str role, scope;
    run->out.n = 0;
    TRY(run_uuid(run, run_option(run, "client"), &client));
    TRY(run_needs(run, "role", &role));
    TRY(run_role(run, role));
    TRY(run_needs(run, "scope", &scope));
    err_t e = db_admin_find(db, run->arena, ADMITTED_SERVICE_PRINCIPAL, &client, &principal);
    if (e)
        return e == E(NO_ROW) ? err_say(&run->detail, e, "There is no service principal of this id.") : e;
    run_act(run, &principal.tenant);
    TRY(run_assign(run, &principal.tenant, &client, role, scope, &id));
    TRY(find_role(run, &id, &one));
    print_one(run, &one);
    return NULL;
}

err_t run_role_create(struct run *run)
{
    err_t e = db_tx(run->db, create_in_tx, run);
    return e == E(UNIQUE_VIOLATION) ? err_say(&run->detail, e, "The client has this role for this scope.") : e;
}

static err_t delete_in_tx(struct db *db, void *context)
{
    struct run *run = context;
    struct uuid id;
    struct assigned one;
    struct role_row old;
    bool there;
    run->out.n = 0;
    TRY(run_uuid(run, run_word(run, 0), &id));
    TRY(find_role(run, &id, &one));
    run_act(run, &one.tenant);
    TRY(db_role_lock(db, run->arena, &one.tenant, &id, &there, &old));
    TRY(db_role_delete(db, run->arena, &one.tenant, &id));
    print_one(run, &one);
    return NULL;
}

err_t run_role_delete(struct run *run)
{
    return db_tx(run->db, delete_in_tx, run);
}

err_t run_role_list(struct run *run)
{
    struct str of_tenant = run_option(run, "tenant"), of_client = run_option(run, "client");
    struct uuid tenant = {{0}}, client = {{0}};
    struct assigned_find f = {.tenant = of_tenant.p ? &tenant : NULL, .client = of_client.p ? &client : NULL};
    struct assigned *page = NULL;
    size_t count = PAGE;
    if (of_tenant.p)
        TRY(run_uuid(run, of_tenant, &tenant));
    if (of_client.p)
        TRY(run_uuid(run, of_client, &client));
    run_list_begin(run);
    while (count == PAGE) {
        TRY(db_admin_roles(run->db, run->arena, &f, PAGE, &page, &count));
        for (size_t i = 0; i < count; i++) {
            run_list_item(run);
            write_one(run, &page[i]);
        }
        f.after = count ? &page[count - 1].is.assignment_id : f.after;
    }
    run_list_end(run);
    return NULL;
}
