/* resource.c: places, resource groups, and what hubs and instances share. It must never answer for another tenant. */
#include "db/resource.h"

#include <assert.h>
#include <string.h>

DB_ROW(place, struct place_found, COL(struct place_found, subscription, BOOL), COL(struct place_found, group, TEXT));
DB_ROW(policy, struct policy_row, COL(struct policy_row, key_name, TEXT), COL(struct policy_row, rights, I32),
       COL(struct policy_row, primary_sealed, BYTEA), COL(struct policy_row, secondary_sealed, BYTEA));

DB_ROW(resource_group, struct group_row, COL(struct group_row, name, TEXT), COL(struct group_row, location, TEXT),
       COL(struct group_row, tags, JSON));
struct written {
    struct group_row group;
    bool created;
};
DB_ROW(group_written, struct written, COL(struct written, group.name, TEXT), COL(struct written, group.location, TEXT),
       COL(struct written, group.tags, JSON), COL(struct written, created, BOOL));

struct answer {
    bool taken;
};
DB_ROW(name_taken, struct answer, COL(struct answer, taken, BOOL));

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
                struct place_found *ret_found, struct rows_set *ret)
{
    struct db_args in;
    struct db_call all[DB_CALLS_MAX] = {{SQL_PLACE, &in}};
    assert(count < DB_CALLS_MAX);
    db_place_args(&in, a, at);
    memcpy(all + 1, calls, count * sizeof *calls);
    TRY(db_run(db, all, count + 1, DB_ONCE, ret->of));
    rows_read(ret->of[0], 0, a, ret_found, sizeof *ret_found);
    return NULL;
}

err_t db_placed_page(struct db *db, enum sql_id statement, struct arena *a, const struct find *f,
                     struct place_found *ret_found, void *ret_array, size_t size, size_t *ret_count, bool *ret_more)
{
    struct db_args in;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    db_find_args(&in, a, f);
    TRY(db_placed(db, a, f->at, &(struct db_call){statement, &in}, 1, ret_found, &r));
    db_page(r.of[1], a, ret_array, size, ret_count, ret_more);
    return NULL;
}

err_t db_place(struct db *db, struct arena *a, const struct place *at, struct place_found *ret_found)
{
    struct db_args in;
    bool found;
    db_place_args(&in, a, at);
    return db_first(db, SQL_PLACE, &in, DB_ONCE, &found, ret_found, sizeof *ret_found);
}

void db_policy_args(struct db_args *in, const struct policy_row *policies, size_t count)
{
    db_array_args(in, &db_row_policy, policies, count);
}

err_t db_group_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                    struct group_row **ret, size_t *ret_count, bool *ret_more)
{
    return db_placed_page(db, SQL_GROUP_FIND, a, f, ret_found, ret, sizeof **ret, ret_count, ret_more);
}

err_t db_group_put(struct db *db, struct arena *a, const struct place *at, const struct group_row *g,
                   struct place_found *ret_found, bool *ret_written, bool *ret_created, struct group_row *ret)
{
    struct db_args in;
    struct written w = {.created = false};
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    db_place_args(&in, a, at);
    db_row_args(&in, &db_row_resource_group, g);
    TRY(db_placed(db, a, at, &(struct db_call){SQL_GROUP_PUT, &in}, 1, ret_found, &r));
    *ret_written = rows_count(r.of[1]) == 1;
    if (*ret_written)
        rows_read(r.of[1], 0, a, &w, sizeof w);
    *ret_created = w.created;
    *ret = w.group;
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
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    return db_placed(db, a, at, calls, 4, ret_found, &r);
}

err_t db_name_take(struct db *db, struct arena *a, const char *kind, struct str name_key, bool *ret_taken)
{
    struct db_args in;
    struct answer answer;
    bool found;
    db_args_init(&in, a);
    db_text(&in, str_of(kind));
    db_text(&in, name_key);
    TRY(db_first(db, SQL_NAME_TAKE, &in, DB_ONCE, &found, &answer, sizeof answer));
    *ret_taken = answer.taken;
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
