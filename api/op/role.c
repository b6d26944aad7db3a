/* role.c: role assignments and the roles that there are, at every scope (wire.md 1.11). Who may ask is checked before
 * (api/roles.h): it must never judge that itself, nor give a role to somebody of another tenant. */
#include "db/role.h"

#include "api/op/arm.h"
#include "api/op/filter.h"
#include "api/op/op.h"
#include "api/op/resource.h"
#include "api/roles.h"
#include "core/limits.h"
#include "core/word.h"

#define AUTHORIZATION "/providers/Microsoft.Authorization/"

/* One operation for each scope. */
#define SCOPED(noun)                                                                                                   \
    err_t op_##noun##_tenant(struct call *r)                                                                           \
    {                                                                                                                  \
        return noun(r);                                                                                                \
    }                                                                                                                  \
    err_t op_##noun##_subscription(struct call *r)                                                                     \
    {                                                                                                                  \
        return noun(r);                                                                                                \
    }                                                                                                                  \
    err_t op_##noun##_group(struct call *r)                                                                            \
    {                                                                                                                  \
        return noun(r);                                                                                                \
    }                                                                                                                  \
    err_t op_##noun##_resource(struct call *r)                                                                         \
    {                                                                                                                  \
        return noun(r);                                                                                                \
    }

/* --- where -------------------------------------------------------------------------------------------------------- */

struct scope {
    struct str text, key, name_key; /* as it is shown; in lower case; of the resource, absent */
};

static err_t take_resource(struct call *r, const struct arm_target *t, struct scope *ret)
{
    static const char *const types[] = {HUB_TYPE, INSTANCE_TYPE};
    struct str type = arena_printf(r->arena, "Microsoft.Devices/%.*s", STR_ARG(r->segments[SEGMENT_TYPE]));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!str_same_nocase(type, str_of(types[i])))
            continue;
        ret->name_key = t->find.name_key;
        ret->text = arm_resource_id(r->arena, &t->find.at.subscription_id, t->group, types[i], t->name);
        return id_service_name_valid(t->name) ? NULL : E(RESOURCE_NOT_FOUND);
    }
    return E(RESOURCE_NOT_FOUND);
}

/* The scope of the path, whose subscription and group must be there. */
static err_t read_scope(struct call *r, struct scope *ret)
{
    struct arm_target t;
    struct place_found found;
    *ret = (struct scope){.text = STR(""), .key = STR("")};
    if (!r->segments[SEGMENT_SUBSCRIPTION].p)
        return NULL;
    bool of_resource = r->segments[SEGMENT_NAME].p != NULL;
    TRY(of_resource ? arm_resource(r, &t) : r->segments[SEGMENT_GROUP].p ? arm_group(r, &t) : arm_subscription(r, &t));
    TRY(db_place(r->db, r->arena, &t.find.at, &found));
    TRY(arm_check_place(&t, &found));
    t.group = found.group;
    ret->text = arm_group_id(r->arena, &t.find.at.subscription_id, t.group);
    TRY(of_resource ? take_resource(r, &t, ret) : NULL);
    ret->key = arena_lower(r->arena, ret->text);
    return NULL;
}

/* "/subscriptions/…" of the path, with which ids of roles begin; "" where it has none. */
static struct str subscription_of(struct call *r)
{
    struct str id = r->segments[SEGMENT_SUBSCRIPTION];
    return id.p ? arena_lower(r->arena, arena_printf(r->arena, "/subscriptions/%.*s", STR_ARG(id))) : STR("");
}

static struct str definition_id(struct call *r, enum role role)
{
    return arena_printf(r->arena, "%s" AUTHORIZATION "roleDefinitions/%s", subscription_of(r).p,
                        role_kinds[role - 1].id.p);
}

/* --- assignments as clients see them ------------------------------------------------------------------------------ */

struct assignment {
    struct str id, type, name;
    struct assignment_properties {
        struct str definition_id, principal_id, principal_type, scope, description, condition, created_by, updated_by;
        int64_t created_us, updated_us;
    } * properties;
};
#define P_ struct assignment_properties
static const struct codec properties_codec[] = {
    CODEC_TEXT(P_, definition_id, "roleDefinitionId", RESOURCE_URL_MAX, CODEC_MUST),
    CODEC_TEXT(P_, principal_id, "principalId", RESOURCE_TEXT_MAX, CODEC_MUST),
    CODEC_TEXT(P_, principal_type, "principalType", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(P_, scope, "scope", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(P_, description, "description", ROLE_DESCRIPTION_MOST, CODEC_NULL),
    CODEC_TEXT(P_, condition, "condition", RESOURCE_JSON_MAX, CODEC_NULL),
    CODEC_TIME(P_, created_us, "createdOn"),
    CODEC_TIME(P_, updated_us, "updatedOn"),
    CODEC_TEXT(P_, created_by, "createdBy", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, updated_by, "updatedBy", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
#undef P_
static const struct codec assignment_codec[] = {
    CODEC_TEXT(struct assignment, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(struct assignment, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct assignment, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECT(struct assignment, properties, "properties", properties_codec, struct assignment_properties,
                 CODEC_MUST),
    CODEC_END,
};

static void write_assignment(struct call *r, const struct role_row *row, struct text *out)
{
    struct str name = enc_uuid(r->arena, &row->assignment_id);
    struct assignment_properties is = {
        .definition_id = definition_id(r, (enum role)row->role),
        .principal_id = enc_uuid(r->arena, &row->client_id),
        .principal_type = STR("ServicePrincipal"),
        .scope = row->scope.n ? row->scope : STR("/"),
        .description = row->description,
        .created_by = row->created_by,
        .updated_by = row->created_by,
        .created_us = row->created_us,
        .updated_us = row->created_us,
    };
    const struct assignment a = {
        .id = arena_printf(r->arena, "%.*s" AUTHORIZATION "roleAssignments/%s", STR_ARG(row->scope), name.p),
        .type = STR("Microsoft.Authorization/roleAssignments"),
        .name = name,
        .properties = &is,
    };
    codec_encode(out, assignment_codec, &a);
}

static err_t reply_assignment(struct call *r, int status, const struct role_row *row)
{
    struct text out;
    text_init(&out, r->arena, 1024);
    write_assignment(r, row, &out);
    return call_reply(r, status, text_str(&out));
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

struct role_filter {
    bool at_scope, of_client;
    struct uuid client;
};

static bool take(struct str *rest, struct str word)
{
    if (rest->n < word.n || !str_same_nocase((struct str){rest->p, word.n}, word))
        return false;
    *rest = (struct str){rest->p + word.n, rest->n - word.n};
    return true;
}

/* atScope(), principalId eq 'ID' or assignedTo('ID'), which are the same where there are no groups of principals. */
static bool read_term(struct arena *a, struct str *rest, struct role_filter *to)
{
    if (take(rest, STR("atScope()")))
        return to->at_scope = true;
    bool assigned = take(rest, STR("assignedTo("));
    if (to->of_client || (!assigned && !take(rest, STR("principalId eq "))))
        return false;
    to->of_client = dec_uuid(filter_quoted(a, rest), &to->client);
    return to->of_client && (!assigned || take(rest, STR(")")));
}

static err_t read_filter(struct call *r, struct role_filter *ret)
{
    struct str rest;
    *ret = (struct role_filter){0};
    TRY(call_query_text(r, "$filter", &rest));
    bool good = true;
    for (rest = str_trim(rest); good && rest.n; rest = str_trim(rest)) {
        good = read_term(r->arena, &rest, ret);
        good = good && (!rest.n || (take(&rest, STR(" and ")) && rest.n));
    }
    return good ? NULL
                : call_fail(r, E(BAD_REQUEST),
                            "$filter must be atScope(), principalId eq 'ID' or assignedTo('ID'), joined by and.");
}

/* Without a filter, and of one client, what is below the scope is shown, too. */
static err_t role_list(struct call *r)
{
    struct scope scope;
    struct role_filter filter;
    struct role_row *rows;
    size_t count;
    bool more;
    struct text out;
    TRY(read_scope(r, &scope));
    TRY(read_filter(r, &filter));
    struct role_find f = {.tenant = r->client->tenant_id,
                          .scope_key = scope.key,
                          .client = filter.of_client ? &filter.client : NULL,
                          .below = !filter.at_scope};
    TRY(arm_page_by_id(r, &f.after, &f.most));
    TRY(db_role_find(r->db, r->arena, &f, &rows, &count, &more));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_assignment(r, &rows[i], &out);
    }
    return arm_list_end(r, &out, more ? enc_uuid(r->arena, &rows[count - 1].assignment_id) : (struct str){NULL, 0});
}
SCOPED(role_list)

static err_t role_get(struct call *r)
{
    struct scope scope;
    struct uuid id;
    struct role_row *row;
    size_t count;
    bool more;
    TRY(read_scope(r, &scope));
    if (!dec_uuid(r->segments[SEGMENT_ID], &id))
        return E(ASSIGNMENT_NOT_FOUND);
    const struct role_find f = {.tenant = r->client->tenant_id, .scope_key = scope.key, .id = &id};
    TRY(db_role_find(r->db, r->arena, &f, &row, &count, &more));
    return count ? reply_assignment(r, 200, row) : E(ASSIGNMENT_NOT_FOUND);
}
SCOPED(role_get)

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct role_write {
    struct call *r;
    struct scope scope;
    struct role_row row;
    bool done; /* put: it is new; delete: it was there */
};

static struct str last_part(struct str path)
{
    struct str part = path;
    for (struct str rest = path; rest.p;)
        rest = str_split(rest, '/', &part);
    return part;
}

static err_t no_such_principal(struct call *r)
{
    return call_fail(r, E(PRINCIPAL_NOT_FOUND), "properties.principalId: %s", E(PRINCIPAL_NOT_FOUND)->sentence);
}

static err_t read_assignment(struct call *r, struct role_row *row)
{
    struct assignment body = {0};
    TRY(call_decode(r, assignment_codec, CODEC_NO_CASE, &body));
    const struct assignment_properties *is = body.properties;
    row->role = (int)role_of_id(last_part(is->definition_id));
    row->description = is->description.n ? is->description : (struct str){NULL, 0};
    if (!row->role)
        return call_fail(r, E(ROLE_NOT_FOUND), "properties.roleDefinitionId: %s", E(ROLE_NOT_FOUND)->sentence);
    if (is->condition.n)
        return call_fail(r, E(BAD_FIELD), "properties.condition: a role is assigned without condition.");
    if (is->principal_type.n && !str_same_nocase(is->principal_type, STR("ServicePrincipal")))
        return call_fail(r, E(BAD_FIELD), "properties.principalType must be ServicePrincipal: there are no others.");
    return dec_uuid(is->principal_id, &row->client_id) ? NULL : no_such_principal(r);
}

static err_t check_target(struct db *db, const struct role_write *w)
{
    struct role_target target;
    TRY(db_role_target(db, w->r->arena, &w->r->client->tenant_id, &w->row, w->scope.name_key, &target));
    if (!target.resource)
        return E(RESOURCE_NOT_FOUND);
    if (!target.principal)
        return no_such_principal(w->r);
    if (target.held < ROLES_MOST)
        return NULL;
    return call_fail(w->r, E(QUOTA_EXCEEDED), "A principal may have %d role assignments.", ROLES_MOST);
}

/* One that is there stays as it is, and is answered when it is what was asked for. */
static err_t put_work(struct db *db, void *context)
{
    struct role_write *w = context;
    struct role_row old;
    bool there;
    TRY(db_role_lock(db, w->r->arena, &w->r->client->tenant_id, &w->row.assignment_id, &there, &old));
    w->done = !there;
    if (there) {
        bool same = old.role == w->row.role && str_same(old.scope_key, w->row.scope_key) &&
                    uuid_same(&old.client_id, &w->row.client_id);
        return same ? NULL : E(ASSIGNMENT_FIXED);
    }
    TRY(check_target(db, w));
    return db_role_insert(db, w->r->arena, &w->r->client->tenant_id, &w->row);
}

static err_t read_write(struct call *r, struct role_write *w)
{
    w->r = r;
    TRY(read_scope(r, &w->scope));
    w->row.scope = w->scope.text;
    w->row.scope_key = w->scope.key;
    w->row.created_by = enc_uuid(r->arena, &r->client->client_id);
    return NULL;
}

static err_t role_put(struct call *r)
{
    struct role_write w = {0};
    TRY(read_write(r, &w));
    if (!dec_uuid(r->segments[SEGMENT_ID], &w.row.assignment_id))
        return call_fail(r, E(BAD_ID), "The name of a role assignment must be a guid.");
    TRY(read_assignment(r, &w.row));
    err_t e = db_tx(r->db, put_work, &w);
    if (e == E(UNIQUE_VIOLATION))
        return E(ASSIGNMENT_EXISTS);
    TRY(e);
    TRY(role_get(r));
    r->status = w.done ? 201 : 200;
    return NULL;
}
SCOPED(role_put)

/* Nobody takes a subscription's last owner away: who could give it another one would be the operator alone. */
static err_t delete_work(struct db *db, void *context)
{
    struct role_write *w = context;
    struct role_row old;
    bool unowned = false;
    TRY(db_role_lock(db, w->r->arena, &w->r->client->tenant_id, &w->row.assignment_id, &w->done, &old));
    w->done = w->done && str_same(old.scope_key, w->row.scope_key);
    if (!w->done)
        return NULL;
    w->row = old;
    TRY(db_role_delete(db, w->r->arena, &w->r->client->tenant_id, &old.assignment_id));
    if (old.role == ROLE_OWNER)
        TRY(db_role_unowned(db, w->r->arena, &w->r->client->tenant_id, old.scope_key, &unowned));
    return unowned ? E(LAST_OWNER) : NULL;
}

static err_t role_delete(struct call *r)
{
    struct role_write w = {0};
    TRY(read_write(r, &w));
    if (dec_uuid(r->segments[SEGMENT_ID], &w.row.assignment_id))
        TRY(db_tx(r->db, delete_work, &w));
    return w.done ? reply_assignment(r, 200, &w.row) : call_reply_empty(r, 204);
}
SCOPED(role_delete)

/* --- the roles that there are ------------------------------------------------------------------------------------- */

struct permission {
    struct str_list actions, not_actions, data_actions, not_data_actions;
};
#define P_ struct permission
static const struct codec permission_codec[] = {
    CODEC_TEXTS(P_, actions, "actions", 0, CODEC_OUT),
    CODEC_TEXTS(P_, not_actions, "notActions", 0, CODEC_OUT),
    CODEC_TEXTS(P_, data_actions, "dataActions", 0, CODEC_OUT),
    CODEC_TEXTS(P_, not_data_actions, "notDataActions", 0, CODEC_OUT),
    CODEC_END,
};
#undef P_

static struct str_list texts(struct arena *a, const char *const *from)
{
    struct str_list to = {.set = true};
    while (from[to.n])
        to.n++;
    to.at = ARENA_NEW_ARRAY(a, to.n, struct str);
    for (size_t i = 0; i < to.n; i++)
        to.at[i] = str_of(from[i]);
    return to;
}

static struct permission permission_of(struct arena *a, const struct role_kind *k)
{
    return (struct permission){
        texts(a, k->actions), texts(a, k->not_actions), texts(a, k->data_actions), {.set = true}};
}

struct definition {
    struct str id, type, name;
    struct definition_properties {
        struct str name, type, description;
        struct str_list scopes;
        struct obj_list permissions;
    } * properties;
};
#define D_ struct definition_properties
static const struct codec definition_properties_codec[] = {
    CODEC_TEXT(D_, name, "roleName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(D_, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(D_, description, "description", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXTS(D_, scopes, "assignableScopes", 0, CODEC_OUT),
    CODEC_OBJECTS(D_, permissions, "permissions", permission_codec, struct permission, 0, CODEC_OUT),
    CODEC_END,
};
#undef D_
static const struct codec definition_codec[] = {
    CODEC_TEXT(struct definition, id, "id", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(struct definition, type, "type", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct definition, name, "name", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_OBJECT(struct definition, properties, "properties", definition_properties_codec, struct definition_properties,
                 CODEC_OUT),
    CODEC_END,
};

static void write_definition(struct call *r, enum role role, struct text *out)
{
    const struct role_kind *k = &role_kinds[role - 1];
    struct permission permission = permission_of(r->arena, k);
    struct str everywhere = STR("/");
    struct definition_properties is = {
        .name = k->name,
        .type = STR("BuiltInRole"),
        .description = k->description,
        .scopes = {&everywhere, 1, true},
        .permissions = {&permission, 1, true},
    };
    const struct definition d = {definition_id(r, role), STR("Microsoft.Authorization/roleDefinitions"), k->id, &is};
    codec_encode(out, definition_codec, &d);
}

/* roleName eq 'NAME'; absent: any. */
static err_t read_name(struct call *r, struct str *ret)
{
    struct str rest;
    *ret = (struct str){NULL, 0};
    TRY(call_query_text(r, "$filter", &rest));
    rest = str_trim(rest);
    if (!rest.n)
        return NULL;
    if (take(&rest, STR("roleName eq ")))
        *ret = filter_quoted(r->arena, &rest);
    return ret->p && !rest.n ? NULL : call_fail(r, E(BAD_REQUEST), "$filter must be roleName eq 'NAME'.");
}

static err_t role_definition_list(struct call *r)
{
    struct scope scope;
    struct str name;
    struct text out;
    TRY(read_scope(r, &scope));
    TRY(read_name(r, &name));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < role_kind_count; i++) {
        if (name.p && !str_same_nocase(name, role_kinds[i].name))
            continue;
        arm_list_item(&out);
        write_definition(r, (enum role)(i + 1), &out);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}
SCOPED(role_definition_list)

static err_t role_definition_get(struct call *r)
{
    struct scope scope;
    struct text out;
    enum role role = role_of_id(r->segments[SEGMENT_ID]);
    TRY(read_scope(r, &scope));
    if (role == ROLE_NONE)
        return E(DEFINITION_NOT_FOUND);
    text_init(&out, r->arena, 1024);
    write_definition(r, role, &out);
    return call_reply(r, 200, text_str(&out));
}
SCOPED(role_definition_get)

/* What the client itself may do there, role by role. */
static err_t permission_list(struct call *r)
{
    const struct gate_grants *g = &r->client->grants;
    struct scope scope;
    struct text out;
    TRY(read_scope(r, &scope));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < g->roles.n; i++) {
        if (!g->at[i].role || !role_covers(g->at[i].scope, scope.key))
            continue;
        struct permission p = permission_of(r->arena, &role_kinds[g->at[i].role - 1]);
        arm_list_item(&out);
        codec_encode(&out, permission_codec, &p);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

err_t op_permission_list_group(struct call *r)
{
    return permission_list(r);
}

err_t op_permission_list_resource(struct call *r)
{
    return permission_list(r);
}
