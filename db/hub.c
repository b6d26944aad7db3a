/* hub.c: built-in hubs as the management plane sees them. It must never touch a device of theirs. */
#include "db/hub.h"

#define DETAIL_COLS COL_JSON(is.tags), COL(sku_name), COL(sku_capacity), COL_JSON(is.properties), COL_JSON(is.network)

DB_PARAMS(details, struct hub_row, DETAIL_COLS);
DB_ROW(hub, struct hub_row, COL(is.name), COL(is.group), COL(is.subscription_id), COL(is.location), DETAIL_COLS,
       COL(is.etag));
DB_ROW(hub_locked, struct hub_locked, COL(hub_id), COL(location), COL_JSON(tags), COL(sku_name), COL(sku_capacity),
       COL_JSON(properties), COL_JSON(network), COL(etag));

err_t db_hub_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                  struct hub_row **ret, size_t *ret_count, bool *ret_more)
{
    return db_placed_page(db, SQL_HUB_FIND, a, f, ret_found, ret, sizeof **ret, ret_count, ret_more);
}

err_t db_hub_policies(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key,
                      struct place_found *ret_found, bool *ret_hub, struct policy_row **ret, size_t *ret_count)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(SQL_HUB_FIND, db_find_in(hub), db_i64(1)),
        DB_CALL(SQL_HUB_POLICY_FIND, db_named_in(hub), db_text(key_name_key)),
    };
    TRY(db_placed(db, a, &hub->at, calls, 2, ret_found, &r));
    *ret_hub = rows_count(r.of[1]) == 1;
    rows_all(r.of[2], a, ret, sizeof **ret, ret_count);
    return NULL;
}

err_t db_hub_delete(struct db *db, struct arena *a, const struct find *hub, struct str etag, struct str host_tail,
                    struct place_found *ret_found, bool *ret_gone)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call call = DB_CALL(SQL_HUB_DELETE, db_named_in(hub), db_text(etag), db_text(host_tail));
    TRY(db_placed(db, a, &hub->at, &call, 1, ret_found, &r));
    *ret_gone = rows_count(r.of[1]) > 0;
    return NULL;
}

err_t db_hub_lock(struct db *db, struct arena *a, const struct find *hub, struct hub_locked *ret)
{
    return db_first(db, a, DB_CALL(SQL_HUB_LOCK, db_named_in(hub)), DB_ONCE, NULL, ret, sizeof *ret);
}

err_t db_hub_insert(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h)
{
    return db_do(
        db, a,
        DB_CALL(SQL_HUB_INSERT, db_named_in(hub), db_text(h->is.name), db_text(h->is.location), DB_MEMBERS(details, h)),
        DB_ONCE);
}

err_t db_hub_update(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h, bool changed)
{
    return db_do(db, a, DB_CALL(SQL_HUB_UPDATE, db_locked_in(hub), DB_MEMBERS(details, h), db_bool(changed)), DB_ONCE);
}

err_t db_hub_policy_put(struct db *db, struct arena *a, const struct find *hub, const struct policy_row *policies,
                        size_t count)
{
    return db_do(db, a, DB_CALL(SQL_HUB_POLICY_PUT, db_locked_in(hub), DB_ARRAYS(policy, policies, count)), DB_ONCE);
}

err_t db_hub_links_recheck(struct db *db, struct arena *a, const struct find *hub)
{
    return db_do(db, a, DB_CALL(SQL_HUB_LINKS_RECHECK, db_locked_in(hub)), DB_ONCE);
}

err_t db_hub_retag(struct db *db, struct arena *a, const struct find *hub, struct str etag, struct str tags,
                   struct place_found *ret_found, bool *ret_done)
{
    return db_placed_retag(db, SQL_HUB_RETAG, a, hub, etag, tags, ret_found, ret_done);
}
