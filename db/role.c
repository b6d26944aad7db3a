/* role.c: role assignments. It must never answer for another tenant, nor judge who may ask. */
#include "db/role.h"

#include "core/model.h"
#include "db/tenancy.h"

DB_ROW(role, struct role_row, COL(assignment_id), COL(client_id), COL_WORD(role, role_words), COL(scope_key),
       COL(scope), COL(description), COL(created_by), COL_TIME(created_us, "created_at"));
DB_ROW(role_target, struct role_target, COL(principal), COL(resource), COL(held));
DB_VALUE(role_unowned, bool, unowned);
DB_PARAMS(new_role, struct role_row, COL(assignment_id), COL(client_id), COL_WORD(role, role_words), COL(scope_key),
          COL(scope), COL(description), COL(created_by));

err_t db_role_find(struct db *db, struct arena *a, const struct role_find *f, struct role_row **ret, size_t *ret_count,
                   bool *ret_more)
{
    TRY(db_all(db, a,
               DB_CALL(SQL_ROLE_FIND, db_uuid(&f->tenant), db_text(f->scope_key), db_uuid(f->id), db_uuid(f->client),
                       db_bool(f->below), db_uuid(f->after), db_i64(db_page_rows(f->most) + 1)),
               DB_REPEATABLE, ret, sizeof **ret, ret_count));
    *ret_more = db_page(f->most, ret_count);
    return NULL;
}

err_t db_role_lock(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *id, bool *ret_there,
                   struct role_row *ret)
{
    TRY(db_do(db, a, DB_CALL(SQL_TENANT_LOCK, db_uuid(tenant)), DB_ONCE));
    return db_first(db, a, DB_CALL(SQL_ROLE_GET, db_uuid(tenant), db_uuid(id)), DB_ONCE, ret_there, ret, sizeof *ret);
}

err_t db_role_target(struct db *db, struct arena *a, const struct uuid *tenant, const struct role_row *row,
                     struct str name_key, struct role_target *ret)
{
    return db_one(
        db, a,
        DB_CALL(SQL_ROLE_TARGET, db_uuid(tenant), db_uuid(&row->client_id), db_text(row->scope_key), db_text(name_key)),
        DB_ONCE, ret, sizeof *ret);
}

err_t db_role_insert(struct db *db, struct arena *a, const struct uuid *tenant, const struct role_row *row)
{
    return db_do(db, a, DB_CALL(SQL_ROLE_INSERT, db_uuid(tenant), DB_MEMBERS(new_role, row)), DB_ONCE);
}

err_t db_role_delete(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *id)
{
    return db_do(db, a, DB_CALL(SQL_ROLE_DELETE, db_uuid(tenant), db_uuid(id)), DB_ONCE);
}

err_t db_role_unowned(struct db *db, struct arena *a, const struct uuid *tenant, struct str scope_key, bool *ret)
{
    return db_one(db, a, DB_CALL(SQL_ROLE_UNOWNED, db_uuid(tenant), db_text(scope_key)), DB_ONCE, ret, sizeof *ret);
}
