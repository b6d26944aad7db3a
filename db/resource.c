/* resource.c: places, resource groups, and what hubs and instances share. It must never answer for another tenant. */
#include "db/resource.h"

#include <assert.h>
#include <string.h>

DB_ROW(place, struct place_found, COL(subscription), COL(group));
DB_ROW(policy, struct policy_row, COL(key_name), COL(rights), COL(primary_sealed), COL(secondary_sealed));
DB_ROW(resource_group, struct group_row, COL(name), COL(location), COL_JSON(tags));
struct written {
    struct group_row group;
    bool created;
};
DB_ROW(group_written, struct written, COL(group.name), COL(group.location), COL_JSON(group.tags), COL(created));
DB_PARAMS(group_guard, struct group_guard, COL(may_be_new), COL(may_be_there));
DB_VALUE(name_taken, bool, taken);
DB_VALUE(name_free, bool, free);

DB_VALUE(location, struct str, location);
DB_ROW(listed, struct listed_row, COL(kind), COL(is.name), COL(key), COL(is.group), COL(is.subscription_id),
       COL(is.location), COL_JSON(is.tags), COL(is.etag));
DB_PARAMS(listed_filter, struct listed_filter, COL(kind), COL(location), COL(tag.name), COL(tag.value));
DB_PARAMS(tag_filter, struct tag_filter, COL(name), COL(value));
DB_PARAMS(tags, struct group_row, COL_JSON(tags));

#define PLACE_COLS COL(at.tenant_id), COL(at.subscription_id), COL(at.group_key)
DB_PARAMS(at, struct place, COL(tenant_id), COL(subscription_id), COL(group_key));
DB_PARAMS(named, struct find, PLACE_COLS, COL(name_key));
DB_PARAMS(locked, struct find, COL(at.tenant_id), COL(name_key));
DB_PARAMS(find, struct find, PLACE_COLS, COL(name_key), COL(after), COL(readable));

struct db_in db_place_in(const struct place *at)
{
    return DB_MEMBERS(at, at);
}

struct db_in db_named_in(const struct find *f)
{
    return DB_MEMBERS(named, f);
}

struct db_in db_locked_in(const struct find *f)
{
    return DB_MEMBERS(locked, f);
}

struct db_in db_find_in(const struct find *f)
{
    return DB_MEMBERS(find, f);
}

err_t db_placed(struct db *db, struct arena *a, const struct place *at, const struct db_call *calls, size_t count,
                struct place_found *ret_found, struct rows_set *ret)
{
    struct db_call all[DB_CALLS_MAX] = {DB_CALL(SQL_PLACE, db_place_in(at))};
    assert(count < DB_CALLS_MAX);
    memcpy(all + 1, calls, count * sizeof *calls);
    TRY(db_run(db, a, all, count + 1, DB_ONCE, ret->of));
    (void)rows_first(ret->of[0], a, ret_found, sizeof *ret_found);
    return NULL;
}

err_t db_placed_page(struct db *db, enum sql_id statement, struct arena *a, const struct find *f,
                     struct place_found *ret_found, void *ret_array, size_t size, size_t *ret_count, bool *ret_more)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(statement, db_find_in(f), db_i64(db_page_rows(f->most) + 1));
    TRY(db_placed(db, a, &f->at, &call, 1, ret_found, &r));
    rows_all(r.of[1], a, ret_array, size, ret_count);
    *ret_more = db_page(f->most, ret_count);
    return NULL;
}

err_t db_placed_retag(struct db *db, enum sql_id statement, struct arena *a, const struct find *f, struct str etag,
                      struct str tags, struct place_found *ret_found, bool *ret_done)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct group_row written = {.tags = tags};
    const struct db_call call = DB_CALL(statement, db_named_in(f), db_text(etag), DB_MEMBERS(tags, &written));
    TRY(db_placed(db, a, &f->at, &call, 1, ret_found, &r));
    *ret_done = rows_count(r.of[1]) > 0;
    return NULL;
}

err_t db_place(struct db *db, struct arena *a, const struct place *at, struct place_found *ret_found)
{
    return db_one(db, a, DB_CALL(SQL_PLACE, db_place_in(at)), DB_ONCE, ret_found, sizeof *ret_found);
}

err_t db_group_find(struct db *db, struct arena *a, const struct find *f, const struct tag_filter *tag,
                    struct place_found *ret_found, struct group_row **ret, size_t *ret_count, bool *ret_more)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call =
        DB_CALL(SQL_GROUP_FIND, db_find_in(f), db_i64(db_page_rows(f->most) + 1), DB_MEMBERS(tag_filter, tag));
    TRY(db_placed(db, a, &f->at, &call, 1, ret_found, &r));
    rows_all(r.of[1], a, ret, sizeof **ret, ret_count);
    *ret_more = db_page(f->most, ret_count);
    return NULL;
}

err_t db_group_put(struct db *db, struct arena *a, const struct place *at, const struct group_row *g,
                   const struct group_guard *guard, struct place_found *ret_found, bool *ret_written, bool *ret_created,
                   struct group_row *ret)
{
    struct written w;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call =
        DB_CALL(SQL_GROUP_PUT, db_place_in(at), DB_MEMBERS(resource_group, g), DB_MEMBERS(group_guard, guard));
    TRY(db_placed(db, a, at, &call, 1, ret_found, &r));
    *ret_written = rows_first(r.of[1], a, &w, sizeof w);
    *ret_created = w.created;
    *ret = w.group;
    return NULL;
}

err_t db_group_retag(struct db *db, struct arena *a, const struct place *at, struct str was, struct str tags,
                     struct place_found *ret_found, bool *ret_done, struct group_row *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct group_row written = {.tags = tags};
    const struct db_call call = DB_CALL(SQL_GROUP_RETAG, db_place_in(at), DB_MEMBERS(tags, &written), db_text(was));
    TRY(db_placed(db, a, at, &call, 1, ret_found, &r));
    *ret_done = rows_first(r.of[1], a, ret, sizeof *ret);
    return NULL;
}

err_t db_group_delete(struct db *db, struct arena *a, const struct place *at, struct str host_tail, int64_t undelete_s,
                      struct place_found *ret_found)
{
    const struct db_in all = db_text((struct str){NULL, 0}), any_etag = all;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(SQL_GROUP_LOCK, db_place_in(at)),
        DB_CALL(SQL_INSTANCE_DELETE, db_place_in(at), all, any_etag, db_i64(undelete_s)),
        DB_CALL(SQL_HUB_DELETE, db_place_in(at), all, any_etag, db_text(host_tail)),
        DB_CALL(SQL_GROUP_DELETE, db_place_in(at)),
    };
    return db_placed(db, a, at, calls, 4, ret_found, &r);
}

err_t db_listed_find(struct db *db, struct arena *a, const struct find *f, const struct listed_filter *filter,
                     struct place_found *ret_found, struct listed_row **ret, size_t *ret_count, bool *ret_more)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call =
        DB_CALL(SQL_LISTED_FIND, db_find_in(f), db_i64(db_page_rows(f->most) + 1), DB_MEMBERS(listed_filter, filter));
    TRY(db_placed(db, a, &f->at, &call, 1, ret_found, &r));
    rows_all(r.of[1], a, ret, sizeof **ret, ret_count);
    *ret_more = db_page(f->most, ret_count);
    return NULL;
}

err_t db_location_find(struct db *db, struct arena *a, const struct place *at, struct str here,
                       struct place_found *ret_found, struct str **ret, size_t *ret_count)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(SQL_LOCATION_FIND, db_uuid(&at->tenant_id), db_uuid(&at->subscription_id),
                                        db_text(here), db_i64(DB_PAGE));
    TRY(db_placed(db, a, at, &call, 1, ret_found, &r));
    rows_all(r.of[1], a, ret, sizeof **ret, ret_count);
    return NULL;
}

err_t db_name_take(struct db *db, struct arena *a, const char *kind, struct str name_key, bool *ret_taken)
{
    return db_one(db, a, DB_CALL(SQL_NAME_TAKE, db_text(str_of(kind)), db_text(name_key)), DB_ONCE, ret_taken,
                  sizeof *ret_taken);
}

err_t db_name_free(struct db *db, struct arena *a, const struct place *at, const char *kind, struct str name_key,
                   struct place_found *ret_found, bool *ret_free)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(SQL_NAME_FREE, db_text(str_of(kind)), db_text(name_key));
    TRY(db_placed(db, a, at, &call, 1, ret_found, &r));
    *ret_free = false;
    (void)rows_first(r.of[1], a, ret_free, sizeof *ret_free);
    return NULL;
}

err_t db_group_hold(struct db *db, struct arena *a, const struct place *at, bool *ret_there)
{
    int64_t rows;
    TRY(db_count(db, a, DB_CALL(SQL_GROUP_HOLD, db_place_in(at)), DB_ONCE, &rows));
    *ret_there = rows == 1;
    return NULL;
}
