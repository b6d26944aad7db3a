/* hub.c: built-in hubs as the management plane sees them. It must never touch a device of theirs. */
#include "db/hub.h"

DB_ROW(hub, struct hub_row, COL(struct hub_row, name, TEXT), COL(struct hub_row, group, TEXT),
       COL(struct hub_row, subscription_id, UUID), COL(struct hub_row, location, TEXT), COL(struct hub_row, tags, JSON),
       COL(struct hub_row, sku_name, TEXT), COL(struct hub_row, sku_capacity, I64),
       COL(struct hub_row, properties, JSON), COL(struct hub_row, etag, UUID));
DB_PARAMS(hub_details, struct hub_row, COL(struct hub_row, tags, JSON), COL(struct hub_row, sku_name, TEXT),
          COL(struct hub_row, sku_capacity, I64), COL(struct hub_row, properties, JSON));
DB_ROW(hub_locked, struct hub_locked, COL(struct hub_locked, hub_id, I64), COL(struct hub_locked, location, TEXT),
       COL(struct hub_locked, etag, UUID));

err_t db_hub_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                  struct hub_row **ret, size_t *ret_count, bool *ret_more)
{
    return db_placed_page(db, SQL_HUB_FIND, a, f, ret_found, ret, sizeof **ret, ret_count, ret_more);
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
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    db_find_args(&find, a, hub);
    hub_args(&in, a, hub);
    db_text(&in, key_name_key);
    TRY(db_placed(db, a, hub->at, (struct db_call[]){{SQL_HUB_FIND, &find}, {SQL_HUB_POLICY_FIND, &in}}, 2, ret_found,
                  &r));
    *ret_hub = rows_count(r.of[1]) == 1;
    rows_read_all(r.of[2], a, ret, sizeof **ret, ret_count);
    return NULL;
}

err_t db_hub_delete(struct db *db, struct arena *a, const struct find *hub, struct str etag, struct str host_tail,
                    struct place_found *ret_found, bool *ret_gone)
{
    struct db_args in;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    hub_args(&in, a, hub);
    db_text(&in, etag);
    db_text(&in, host_tail);
    TRY(db_placed(db, a, hub->at, &(struct db_call){SQL_HUB_DELETE, &in}, 1, ret_found, &r));
    *ret_gone = rows_count(r.of[1]) > 0;
    return NULL;
}

err_t db_hub_lock(struct db *db, struct arena *a, const struct find *hub, struct hub_locked *ret)
{
    struct db_args in;
    bool found;
    hub_args(&in, a, hub);
    *ret = (struct hub_locked){0};
    return db_first(db, SQL_HUB_LOCK, &in, DB_ONCE, &found, ret, sizeof *ret);
}

err_t db_hub_insert(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h)
{
    struct db_args in;
    hub_args(&in, a, hub);
    db_text(&in, h->name);
    db_text(&in, h->location);
    db_row_args(&in, &db_row_hub_details, h);
    return db_do(db, SQL_HUB_INSERT, &in, DB_ONCE);
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
    db_row_args(&in, &db_row_hub_details, h);
    return db_do(db, SQL_HUB_UPDATE, &in, DB_ONCE);
}

err_t db_hub_policy_put(struct db *db, struct arena *a, const struct find *hub, const struct policy_row *policies,
                        size_t count)
{
    struct db_args in;
    locked_args(&in, a, hub);
    db_policy_args(&in, policies, count);
    return db_do(db, SQL_HUB_POLICY_PUT, &in, DB_ONCE);
}

err_t db_hub_links_recheck(struct db *db, struct arena *a, const struct find *hub)
{
    struct db_args in;
    locked_args(&in, a, hub);
    return db_do(db, SQL_HUB_LINKS_RECHECK, &in, DB_ONCE);
}
