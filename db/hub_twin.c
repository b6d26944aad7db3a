/* hub_twin.c: twins of devices as they are stored. It must never make or change a device. */
#include "db/hub_twin.h"

DB_ROW(hub_twin, struct hub_twin_row, COL(device.device_id), COL(device.generation), COL(device.revision),
       COL_WORD(device.status, hub_device_status_words), COL(device.status_reason),
       COL_WORD(device.auth_type, hub_auth_type_words), COL(device.primary_thumbprint),
       COL(device.secondary_thumbprint), COL(device.iot_edge), COL_TIME(device.status_us, "status_at"),
       COL(twin_revision), COL_JSON(tags), COL_JSON(desired), COL(desired_version), COL_TIME(desired_us, "desired_at"),
       COL(is_anothers));
DB_VALUE(hub_twin_locked, struct str, device_id);
DB_PARAMS(stretch, struct hub_twin_stretch, COL(hub_id), COL(value), COL(key), COL(last), COL(limit), COL(id_scope));
DB_PARAMS(guard, struct hub_guard, COL(hub_id), COL(version));
DB_PARAMS(collections, struct hub_twin_row, COL_JSON(tags), COL_JSON(desired));

err_t db_hub_twin_find(struct db *db, struct arena *a, int64_t hub_id, struct str device_id, bool *ret_found,
                       struct hub_twin_row *ret)
{
    return db_first(db, a, DB_CALL(SQL_HUB_TWIN_FIND, db_i64(hub_id), db_text(device_id)), DB_REPEATABLE, ret_found,
                    ret, sizeof *ret);
}

err_t db_hub_twin_list(struct db *db, struct arena *a, const struct hub_twin_stretch *s, struct hub_twin_row **ret,
                       size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_HUB_TWIN_LIST, DB_MEMBERS(stretch, s)), DB_REPEATABLE, ret, sizeof **ret,
                  ret_count);
}

err_t db_hub_twin_lock(struct db *db, struct arena *a, const struct hub_guard *g, struct str device_id, bool *ret_live,
                       bool *ret_found, struct hub_twin_row *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    struct str locked;
    const struct db_call calls[] = {
        DB_CALL(SQL_HUB_TWIN_LOCK, DB_MEMBERS(guard, g), db_text(device_id)),
        DB_CALL(SQL_HUB_TWIN_FIND, db_i64(g->hub_id), db_text(device_id)),
    };
    TRY(db_run(db, a, calls, 2, DB_ONCE, r.of));
    *ret_live = rows_first(r.of[0], a, &locked, sizeof locked);
    *ret_found = rows_first(r.of[1], a, ret, sizeof *ret);
    return NULL;
}

err_t db_hub_twin_put(struct db *db, struct arena *a, int64_t hub_id, const struct hub_twin_row *twin,
                      bool desired_changed)
{
    return db_do(db, a,
                 DB_CALL(SQL_HUB_TWIN_PUT, db_i64(hub_id), db_text(twin->device.device_id),
                         DB_MEMBERS(collections, twin), db_bool(desired_changed)),
                 DB_ONCE);
}
