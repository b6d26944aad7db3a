/* inventory.h: what stands on linked hubs and is no registration's (db/sql/inventory.sql). Hosts are in lower case. */
#ifndef IDSCOPE_DB_INVENTORY_H
#define IDSCOPE_DB_INVENTORY_H

#include "db/db.h"

/* Makes jobs of hubs whose turn it is, at most so many, and moves their next turn. *ret_jobs: new ones. */
err_t db_inventory_schedule(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs);

/* The last whole round over a hub. */
struct inventory {
    int64_t devices;   /* that the hub had; -1: there was no round, or it is too old */
    struct str moment; /* the time now, as the database writes it: of a round that begins */
    bool round_is_old; /* the round that was asked about */
};
/* A round that began more than old_ms ago is too old; `began`: another that is asked about, absent: none. NO_ROW: the
 * hub has no inventory. */
err_t db_inventory_find(struct db *db, struct arena *a, struct str id_scope, struct str host, int64_t old_ms,
                        struct str began, struct inventory *ret);

/* Keeps those of a page's device ids that no registration stands on, as seen in the round that began then. */
err_t db_inventory_page(struct db *db, struct arena *a, struct str id_scope, struct str host, struct str began,
                        const struct str *device_ids, size_t count);

/* A bite: what the hub did not show since `began`, of at_most rows of the scope behind the device id `after`.
 * *ret_came_to: where the next bite begins; absent: this was the last. */
err_t db_inventory_clear(struct db *db, struct arena *a, struct str id_scope, struct str host, struct str began,
                         struct str after, int at_most, struct str *ret_came_to);

/* The round is whole. The hub's next turn comes no sooner than after `rest` times as long as the round took, or
 * rest_most_ms. */
err_t db_inventory_taken(struct db *db, struct arena *a, struct str id_scope, struct str host, struct str began,
                         int64_t devices, int64_t rest, int64_t rest_most_ms);

/* Forgets that there was one. */
err_t db_inventory_drop(struct db *db, struct arena *a, struct str id_scope, struct str host);

#endif
