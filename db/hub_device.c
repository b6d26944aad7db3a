/* hub_device.c: the registry behind a built-in hub. It must never reach another hub's devices, nor open a key. */
#include "db/hub_device.h"

DB_ROW(hub_device, struct hub_device_row, COL(struct hub_device_row, device_id, TEXT),
       COL(struct hub_device_row, generation, I64), COL(struct hub_device_row, revision, I64),
       COL_WORD(struct hub_device_row, status, hub_device_status_words),
       COL(struct hub_device_row, status_reason, TEXT), COL_WORD(struct hub_device_row, auth_type, hub_auth_type_words),
       COL(struct hub_device_row, primary_sealed, BYTEA), COL(struct hub_device_row, secondary_sealed, BYTEA),
       COL(struct hub_device_row, primary_thumbprint, TEXT), COL(struct hub_device_row, secondary_thumbprint, TEXT),
       COL(struct hub_device_row, iot_edge, BOOL), COL_AS(struct hub_device_row, status_us, TIME, "status_at"));

DB_PARAMS(ids, struct hub_device_row, COL(struct hub_device_row, device_id, TEXT));
DB_PARAMS(details, struct hub_device_row, COL_WORD(struct hub_device_row, status, hub_device_status_words),
          COL(struct hub_device_row, status_reason, TEXT),
          COL_WORD(struct hub_device_row, auth_type, hub_auth_type_words),
          COL(struct hub_device_row, primary_sealed, BYTEA), COL(struct hub_device_row, secondary_sealed, BYTEA),
          COL(struct hub_device_row, primary_thumbprint, TEXT), COL(struct hub_device_row, secondary_thumbprint, TEXT),
          COL(struct hub_device_row, iot_edge, BOOL));
DB_PARAMS(keeps, struct hub_device_row, COL(struct hub_device_row, keep_keys, BOOL));
DB_PARAMS(etags, struct hub_device_row, COL(struct hub_device_row, generation, I64),
          COL(struct hub_device_row, revision, I64));

DB_ROW(hub_devices_outcome, struct hub_devices_outcome, COL(struct hub_devices_outcome, live, BOOL),
       COL(struct hub_devices_outcome, written, TEXTS), COL(struct hub_devices_outcome, found, TEXTS));

struct counts {
    int64_t devices, enabled;
};
DB_ROW(hub_device_count, struct counts, COL(struct counts, devices, I64), COL(struct counts, enabled, I64));

err_t db_hub_device_find(struct db *db, struct arena *a, int64_t hub_id, struct str device_id, bool *ret_found,
                         struct hub_device_row *ret)
{
    struct db_args in;
    db_args_init(&in, a);
    db_i64(&in, hub_id);
    db_text(&in, device_id);
    *ret = (struct hub_device_row){.keep_keys = false};
    return db_first(db, SQL_HUB_DEVICE_FIND, &in, DB_REPEATABLE, ret_found, ret, sizeof *ret);
}

err_t db_hub_device_list(struct db *db, struct arena *a, int64_t hub_id, struct str after, int64_t limit,
                         struct hub_device_row **ret, size_t *ret_count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_i64(&in, hub_id);
    db_text(&in, after);
    db_i64(&in, limit);
    return db_all(db, SQL_HUB_DEVICE_LIST, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

static void guard_args(struct db_args *in, struct arena *a, const struct hub_guard *g, const struct hub_device_row *at,
                       size_t count)
{
    db_args_init(in, a);
    db_i64(in, g->hub_id);
    db_i64(in, g->version);
    db_array_args(in, &db_row_ids, at, count);
}

static err_t write_devices(struct db *db, enum sql_id statement, const struct db_args *in,
                           struct hub_devices_outcome *ret)
{
    bool found;
    return db_first(db, statement, in, DB_ONCE, &found, ret, sizeof *ret);
}

err_t db_hub_device_create(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret)
{
    struct db_args in;
    guard_args(&in, a, g, at, count);
    db_i64(&in, generation);
    db_array_args(&in, &db_row_details, at, count);
    return write_devices(db, SQL_HUB_DEVICE_CREATE, &in, ret);
}

err_t db_hub_device_update(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret)
{
    struct db_args in;
    guard_args(&in, a, g, at, count);
    db_i64(&in, generation);
    db_array_args(&in, &db_row_details, at, count);
    db_array_args(&in, &db_row_keeps, at, count);
    db_array_args(&in, &db_row_etags, at, count);
    return write_devices(db, SQL_HUB_DEVICE_UPDATE, &in, ret);
}

err_t db_hub_device_delete(struct db *db, struct arena *a, const struct hub_guard *g, const struct hub_device_row *at,
                           size_t count, struct hub_devices_outcome *ret)
{
    struct db_args in;
    guard_args(&in, a, g, at, count);
    db_array_args(&in, &db_row_etags, at, count);
    return write_devices(db, SQL_HUB_DEVICE_DELETE, &in, ret);
}

err_t db_hub_device_count(struct db *db, struct arena *a, int64_t hub_id, int64_t *ret_all, int64_t *ret_enabled)
{
    struct db_args in;
    struct counts n;
    bool found;
    db_args_init(&in, a);
    db_i64(&in, hub_id);
    TRY(db_first(db, SQL_HUB_DEVICE_COUNT, &in, DB_REPEATABLE, &found, &n, sizeof n));
    *ret_all = n.devices;
    *ret_enabled = n.enabled;
    return NULL;
}
