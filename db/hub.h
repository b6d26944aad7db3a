/* hub.h: built-in hubs as the management plane sees them (db/sql/hub.sql). */
#ifndef IDSCOPE_DB_HUB_H
#define IDSCOPE_DB_HUB_H

#include "db/resource.h"

struct hub_row {
    struct resource_row is;
    struct str sku_name;
    int64_t sku_capacity;
};

/* One hub (find.name_key) or a page of them. */
err_t db_hub_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                  struct hub_row **ret, size_t *ret_count, bool *ret_more);
/* The policies of a hub, or the one of `key_name_key`; *ret_hub tells whether the hub is there. */
err_t db_hub_policies(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key,
                      struct place_found *ret_found, bool *ret_hub, struct policy_row **ret, size_t *ret_count);
/* Deletes the hub: its devices become unreachable at once, links to it invalid. `etag`: that it must have, as clients
 * see it; absent: any. `host_tail`: what follows the hub's name in its host name. *ret_gone is false when there was
 * none. */
err_t db_hub_delete(struct db *db, struct arena *a, const struct find *hub, struct str etag, struct str host_tail,
                    struct place_found *ret_found, bool *ret_gone);

/* Replaces the tags; the etag becomes a new one. `etag`: that it must have, as clients see it; absent: any. *ret_done
 * is false when there was none. */
err_t db_hub_retag(struct db *db, struct arena *a, const struct find *hub, struct str etag, struct str tags,
                   struct place_found *ret_found, bool *ret_done);

/* --- inside of a transaction -------------------------------------------------------------------------------------- */

struct hub_locked {
    int64_t hub_id; /* 0: there is none */
    struct str location, tags, sku_name, properties, network;
    int64_t sku_capacity;
    struct uuid etag;
};
/* Two writers of one hub wait for each other here. */
err_t db_hub_lock(struct db *db, struct arena *a, const struct find *hub, struct hub_locked *ret);
/* UNIQUE_VIOLATION: the name is taken, by whomever. The group must be held. */
err_t db_hub_insert(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h);
/* Of what is locked: tags, SKU, capacity and properties; if it has changed, also in what hangs on it, the etag becomes
 * a new one. */
err_t db_hub_update(struct db *db, struct arena *a, const struct find *hub, const struct hub_row *h, bool changed);
/* Replaces all policies; everything that was checked against the old ones is stale from here on. */
err_t db_hub_policy_put(struct db *db, struct arena *a, const struct find *hub, const struct policy_row *policies,
                        size_t count);
/* Has the links by resource to this hub probed at once. */
err_t db_hub_links_recheck(struct db *db, struct arena *a, const struct find *hub);

#endif
