/* lock.c: the statements of db/sql/lock.sql as typed calls. It must not decide what a lock forbids to whom. */
#include "db/lock.h"

#include "core/model.h"

DB_ROW(lock_scope, struct lock_scope, COL(path), COL(group), COL(hub), COL(id_scope));
DB_ROW(lock, struct lock_row, COL(name), COL(path), COL_WORD(level, lock_level_words), COL(notes), COL(key));
struct created {
    bool created;
    int64_t noted;
};
DB_ROW(lock_created, struct created, COL(created), COL(noted));
DB_VALUE(lock_path, struct str, path);
DB_PARAMS(lock_at, struct lock_at, COL(at.tenant_id), COL(at.subscription_id), COL(at.group_key), COL(hub_key),
          COL(instance_key));
DB_PARAMS(lock_find, struct lock_find, COL(place), COL(beneath), COL(name_key), COL(after));
DB_PARAMS(lock_on, struct lock_scope, COL(path), COL(group), COL(hub), COL(id_scope));
DB_PARAMS(lock_put, struct lock_row, COL(name), COL_WORD(level, lock_level_words), COL(notes));

err_t db_lock_find(struct db *db, struct arena *a, const struct lock_at *at, const struct lock_find *f,
                   struct place_found *ret_found, bool *ret_there, struct lock_row **ret, size_t *ret_count,
                   bool *ret_more)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(SQL_LOCK_SCOPE, DB_MEMBERS(lock_at, at)),
        DB_CALL(SQL_LOCK_FIND, db_uuid(&at->at.tenant_id), DB_MEMBERS(lock_find, f), db_i64(db_page_rows(f->most) + 1)),
    };
    TRY(db_placed(db, a, &at->at, calls, 2, ret_found, &r));
    *ret_there = rows_count(r.of[1]) > 0;
    rows_all(r.of[2], a, ret, sizeof **ret, ret_count);
    *ret_more = db_page(f->most, ret_count);
    return NULL;
}

err_t db_lock_scope(struct db *db, struct arena *a, const struct lock_at *at, struct place_found *ret_found,
                    bool *ret_there, struct lock_scope *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(SQL_LOCK_SCOPE, DB_MEMBERS(lock_at, at));
    TRY(db_placed(db, a, &at->at, &call, 1, ret_found, &r));
    *ret_there = rows_first(r.of[1], a, ret, sizeof *ret);
    return NULL;
}

err_t db_lock_put(struct db *db, struct arena *a, const struct place *at, const struct lock_scope *on,
                  const struct lock_row *row, bool *ret_created)
{
    struct created created;
    TRY(db_one(db, a,
               DB_CALL(SQL_LOCK_PUT, db_uuid(&at->tenant_id), db_uuid(&at->subscription_id), DB_MEMBERS(lock_on, on),
                       DB_MEMBERS(lock_put, row)),
               DB_ONCE, &created, sizeof created));
    *ret_created = created.created;
    return NULL;
}

err_t db_lock_delete(struct db *db, struct arena *a, const struct uuid *tenant, struct str place, struct str name_key,
                     bool *ret_gone)
{
    int64_t rows;
    TRY(db_count(db, a, DB_CALL(SQL_LOCK_DELETE, db_uuid(tenant), db_text(place), db_text(name_key)), DB_ONCE, &rows));
    *ret_gone = rows > 0;
    return NULL;
}

err_t db_lock_over(struct db *db, struct arena *a, const struct uuid *tenant, struct str place, bool deletes,
                   struct str *ret)
{
    *ret = (struct str){NULL, 0};
    return db_first(db, a, DB_CALL(SQL_LOCK_OVER, db_uuid(tenant), db_text(place), db_bool(deletes)), DB_REPEATABLE,
                    NULL, ret, sizeof *ret);
}
