/* instance.c: provisioning service instances and their linked hubs as the management plane sees them. It must never
 * open a sealed value, nor touch what devices do. */
#include "db/instance.h"

DB_ROW(instance, struct instance_row, COL(struct instance_row, name, TEXT), COL(struct instance_row, group, TEXT),
       COL(struct instance_row, subscription_id, UUID), COL(struct instance_row, id_scope, TEXT),
       COL(struct instance_row, id_scope_text, TEXT), COL(struct instance_row, location, TEXT),
       COL(struct instance_row, tags, JSON), COL(struct instance_row, sku_capacity, I64),
       COL_WORD(struct instance_row, allocation_policy, policy_words), COL(struct instance_row, properties, JSON),
       COL(struct instance_row, etag, UUID));
DB_PARAMS(details, struct instance_row, COL(struct instance_row, tags, JSON),
          COL(struct instance_row, sku_capacity, I64), COL_WORD(struct instance_row, allocation_policy, policy_words),
          COL(struct instance_row, properties, JSON));

DB_ROW(instance_locked, struct instance_locked, COL(struct instance_locked, id_scope, TEXT),
       COL(struct instance_locked, location, TEXT), COL(struct instance_locked, etag, UUID),
       COL_WORD(struct instance_locked, allocation_policy, policy_words));

DB_ROW(linked, struct linked_row, COL(struct linked_row, id_scope, TEXT), COL(struct linked_row, host, TEXT),
       COL(struct linked_row, host_name, TEXT), COL(struct linked_row, location, TEXT),
       COL(struct linked_row, hub_key, TEXT), COL(struct linked_row, key_name, TEXT),
       COL(struct linked_row, primary_sealed, BYTEA), COL(struct linked_row, weight, I64),
       COL(struct linked_row, apply, TRI), COL_WORD(struct linked_row, state, link_state_words),
       COL(struct linked_row, reason, TEXT), COL_AS(struct linked_row, state_since_us, TIME, "state_since"),
       COL_AS(struct linked_row, last_good_us, TIME, "last_good_at"), COL(struct linked_row, hub_subscription, UUID),
       COL(struct linked_row, hub_group, TEXT), COL(struct linked_row, hub_name, TEXT));
DB_PARAMS(linked_put, struct linked_row, COL(struct linked_row, host_name, TEXT),
          COL(struct linked_row, location, TEXT), COL(struct linked_row, hub_key, TEXT),
          COL(struct linked_row, key_name, TEXT), COL(struct linked_row, primary_sealed, BYTEA),
          COL(struct linked_row, weight, I64), COL(struct linked_row, apply, TRI));

DB_ROW(latency, struct latency_row, COL(struct latency_row, host, TEXT), COL(struct latency_row, region, TEXT),
       COL(struct latency_row, p50_us, I64), COL(struct latency_row, p95_us, I64), COL(struct latency_row, count, I64),
       COL_AS(struct latency_row, measured_us, TIME, "measured_at"));
DB_ROW(linked_target, struct linked_target, COL(struct linked_target, hub_name, TEXT),
       COL(struct linked_target, location, TEXT), COL(struct linked_target, key_name, TEXT),
       COL(struct linked_target, rights, I32));

struct scope {
    struct str id_scope;
};
DB_ROW(id_scope, struct scope, COL(struct scope, id_scope, TEXT));

err_t db_linked_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct str *id_scopes,
                     size_t scope_count, struct str host, struct linked_row **ret, size_t *ret_count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    db_text_array(&in, id_scopes, scope_count);
    db_text(&in, host);
    return db_all(db, SQL_LINKED_FIND, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

/* Links stand together by scope; each instance gets its stretch of the array. */
static void hand_out(struct instance_row *instances, size_t count, struct linked_row *links, size_t link_count)
{
    for (size_t i = 0; i < count; i++) {
        size_t first = 0;
        while (first < link_count && !str_same(links[first].id_scope, instances[i].id_scope))
            first++;
        size_t end = first;
        while (end < link_count && str_same(links[end].id_scope, instances[i].id_scope))
            end++;
        instances[i].links = links + first;
        instances[i].link_count = end - first;
    }
}

static err_t add_links(struct db *db, struct arena *a, const struct uuid *tenant, struct instance_row *instances,
                       size_t count)
{
    struct linked_row *links;
    size_t link_count;
    struct str *scopes = ARENA_NEW_ARRAY(a, count, struct str);
    for (size_t i = 0; i < count; i++)
        scopes[i] = instances[i].id_scope;
    TRY(db_linked_find(db, a, tenant, scopes, count, (struct str){NULL, 0}, &links, &link_count));
    hand_out(instances, count, links, link_count);
    return NULL;
}

err_t db_instance_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                       struct instance_row **ret, size_t *ret_count, bool *ret_more)
{
    TRY(db_placed_page(db, SQL_INSTANCE_FIND, a, f, ret_found, ret, sizeof **ret, ret_count, ret_more));
    return *ret_count ? add_links(db, a, &f->at->tenant_id, *ret, *ret_count) : NULL;
}

/* The place and the instance's key: what most statements of one instance begin with. */
static void instance_args(struct db_args *in, struct arena *a, const struct find *instance)
{
    db_place_args(in, a, instance->at);
    db_text(in, instance->name_key);
}

err_t db_instance_policies(struct db *db, struct arena *a, const struct find *instance, struct str key_name_key,
                           struct place_found *ret_found, struct str *ret_id_scope, struct policy_row **ret,
                           size_t *ret_count)
{
    struct db_args find, in;
    struct instance_row found;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    db_find_args(&find, a, instance);
    instance_args(&in, a, instance);
    db_text(&in, key_name_key);
    TRY(db_placed(db, a, instance->at, (struct db_call[]){{SQL_INSTANCE_FIND, &find}, {SQL_INSTANCE_POLICY_FIND, &in}},
                  2, ret_found, &r));
    *ret_id_scope = (struct str){NULL, 0};
    if (rows_count(r.of[1])) {
        rows_read(r.of[1], 0, a, &found, sizeof found);
        *ret_id_scope = found.id_scope;
    }
    rows_read_all(r.of[2], a, ret, sizeof **ret, ret_count);
    return NULL;
}

err_t db_instance_delete(struct db *db, struct arena *a, const struct find *instance, struct str etag,
                         struct place_found *ret_found, struct str *ret_id_scope)
{
    struct db_args in;
    struct scope gone = {{NULL, 0}};
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    instance_args(&in, a, instance);
    db_text(&in, etag);
    TRY(db_placed(db, a, instance->at, &(struct db_call){SQL_INSTANCE_DELETE, &in}, 1, ret_found, &r));
    if (rows_count(r.of[1]))
        rows_read(r.of[1], 0, a, &gone, sizeof gone);
    *ret_id_scope = gone.id_scope;
    return NULL;
}

err_t db_linked_latency(struct db *db, struct arena *a, const struct str *hosts, size_t host_count,
                        struct latency_row **ret, size_t *ret_count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text_array(&in, hosts, host_count);
    return db_all(db, SQL_LINKED_LATENCY_FIND, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

/* --- inside of a transaction -------------------------------------------------------------------------------------- */

err_t db_instance_lock(struct db *db, struct arena *a, const struct find *instance, struct instance_locked *ret)
{
    struct db_args in;
    bool found;
    instance_args(&in, a, instance);
    *ret = (struct instance_locked){.allocation_policy = POLICY_ABSENT};
    return db_first(db, SQL_INSTANCE_LOCK, &in, DB_ONCE, &found, ret, sizeof *ret);
}

DB_ROW(tenant_holds, struct tenant_holds, COL(struct tenant_holds, instances, I64),
       COL(struct tenant_holds, links, I64));

err_t db_tenant_holds(struct db *db, struct arena *a, const struct uuid *tenant, struct tenant_holds *ret)
{
    struct db_args in;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    TRY(db_run(db, (struct db_call[]){{SQL_TENANT_LOCK, &in}, {SQL_TENANT_HOLDS, &in}}, 2, DB_ONCE, r.of));
    rows_read(r.of[1], 0, a, ret, sizeof *ret);
    return NULL;
}

err_t db_instance_insert(struct db *db, struct arena *a, const struct find *instance, const struct instance_row *i,
                         bool *ret_issued)
{
    struct db_args in;
    struct scope issued;
    instance_args(&in, a, instance);
    db_text(&in, i->name);
    db_text(&in, i->id_scope);
    db_text(&in, i->id_scope_text);
    db_text(&in, i->location);
    db_row_args(&in, &db_row_details, i);
    return db_first(db, SQL_INSTANCE_INSERT, &in, DB_ONCE, ret_issued, &issued, sizeof issued);
}

/* Tenant and ID scope: what the statements of an instance that is locked begin with. */
static void locked_args(struct db_args *in, struct arena *a, const struct uuid *tenant, struct str id_scope)
{
    db_args_init(in, a);
    db_uuid(in, tenant);
    db_text(in, id_scope);
}

err_t db_instance_update(struct db *db, struct arena *a, const struct uuid *tenant, const struct instance_row *i)
{
    struct db_args in;
    locked_args(&in, a, tenant, i->id_scope);
    db_row_args(&in, &db_row_details, i);
    return db_do(db, SQL_INSTANCE_UPDATE, &in, DB_ONCE);
}

err_t db_instance_policy_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                             const struct policy_row *policies, size_t count)
{
    struct db_args in;
    locked_args(&in, a, tenant, id_scope);
    db_policy_args(&in, policies, count);
    return db_do(db, SQL_INSTANCE_POLICY_PUT, &in, DB_ONCE);
}

err_t db_scope_touch(struct db *db, struct arena *a, struct str id_scope, bool inputs_changed)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_bool(&in, inputs_changed);
    return db_do(db, SQL_SCOPE_TOUCH, &in, DB_ONCE);
}

err_t db_linked_target(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key, bool *ret_there,
                       struct linked_target *ret)
{
    struct db_args in;
    instance_args(&in, a, hub);
    db_text(&in, key_name_key);
    return db_first(db, SQL_LINKED_TARGET, &in, DB_ONCE, ret_there, ret, sizeof *ret);
}

err_t db_linked_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                    const struct linked_row *links, size_t count)
{
    struct db_args in;
    locked_args(&in, a, tenant, id_scope);
    db_array_args(&in, &db_row_linked_put, links, count);
    return db_do(db, SQL_LINKED_PUT, &in, DB_ONCE);
}

err_t db_linked_jobs(struct db *db, struct arena *a, struct str id_scope, int64_t ahead_ms, const struct str *hosts,
                     size_t count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text_array(&in, hosts, count);
    db_i64(&in, ahead_ms);
    return db_do(db, SQL_LINKED_JOBS, &in, DB_ONCE);
}
