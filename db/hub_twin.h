/* hub_twin.h: the twins of a built-in hub's devices (db/sql/hub_twin.sql). */
#ifndef IDSCOPE_DB_HUB_TWIN_H
#define IDSCOPE_DB_HUB_TWIN_H

#include "db/hub_device.h"

struct hub_twin_row {
    struct hub_device_row device;        /* without its keys */
    int64_t twin_revision;               /* with the device's generation the twin's etag */
    struct str tags, desired;            /* JSON objects */
    int64_t desired_version, desired_us; /* since when; 0: nothing was ever written */
    bool is_anothers;                    /* in a list that an ID scope asks for: another one's device */
};

/* *ret is zeroed when there is no such device. */
err_t db_hub_twin_find(struct db *db, struct arena *a, int64_t hub_id, struct str device_id, bool *ret_found,
                       struct hub_twin_row *ret);

/* A stretch of the list in the order of the ids: from behind a place, `value` and `key`, to `last`; for the ID scope
 * that asks (absent: none does). */
struct hub_twin_stretch {
    int64_t hub_id;
    struct str value, key, last;
    int64_t limit;
    struct str id_scope;
};
err_t db_hub_twin_list(struct db *db, struct arena *a, const struct hub_twin_stretch *s, struct hub_twin_row **ret,
                       size_t *ret_count);

/* --- inside of a transaction -------------------------------------------------------------------------------------- */

/* The same as it is now, held until the end. *ret_live is false when the hub is not what it was checked against. */
err_t db_hub_twin_lock(struct db *db, struct arena *a, const struct hub_guard *g, struct str device_id, bool *ret_live,
                       bool *ret_found, struct hub_twin_row *ret);
err_t db_hub_twin_put(struct db *db, struct arena *a, int64_t hub_id, const struct hub_twin_row *twin,
                      bool desired_changed);

#endif
