/* hub_device.c: the registry behind a built-in hub. It must never reach another hub's devices, nor open a key. */
#include "db/hub_device.h"

#include "db/word.h"

static struct hub_device_row read_device(const struct rows *r, size_t i, struct arena *a)
{
    return (struct hub_device_row){
        .device_id = row_text(r, i, 0, a),
        .generation = row_i64(r, i, 1),
        .revision = row_i64(r, i, 2),
        .status = word_number(hub_device_status_words, row_view(r, i, 3)),
        .status_reason = row_text(r, i, 4, a),
        .auth_type = word_number(hub_auth_type_words, row_view(r, i, 5)),
        .primary_sealed = row_bytea(r, i, 6, a),
        .secondary_sealed = row_bytea(r, i, 7, a),
        .primary_thumbprint = row_text(r, i, 8, a),
        .secondary_thumbprint = row_text(r, i, 9, a),
        .iot_edge = row_bool(r, i, 10),
        .status_us = row_time(r, i, 11),
    };
}

err_t db_hub_device_find(struct db *db, struct arena *a, int64_t hub_id, struct str device_id, bool *ret_found,
                         struct hub_device_row *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_i64(&in, hub_id);
    db_text(&in, device_id);
    TRY(db_call(db, SQL_HUB_DEVICE_FIND, &in, DB_REPEATABLE, &rows));
    *ret_found = rows_count(rows) == 1;
    if (*ret_found)
        *ret = read_device(rows, 0, a);
    return NULL;
}

err_t db_hub_device_list(struct db *db, struct arena *a, int64_t hub_id, struct str after, int64_t limit,
                         struct hub_device_row **ret, size_t *ret_count)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_i64(&in, hub_id);
    db_text(&in, after);
    db_i64(&in, limit);
    TRY(db_call(db, SQL_HUB_DEVICE_LIST, &in, DB_REPEATABLE, &rows));
    *ret_count = rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct hub_device_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = read_device(rows, i, a);
    return NULL;
}

static void guard_args(struct db_args *in, struct arena *a, const struct hub_guard *g, const struct hub_device_row *at,
                       size_t count)
{
    struct str *ids = ARENA_NEW_ARRAY(a, count, struct str);
    for (size_t i = 0; i < count; i++)
        ids[i] = at[i].device_id;
    db_args_init(in, a);
    db_i64(in, g->hub_id);
    db_i64(in, g->version);
    db_text_array(in, ids, count);
}

/* What hub_device_create and hub_device_update begin with. */
static void device_args(struct db_args *in, struct arena *a, int64_t generation, const struct hub_device_row *at,
                        size_t count)
{
    enum { TEXTS = 5 };
    struct str *texts[TEXTS];
    for (int c = 0; c < TEXTS; c++)
        texts[c] = ARENA_NEW_ARRAY(a, count, struct str);
    struct bytes *primary = ARENA_NEW_ARRAY(a, count, struct bytes),
                 *secondary = ARENA_NEW_ARRAY(a, count, struct bytes);
    bool *edge = ARENA_NEW_ARRAY(a, count, bool);
    for (size_t i = 0; i < count; i++) {
        const struct hub_device_row *d = &at[i];
        const struct str row[TEXTS] = {word_text(hub_device_status_words, d->status), d->status_reason,
                                       word_text(hub_auth_type_words, d->auth_type), d->primary_thumbprint,
                                       d->secondary_thumbprint};
        for (int c = 0; c < TEXTS; c++)
            texts[c][i] = row[c];
        primary[i] = d->primary_sealed;
        secondary[i] = d->secondary_sealed;
        edge[i] = d->iot_edge;
    }
    db_i64(in, generation);
    for (int c = 0; c < 3; c++)
        db_text_array(in, texts[c], count);
    db_bytea_array(in, primary, count);
    db_bytea_array(in, secondary, count);
    for (int c = 3; c < TEXTS; c++)
        db_text_array(in, texts[c], count);
    db_bool_array(in, edge, count);
}

static void etag_args(struct db_args *in, struct arena *a, const struct hub_device_row *at, size_t count)
{
    int64_t *generations = ARENA_NEW_ARRAY(a, count, int64_t), *revisions = ARENA_NEW_ARRAY(a, count, int64_t);
    for (size_t i = 0; i < count; i++) {
        generations[i] = at[i].generation;
        revisions[i] = at[i].revision;
    }
    db_i64_array(in, generations, count);
    db_i64_array(in, revisions, count);
}

static err_t write_devices(struct db *db, struct arena *a, enum sql_id statement, const struct db_args *in,
                           struct hub_devices_outcome *ret)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_call(db, statement, in, DB_ONCE, &rows));
    ret->live = row_bool(rows, 0, 0);
    ret->written_count = row_text_array(rows, 0, 1, a, &ret->written);
    ret->found_count = row_text_array(rows, 0, 2, a, &ret->found);
    return NULL;
}

err_t db_hub_device_create(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret)
{
    struct db_args in;
    guard_args(&in, a, g, at, count);
    device_args(&in, a, generation, at, count);
    return write_devices(db, a, SQL_HUB_DEVICE_CREATE, &in, ret);
}

err_t db_hub_device_update(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret)
{
    struct db_args in;
    bool *keep = ARENA_NEW_ARRAY(a, count, bool);
    for (size_t i = 0; i < count; i++)
        keep[i] = at[i].keep_keys;
    guard_args(&in, a, g, at, count);
    device_args(&in, a, generation, at, count);
    db_bool_array(&in, keep, count);
    etag_args(&in, a, at, count);
    return write_devices(db, a, SQL_HUB_DEVICE_UPDATE, &in, ret);
}

err_t db_hub_device_delete(struct db *db, struct arena *a, const struct hub_guard *g, const struct hub_device_row *at,
                           size_t count, struct hub_devices_outcome *ret)
{
    struct db_args in;
    guard_args(&in, a, g, at, count);
    etag_args(&in, a, at, count);
    return write_devices(db, a, SQL_HUB_DEVICE_DELETE, &in, ret);
}

err_t db_hub_device_count(struct db *db, struct arena *a, int64_t hub_id, int64_t *ret_all, int64_t *ret_enabled)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_i64(&in, hub_id);
    TRY(db_call(db, SQL_HUB_DEVICE_COUNT, &in, DB_REPEATABLE, &rows));
    *ret_all = row_i64(rows, 0, 0);
    *ret_enabled = row_i64(rows, 0, 1);
    return NULL;
}
