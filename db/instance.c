/* instance.c: provisioning service instances and their linked hubs as the management plane sees them. It must never
 * open a sealed value, nor touch what devices do. */
#include "db/instance.h"

#include "db/word.h"

static struct instance_row read_instance(const struct rows *r, size_t i, struct arena *a)
{
    return (struct instance_row){
        .name = row_text(r, i, 0, a),
        .group = row_text(r, i, 1, a),
        .subscription_id = row_uuid(r, i, 2),
        .id_scope = row_text(r, i, 3, a),
        .id_scope_text = row_text(r, i, 4, a),
        .location = row_text(r, i, 5, a),
        .tags = row_text(r, i, 6, a),
        .sku_capacity = row_i64(r, i, 7),
        .allocation_policy = word_number(policy_words, row_view(r, i, 8)),
        .properties = row_text(r, i, 9, a),
        .etag = row_uuid(r, i, 10),
    };
}

static struct linked_row read_linked(const struct rows *r, size_t i, struct arena *a)
{
    return (struct linked_row){
        .id_scope = row_text(r, i, 0, a),
        .host = row_text(r, i, 1, a),
        .host_name = row_text(r, i, 2, a),
        .location = row_text(r, i, 3, a),
        .hub_key = row_text(r, i, 4, a),
        .key_name = row_text(r, i, 5, a),
        .primary_sealed = row_bytea(r, i, 6, a),
        .weight = row_i64(r, i, 7),
        .apply = row_null(r, i, 8)   ? TRI_ABSENT
                 : row_bool(r, i, 8) ? TRI_TRUE
                                     : TRI_FALSE,
        .state = word_number(link_state_words, row_view(r, i, 9)),
        .reason = row_text(r, i, 10, a),
        .state_since_us = row_time(r, i, 11),
        .last_good_us = row_time(r, i, 12),
        .hub_subscription = row_uuid(r, i, 13),
        .hub_group = row_text(r, i, 14, a),
        .hub_name = row_text(r, i, 15, a),
    };
}

err_t db_linked_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct str *id_scopes,
                     size_t scope_count, struct str host, struct linked_row **ret, size_t *ret_count)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    db_text_array(&in, id_scopes, scope_count);
    db_text(&in, host);
    TRY(db_call(db, SQL_LINKED_FIND, &in, DB_REPEATABLE, &rows));
    *ret_count = rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct linked_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = read_linked(rows, i, a);
    return NULL;
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
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_find_args(&in, a, f);
    TRY(db_placed(db, a, f->at, &(struct db_call){SQL_INSTANCE_FIND, &in}, 1, ret_found, &rows));
    *ret_more = rows_count(rows) > DB_PAGE;
    *ret_count = *ret_more ? DB_PAGE : rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct instance_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = read_instance(rows, i, a);
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
    struct rows *rows[2];
    db_find_args(&find, a, instance);
    instance_args(&in, a, instance);
    db_text(&in, key_name_key);
    TRY(db_placed(db, a, instance->at, (struct db_call[]){{SQL_INSTANCE_FIND, &find}, {SQL_INSTANCE_POLICY_FIND, &in}},
                  2, ret_found, rows));
    *ret_id_scope = rows_count(rows[0]) ? row_text(rows[0], 0, 3, a) : (struct str){NULL, 0};
    *ret_count = db_policy_rows(rows[1], a, ret);
    rows_free(rows[0]);
    rows_free(rows[1]);
    return NULL;
}

err_t db_instance_delete(struct db *db, struct arena *a, const struct find *instance, struct str etag,
                         struct place_found *ret_found, struct str *ret_id_scope)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    instance_args(&in, a, instance);
    db_text(&in, etag);
    TRY(db_placed(db, a, instance->at, &(struct db_call){SQL_INSTANCE_DELETE, &in}, 1, ret_found, &rows));
    *ret_id_scope = rows_count(rows) ? row_text(rows, 0, 0, a) : (struct str){NULL, 0};
    return NULL;
}

err_t db_linked_latency(struct db *db, struct arena *a, const struct str *hosts, size_t host_count,
                        struct latency_row **ret, size_t *ret_count)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_text_array(&in, hosts, host_count);
    TRY(db_call(db, SQL_LINKED_LATENCY_FIND, &in, DB_REPEATABLE, &rows));
    *ret_count = rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct latency_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = (struct latency_row){row_text(rows, i, 0, a), row_text(rows, i, 1, a), row_i64(rows, i, 2),
                                         row_i64(rows, i, 3),     row_i64(rows, i, 4),     row_time(rows, i, 5)};
    return NULL;
}

/* --- inside of a transaction -------------------------------------------------------------------------------------- */

err_t db_instance_lock(struct db *db, struct arena *a, const struct find *instance, struct instance_locked *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    instance_args(&in, a, instance);
    TRY(db_call(db, SQL_INSTANCE_LOCK, &in, DB_ONCE, &rows));
    *ret = (struct instance_locked){0};
    if (rows_count(rows))
        *ret = (struct instance_locked){row_text(rows, 0, 0, a), row_text(rows, 0, 1, a), row_uuid(rows, 0, 2),
                                        word_number(policy_words, row_view(rows, 0, 3))};
    return NULL;
}

err_t db_tenant_holds(struct db *db, struct arena *a, const struct uuid *tenant, struct tenant_holds *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    TRY(db_call(db, SQL_TENANT_HOLDS, &in, DB_ONCE, &rows));
    *ret = (struct tenant_holds){row_i64(rows, 0, 0), row_i64(rows, 0, 1)};
    return NULL;
}

err_t db_scope_issue(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope, bool *ret_issued)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_uuid(&in, tenant);
    TRY(db_call(db, SQL_SCOPE_ISSUE, &in, DB_ONCE, &rows));
    *ret_issued = rows_count(rows) == 1;
    return NULL;
}

static void details(struct db_args *in, const struct instance_row *i)
{
    db_json(in, i->tags);
    db_i64(in, i->sku_capacity);
    db_text(in, word_text(policy_words, i->allocation_policy));
    db_json(in, i->properties);
}

err_t db_instance_insert(struct db *db, struct arena *a, const struct find *instance, const struct instance_row *i)
{
    struct db_args in;
    instance_args(&in, a, instance);
    db_text(&in, i->name);
    db_text(&in, i->id_scope);
    db_text(&in, i->id_scope_text);
    db_text(&in, i->location);
    details(&in, i);
    return db_call(db, SQL_INSTANCE_INSERT, &in, DB_ONCE, NULL);
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
    details(&in, i);
    return db_call(db, SQL_INSTANCE_UPDATE, &in, DB_ONCE, NULL);
}

err_t db_instance_policy_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                             const struct policy_row *policies, size_t count)
{
    struct db_args in;
    locked_args(&in, a, tenant, id_scope);
    db_policy_args(&in, a, policies, count);
    return db_call(db, SQL_INSTANCE_POLICY_PUT, &in, DB_ONCE, NULL);
}

err_t db_scope_touch(struct db *db, struct arena *a, struct str id_scope, bool inputs_changed)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_bool(&in, inputs_changed);
    return db_call(db, SQL_SCOPE_TOUCH, &in, DB_ONCE, NULL);
}

err_t db_linked_target(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key, bool *ret_there,
                       struct linked_target *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    instance_args(&in, a, hub);
    db_text(&in, key_name_key);
    TRY(db_call(db, SQL_LINKED_TARGET, &in, DB_ONCE, &rows));
    *ret_there = rows_count(rows) == 1;
    if (*ret_there)
        *ret = (struct linked_target){row_text(rows, 0, 0, a), row_text(rows, 0, 1, a), row_text(rows, 0, 2, a),
                                      (int)row_i64(rows, 0, 3)};
    return NULL;
}

err_t db_linked_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                    const struct linked_row *links, size_t count)
{
    struct str *texts[4];
    for (int c = 0; c < 4; c++)
        texts[c] = ARENA_NEW_ARRAY(a, count, struct str);
    struct bytes *keys = ARENA_NEW_ARRAY(a, count, struct bytes);
    int32_t *weights = ARENA_NEW_ARRAY(a, count, int32_t), *applies = ARENA_NEW_ARRAY(a, count, int32_t);
    for (size_t i = 0; i < count; i++) {
        const struct linked_row *l = &links[i];
        const struct str row[] = {l->host_name, l->location, l->hub_key, l->key_name};
        for (int c = 0; c < 4; c++)
            texts[c][i] = row[c];
        keys[i] = l->primary_sealed;
        weights[i] = (int32_t)l->weight;
        applies[i] = (int32_t)l->apply;
    }
    struct db_args in;
    locked_args(&in, a, tenant, id_scope);
    for (int c = 0; c < 4; c++)
        db_text_array(&in, texts[c], count);
    db_bytea_array(&in, keys, count);
    db_i32_array(&in, weights, count);
    db_i32_array(&in, applies, count);
    return db_call(db, SQL_LINKED_PUT, &in, DB_ONCE, NULL);
}

err_t db_linked_jobs(struct db *db, struct arena *a, struct str id_scope, const struct str *hosts, size_t count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text_array(&in, hosts, count);
    return db_call(db, SQL_LINKED_JOBS, &in, DB_ONCE, NULL);
}
