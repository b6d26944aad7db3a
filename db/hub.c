/* hub.c: built-in hubs as the management plane sees them. It must never touch a device of theirs. */
#include "db/hub.h"

static struct hub_row read_hub(const struct rows *r, size_t i, struct arena *a)
{
    return (struct hub_row){
        .name = row_text(r, i, 0, a),
        .group = row_text(r, i, 1, a),
        .subscription_id = row_uuid(r, i, 2),
        .location = row_text(r, i, 3, a),
        .tags = row_text(r, i, 4, a),
        .sku_name = row_text(r, i, 5, a),
        .sku_capacity = row_i64(r, i, 6),
        .properties = row_text(r, i, 7, a),
        .etag = row_uuid(r, i, 8),
    };
}

err_t db_hub_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                  struct hub_row **ret, size_t *ret_count, bool *ret_more)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_find_args(&in, a, f);
    TRY(db_placed(db, a, f->at, &(struct db_call){SQL_HUB_FIND, &in}, 1, ret_found, &rows));
    *ret_more = rows_count(rows) > DB_PAGE;
    *ret_count = *ret_more ? DB_PAGE : rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct hub_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = read_hub(rows, i, a);
    return NULL;
}

/* The place and the hub's key: what most statements of one hub begin with. */
static void hub_args(struct db_args *in, struct arena *a, const struct find *hub)
{
    db_place_args(in, a, hub->at);
    db_text(in, hub->name_key);
}

err_t db_hub_policies(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key,
                      struct place_found *ret_found, bool *ret_hub, struct policy_row **ret, size_t *ret_count)
{
    struct db_args find, in;
    struct rows *rows[2];
    db_find_args(&find, a, hub);
    hub_args(&in, a, hub);
    db_text(&in, key_name_key);
    TRY(db_placed(db, a, hub->at, (struct db_call[]){{SQL_HUB_FIND, &find}, {SQL_HUB_POLICY_FIND, &in}}, 2, ret_found,
                  rows));
    *ret_hub = rows_count(rows[0]) == 1;
    *ret_count = db_policy_rows(rows[1], a, ret);
    rows_free(rows[0]);
    rows_free(rows[1]);
    return NULL;
}

err_t db_hub_delete(struct db *db, struct arena *a, const struct find *hub, struct str etag, struct str host_tail,
                    struct place_found *ret_found, bool *ret_gone)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    hub_args(&in, a, hub);
    db_text(&in, etag);
    db_text(&in, host_tail);
    TRY(db_placed(db, a, hub->at, &(struct db_call){SQL_HUB_DELETE, &in}, 1, ret_found, &rows));
    *ret_gone = rows_count(rows) > 0;
    return NULL;
}

err_t db_hub_lock(struct db *db, struct arena *a, const struct find *hub, struct hub_locked *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    hub_args(&in, a, hub);
    TRY(db_call(db, SQL_HUB_LOCK, &in, DB_ONCE, &rows));
    *ret = (struct hub_locked){0};
    if (rows_count(rows))
        *ret = (struct hub_locked){row_i64(rows, 0, 0), row_text(rows, 0, 1, a), row_uuid(rows, 0, 2)};
    return NULL;
}

static void details(struct db_args *in, const struct hub_row *h)
{
    db_json(in, h->tags);
    db_text(in, h->sku_name);
    db_i64(in, h->sku_capacity);
    db_json(in, h->properties);
}

err_t db_hub_insert(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h)
{
    struct db_args in;
    hub_args(&in, a, hub);
    db_text(&in, h->name);
    db_text(&in, h->location);
    details(&in, h);
    return db_call(db, SQL_HUB_INSERT, &in, DB_ONCE, NULL);
}

/* Tenant and key: what the statements of a hub that is locked begin with. */
static void locked_args(struct db_args *in, struct arena *a, const struct find *hub)
{
    db_args_init(in, a);
    db_uuid(in, &hub->at->tenant_id);
    db_text(in, hub->name_key);
}

err_t db_hub_update(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h)
{
    struct db_args in;
    locked_args(&in, a, hub);
    details(&in, h);
    return db_call(db, SQL_HUB_UPDATE, &in, DB_ONCE, NULL);
}

err_t db_hub_policy_put(struct db *db, struct arena *a, const struct find *hub, const struct policy_row *policies,
                        size_t count)
{
    struct db_args in;
    locked_args(&in, a, hub);
    db_policy_args(&in, a, policies, count);
    return db_call(db, SQL_HUB_POLICY_PUT, &in, DB_ONCE, NULL);
}

err_t db_hub_links_recheck(struct db *db, struct arena *a, const struct find *hub)
{
    struct db_args in;
    locked_args(&in, a, hub);
    return db_call(db, SQL_HUB_LINKS_RECHECK, &in, DB_ONCE, NULL);
}
