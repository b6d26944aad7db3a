/* resource.c: places, resource groups, and what hubs and instances share. It must never answer for another tenant. */
#include "db/resource.h"

#include <string.h>

void db_place_args(struct db_args *in, struct arena *a, const struct place *at)
{
    db_args_init(in, a);
    db_uuid(in, &at->tenant_id);
    db_uuid(in, &at->subscription_id);
    db_text(in, at->group_key);
}

void db_find_args(struct db_args *in, struct arena *a, const struct find *f)
{
    db_place_args(in, a, f->at);
    db_text(in, f->name_key);
    db_text(in, f->after);
    db_i64(in, DB_PAGE + 1);
}

err_t db_placed(struct db *db, struct arena *a, const struct place *at, const struct db_call *calls, size_t count,
                struct place_found *ret_found, struct rows **ret_rows)
{
    struct db_args in;
    struct db_call all[DB_CALLS_MAX];
    struct rows *rows[DB_CALLS_MAX];
    db_place_args(&in, a, at);
    all[0] = (struct db_call){SQL_PLACE, &in};
    memcpy(all + 1, calls, count * sizeof *calls);
    TRY(db_run(db, all, count + 1, DB_ONCE, rows));
    *ret_found = (struct place_found){row_bool(rows[0], 0, 0), row_text(rows[0], 0, 1, a)};
    rows_free(rows[0]);
    for (size_t i = 0; i < count; i++)
        ret_rows[i] = rows[i + 1];
    return NULL;
}

err_t db_place(struct db *db, struct arena *a, const struct place *at, struct place_found *ret_found)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_place_args(&in, a, at);
    TRY(db_call(db, SQL_PLACE, &in, DB_ONCE, &rows));
    *ret_found = (struct place_found){row_bool(rows, 0, 0), row_text(rows, 0, 1, a)};
    return NULL;
}

void db_policy_args(struct db_args *in, struct arena *a, const struct policy_row *policies, size_t count)
{
    struct str *names = ARENA_NEW_ARRAY(a, count, struct str);
    int32_t *rights = ARENA_NEW_ARRAY(a, count, int32_t);
    struct bytes *primary = ARENA_NEW_ARRAY(a, count, struct bytes),
                 *secondary = ARENA_NEW_ARRAY(a, count, struct bytes);
    for (size_t i = 0; i < count; i++) {
        names[i] = policies[i].key_name;
        rights[i] = policies[i].rights;
        primary[i] = policies[i].primary_sealed;
        secondary[i] = policies[i].secondary_sealed;
    }
    db_text_array(in, names, count);
    db_i32_array(in, rights, count);
    db_bytea_array(in, primary, count);
    db_bytea_array(in, secondary, count);
}

size_t db_policy_rows(const struct rows *rows, struct arena *a, struct policy_row **ret)
{
    size_t count = rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, count, struct policy_row);
    for (size_t i = 0; i < count; i++)
        (*ret)[i] = (struct policy_row){row_text(rows, i, 0, a), (int)row_i64(rows, i, 1), row_bytea(rows, i, 2, a),
                                        row_bytea(rows, i, 3, a)};
    return count;
}

static struct group_row read_group(const struct rows *rows, size_t row, struct arena *a)
{
    return (struct group_row){row_text(rows, row, 0, a), row_text(rows, row, 1, a), row_text(rows, row, 2, a)};
}

err_t db_group_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                    struct group_row **ret, size_t *ret_count, bool *ret_more)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_uuid(&in, &f->at->tenant_id);
    db_uuid(&in, &f->at->subscription_id);
    db_text(&in, f->name_key);
    db_text(&in, f->after);
    db_i64(&in, DB_PAGE + 1);
    TRY(db_placed(db, a, f->at, &(struct db_call){SQL_GROUP_FIND, &in}, 1, ret_found, &rows));
    *ret_more = rows_count(rows) > DB_PAGE;
    *ret_count = *ret_more ? DB_PAGE : rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct group_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = read_group(rows, i, a);
    return NULL;
}

err_t db_group_put(struct db *db, struct arena *a, const struct place *at, const struct group_row *g,
                   struct place_found *ret_found, bool *ret_written, bool *ret_created, struct group_row *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_place_args(&in, a, at);
    db_text(&in, g->name);
    db_text(&in, g->location);
    db_json(&in, g->tags);
    TRY(db_placed(db, a, at, &(struct db_call){SQL_GROUP_PUT, &in}, 1, ret_found, &rows));
    *ret_written = rows_count(rows) == 1;
    if (*ret_written) {
        *ret_created = row_bool(rows, 0, 3);
        *ret = read_group(rows, 0, a);
    }
    return NULL;
}

err_t db_group_delete(struct db *db, struct arena *a, const struct place *at, struct str host_tail,
                      struct place_found *ret_found)
{
    const struct str all = {NULL, 0};
    struct db_args group, instances, hubs;
    db_place_args(&group, a, at);
    db_place_args(&instances, a, at);
    db_text(&instances, all);
    db_text(&instances, all);
    db_place_args(&hubs, a, at);
    db_text(&hubs, all);
    db_text(&hubs, all);
    db_text(&hubs, host_tail);
    const struct db_call calls[] = {{SQL_GROUP_LOCK, &group},
                                    {SQL_INSTANCE_DELETE, &instances},
                                    {SQL_HUB_DELETE, &hubs},
                                    {SQL_GROUP_DELETE, &group}};
    struct rows *rows[4];
    TRY(db_placed(db, a, at, calls, 4, ret_found, rows));
    for (int i = 0; i < 4; i++)
        rows_free(rows[i]);
    return NULL;
}

err_t db_name_take(struct db *db, struct arena *a, const char *kind, struct str name_key, bool *ret_taken)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_text(&in, str_of(kind));
    db_text(&in, name_key);
    TRY(db_call(db, SQL_NAME_TAKE, &in, DB_ONCE, &rows));
    *ret_taken = row_bool(rows, 0, 0);
    return NULL;
}

err_t db_group_hold(struct db *db, struct arena *a, const struct place *at, bool *ret_there)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_place_args(&in, a, at);
    TRY(db_call(db, SQL_GROUP_HOLD, &in, DB_ONCE, &rows));
    *ret_there = rows_count(rows) == 1;
    return NULL;
}
