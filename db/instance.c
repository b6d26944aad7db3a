/* instance.c: provisioning service instances and their linked hubs as the management plane sees them. It must never
 * open a sealed value, nor touch what devices do. */
#include "db/instance.h"

#define DETAIL_COLS                                                                                                    \
    COL_JSON(is.tags), COL(sku_capacity), COL_WORD(allocation_policy, policy_words), COL_JSON(is.properties),          \
        COL_JSON(is.network), COL_WORD(existing_device, existing_device_words)
#define LINK_COLS                                                                                                      \
    COL(host_name), COL(location), COL(hub_key), COL(key_name), COL(primary_sealed), COL(secondary_key_name),          \
        COL(secondary_sealed), COL(weight), COL(apply)

DB_PARAMS(details, struct instance_row, DETAIL_COLS);
DB_ROW(instance, struct instance_row, COL(is.name), COL(is.group), COL(is.subscription_id), COL(id_scope),
       COL(id_scope_text), COL(is.location), DETAIL_COLS, COL(is.etag));
DB_ROW(instance_locked, struct instance_locked, COL(id_scope), COL(location), COL_JSON(tags), COL(sku_capacity),
       COL_JSON(properties), COL_JSON(network), COL(etag), COL_WORD(allocation_policy, policy_words),
       COL_WORD(existing_device, existing_device_words));
DB_VALUE(id_scope, struct str, id_scope);
DB_ROW(tenant_holds, struct tenant_holds, COL(instances), COL(links), COL(of_subscription), COL(limit_names),
       COL(limits));

DB_PARAMS(linked_put, struct linked_row, LINK_COLS);
DB_ROW(linked, struct linked_row, COL(id_scope), COL(host), LINK_COLS, COL(etag), COL_WORD(state, link_state_words),
       COL(reason), COL_TIME(state_since_us, "state_since"), COL_TIME(last_good_us, "last_good_at"),
       COL(hub_subscription), COL(hub_group), COL(hub_name));
DB_ROW(linked_elsewhere, struct linked_elsewhere, COL(host), COL(instances), COL(by_others));
DB_ROW(linked_named, struct linked_named, COL(key), COL(of_group), COL(registration_id), COL(enabled));
DB_PARAMS(linked_named_page, struct linked_named_page, COL(tenant_id), COL(id_scope), COL(host), COL(after));
DB_VALUE(linked_named_count, int64_t, enrollments);
DB_ROW(linked_target, struct linked_target, COL(hub_name), COL(location), COL(key_name), COL(rights));
DB_ROW(latency, struct latency_row, COL(host), COL(region), COL(p50_us), COL(p95_us), COL(count),
       COL_TIME(measured_us, "measured_at"));

err_t db_linked_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct str *id_scopes,
                     size_t scope_count, struct str host, struct linked_row **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LINKED_FIND, db_uuid(tenant), db_texts(id_scopes, scope_count), db_text(host)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_linked_elsewhere(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                          struct str suffix, struct linked_elsewhere **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LINKED_ELSEWHERE, db_uuid(tenant), db_text(id_scope), db_text(suffix)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
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
    return *ret_count ? add_links(db, a, &f->at.tenant_id, *ret, *ret_count) : NULL;
}

err_t db_instance_policies(struct db *db, struct arena *a, const struct find *instance, struct str key_name_key,
                           struct place_found *ret_found, struct str *ret_id_scope, struct policy_row **ret,
                           size_t *ret_count)
{
    struct instance_row found;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(SQL_INSTANCE_FIND, db_find_in(instance), db_i64(1)),
        DB_CALL(SQL_INSTANCE_POLICY_FIND, db_named_in(instance), db_text(key_name_key)),
    };
    TRY(db_placed(db, a, &instance->at, calls, 2, ret_found, &r));
    (void)rows_first(r.of[1], a, &found, sizeof found);
    *ret_id_scope = found.id_scope;
    rows_all(r.of[2], a, ret, sizeof **ret, ret_count);
    return NULL;
}

err_t db_instance_delete(struct db *db, struct arena *a, const struct find *instance, struct str etag,
                         int64_t undelete_s, struct place_found *ret_found, struct str *ret_id_scope)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(SQL_INSTANCE_DELETE, db_named_in(instance), db_text(etag), db_i64(undelete_s));
    TRY(db_placed(db, a, &instance->at, &call, 1, ret_found, &r));
    (void)rows_first(r.of[1], a, ret_id_scope, sizeof *ret_id_scope);
    return NULL;
}

err_t db_linked_latency(struct db *db, struct arena *a, const struct str *hosts, size_t host_count,
                        struct latency_row **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LINKED_LATENCY_FIND, db_texts(hosts, host_count)), DB_REPEATABLE, ret,
                  sizeof **ret, ret_count);
}

err_t db_linked_named(struct db *db, struct arena *a, const struct linked_named_page *page, struct linked_named **ret,
                      size_t *ret_count, bool *ret_more)
{
    TRY(db_all(db, a,
               DB_CALL(SQL_LINKED_NAMED, DB_MEMBERS(linked_named_page, page), db_i64(db_page_rows(page->most) + 1)),
               DB_REPEATABLE, ret, sizeof **ret, ret_count));
    *ret_more = db_page(page->most, ret_count);
    return NULL;
}

err_t db_linked_named_count(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                            const struct str *hosts, size_t count, int64_t *ret)
{
    *ret = 0;
    return db_first(db, a, DB_CALL(SQL_LINKED_NAMED_COUNT, db_uuid(tenant), db_text(id_scope), db_texts(hosts, count)),
                    DB_REPEATABLE, NULL, ret, sizeof *ret);
}

/* --- inside of a transaction -------------------------------------------------------------------------------------- */

err_t db_instance_lock(struct db *db, struct arena *a, const struct find *instance, struct instance_locked *ret)
{
    return db_first(db, a, DB_CALL(SQL_INSTANCE_LOCK, db_named_in(instance)), DB_ONCE, NULL, ret, sizeof *ret);
}

err_t db_tenant_holds(struct db *db, struct arena *a, const struct place *at, struct tenant_holds *ret)
{
    const struct db_call calls[] = {DB_CALL(SQL_TENANT_LOCK, db_uuid(&at->tenant_id)),
                                    DB_CALL(SQL_TENANT_HOLDS, db_uuid(&at->tenant_id), db_uuid(&at->subscription_id))};
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    TRY(db_run(db, a, calls, 2, DB_ONCE, r.of));
    rows_read(r.of[1], 0, a, ret, sizeof *ret);
    return NULL;
}

err_t db_place_holds(struct db *db, struct arena *a, const struct place *at, struct tenant_holds *ret)
{
    return db_one(db, a, DB_CALL(SQL_TENANT_HOLDS, db_uuid(&at->tenant_id), db_uuid(&at->subscription_id)),
                  DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_instance_insert(struct db *db, struct arena *a, const struct find *instance, const struct instance_row *i,
                         bool *ret_issued)
{
    int64_t rows;
    TRY(db_count(db, a,
                 DB_CALL(SQL_INSTANCE_INSERT, db_named_in(instance), db_text(i->is.name), db_text(i->id_scope),
                         db_text(i->id_scope_text), db_text(i->is.location), DB_MEMBERS(details, i)),
                 DB_ONCE, &rows));
    *ret_issued = rows == 1;
    return NULL;
}

err_t db_instance_update(struct db *db, struct arena *a, const struct uuid *tenant, const struct instance_row *i,
                         bool changed)
{
    return db_do(
        db, a,
        DB_CALL(SQL_INSTANCE_UPDATE, db_uuid(tenant), db_text(i->id_scope), DB_MEMBERS(details, i), db_bool(changed)),
        DB_ONCE);
}

err_t db_instance_policy_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                             const struct policy_row *policies, size_t count)
{
    return db_do(
        db, a, DB_CALL(SQL_INSTANCE_POLICY_PUT, db_uuid(tenant), db_text(id_scope), DB_ARRAYS(policy, policies, count)),
        DB_ONCE);
}

err_t db_scope_touch(struct db *db, struct arena *a, struct str id_scope, bool inputs_changed)
{
    return db_do(db, a, DB_CALL(SQL_SCOPE_TOUCH, db_text(id_scope), db_bool(inputs_changed)), DB_ONCE);
}

err_t db_linked_target(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key, bool *ret_there,
                       struct linked_target *ret)
{
    return db_first(db, a, DB_CALL(SQL_LINKED_TARGET, db_named_in(hub), db_text(key_name_key)), DB_ONCE, ret_there, ret,
                    sizeof *ret);
}

err_t db_linked_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                    const struct linked_row *links, size_t count)
{
    return db_do(db, a,
                 DB_CALL(SQL_LINKED_PUT, db_uuid(tenant), db_text(id_scope), DB_ARRAYS(linked_put, links, count)),
                 DB_ONCE);
}

err_t db_linked_note(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope, struct str host,
                     const char *change, bool differs)
{
    return db_do(db, a,
                 DB_CALL(SQL_LINKED_NOTE, db_uuid(tenant), db_text(id_scope), db_text(host), db_text(str_of(change)),
                         db_bool(differs)),
                 DB_ONCE);
}

err_t db_linked_jobs(struct db *db, struct arena *a, struct str id_scope, int64_t ahead_ms, const struct str *hosts,
                     size_t count)
{
    return db_do(db, a, DB_CALL(SQL_LINKED_JOBS, db_text(id_scope), db_texts(hosts, count), db_i64(ahead_ms)), DB_ONCE);
}

err_t db_instance_retag(struct db *db, struct arena *a, const struct find *instance, struct str etag, struct str tags,
                        struct place_found *ret_found, bool *ret_done)
{
    return db_placed_retag(db, SQL_INSTANCE_RETAG, a, instance, etag, tags, ret_found, ret_done);
}
