/* hub_device.c: the registry behind a built-in hub. It must never reach another hub's devices, nor open a key. */
#include "db/hub_device.h"

#define DETAIL_COLS                                                                                                    \
    COL_WORD(status, hub_device_status_words), COL(status_reason), COL_WORD(auth_type, hub_auth_type_words),           \
        COL(primary_sealed), COL(secondary_sealed), COL(primary_thumbprint), COL(secondary_thumbprint), COL(iot_edge)

DB_ROW(hub_device, struct hub_device_row, COL(device_id), COL(generation), COL(revision), DETAIL_COLS,
       COL_TIME(status_us, "status_at"));
DB_PARAMS(ids, struct hub_device_row, COL(device_id));
DB_PARAMS(details, struct hub_device_row, DETAIL_COLS);
DB_PARAMS(twins, struct hub_device_row, COL(tags), COL(desired));
DB_PARAMS(keeps, struct hub_device_row, COL(keep_keys));
DB_PARAMS(etags, struct hub_device_row, COL(generation), COL(revision));
DB_PARAMS(guard, struct hub_guard, COL(hub_id), COL(version));

DB_ROW(hub_devices_outcome, struct hub_devices_outcome, COL(live), COL(written), COL(found), COL(anothers));
DB_ROW(hub_device_count, struct hub_device_counts, COL(devices), COL(enabled));

err_t db_hub_device_find(struct db *db, struct arena *a, int64_t hub_id, struct str device_id, bool *ret_found,
                         struct hub_device_row *ret)
{
    return db_first(db, a, DB_CALL(SQL_HUB_DEVICE_FIND, db_i64(hub_id), db_text(device_id)), DB_REPEATABLE, ret_found,
                    ret, sizeof *ret);
}

err_t db_hub_device_list(struct db *db, struct arena *a, int64_t hub_id, struct str after, int64_t limit,
                         struct hub_device_row **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_HUB_DEVICE_LIST, db_i64(hub_id), db_text(after), db_i64(limit)), DB_REPEATABLE,
                  ret, sizeof **ret, ret_count);
}

err_t db_hub_device_create(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret)
{
    return db_one(db, a,
                  DB_CALL(SQL_HUB_DEVICE_CREATE, DB_MEMBERS(guard, g), DB_ARRAYS(ids, at, count), db_i64(generation),
                          DB_ARRAYS(details, at, count), db_text(g->id_scope), DB_ARRAYS(twins, at, count)),
                  DB_ONCE, ret, sizeof *ret);
}

err_t db_hub_device_update(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret)
{
    return db_one(db, a,
                  DB_CALL(SQL_HUB_DEVICE_UPDATE, DB_MEMBERS(guard, g), DB_ARRAYS(ids, at, count), db_i64(generation),
                          DB_ARRAYS(details, at, count), DB_ARRAYS(keeps, at, count), DB_ARRAYS(etags, at, count),
                          db_text(g->id_scope)),
                  DB_ONCE, ret, sizeof *ret);
}

err_t db_hub_device_delete(struct db *db, struct arena *a, const struct hub_guard *g, const struct hub_device_row *at,
                           size_t count, struct hub_devices_outcome *ret)
{
    return db_one(db, a,
                  DB_CALL(SQL_HUB_DEVICE_DELETE, DB_MEMBERS(guard, g), DB_ARRAYS(ids, at, count),
                          DB_ARRAYS(etags, at, count), db_text(g->id_scope)),
                  DB_ONCE, ret, sizeof *ret);
}

err_t db_hub_device_count(struct db *db, struct arena *a, int64_t hub_id, struct hub_device_counts *ret)
{
    return db_one(db, a, DB_CALL(SQL_HUB_DEVICE_COUNT, db_i64(hub_id)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_hub_count(struct db *db, struct arena *a, const struct find *hub, struct place_found *ret_found,
                   bool *ret_there, struct hub_device_counts *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(SQL_HUB_COUNT, db_named_in(hub));
    TRY(db_placed(db, a, &hub->at, &call, 1, ret_found, &r));
    *ret_there = rows_first(r.of[1], a, ret, sizeof *ret);
    return NULL;
}
