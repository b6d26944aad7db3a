/* inventory.c: the statements of db/sql/inventory.sql as typed calls. It must not decide when a hub is listed. */
#include "db/inventory.h"

DB_ROW(inventory, struct inventory, COL(devices), COL(moment), COL(round_is_old));

err_t db_inventory_schedule(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs)
{
    return db_count(db, a, DB_CALL(SQL_INVENTORY_SCHEDULE, db_i64(next_ms), db_i64(at_most)), DB_ONCE, ret_jobs);
}

err_t db_inventory_find(struct db *db, struct arena *a, struct str id_scope, struct str host, int64_t old_ms,
                        struct str began, struct inventory *ret)
{
    return db_one(db, a, DB_CALL(SQL_INVENTORY_FIND, db_text(id_scope), db_text(host), db_i64(old_ms), db_text(began)),
                  DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_inventory_page(struct db *db, struct arena *a, struct str id_scope, struct str host, struct str began,
                        const struct str *device_ids, size_t count)
{
    return db_do(
        db, a,
        DB_CALL(SQL_INVENTORY_PAGE, db_text(id_scope), db_text(host), db_text(began), db_texts(device_ids, count)),
        DB_REPEATABLE);
}

err_t db_inventory_clear(struct db *db, struct arena *a, struct str id_scope, struct str host, struct str began,
                         struct str after, int at_most, struct str *ret_came_to)
{
    return db_one(
        db, a,
        DB_CALL(SQL_INVENTORY_CLEAR, db_text(id_scope), db_text(host), db_text(began), db_text(after), db_i64(at_most)),
        DB_REPEATABLE, ret_came_to, sizeof *ret_came_to);
}

err_t db_inventory_taken(struct db *db, struct arena *a, struct str id_scope, struct str host, struct str began,
                         int64_t devices, int64_t rest, int64_t rest_most_ms)
{
    return db_do(db, a,
                 DB_CALL(SQL_INVENTORY_TAKEN, db_text(id_scope), db_text(host), db_text(began), db_i64(devices),
                         db_i64(rest), db_i64(rest_most_ms)),
                 DB_ONCE);
}

err_t db_inventory_drop(struct db *db, struct arena *a, struct str id_scope, struct str host)
{
    return db_do(db, a, DB_CALL(SQL_INVENTORY_DROP, db_text(id_scope), db_text(host)), DB_REPEATABLE);
}
