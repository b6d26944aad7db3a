/* hub_device.h: the registry behind a built-in hub (db/sql/hub_device.sql). Keys come sealed. */
#ifndef IDSCOPE_DB_HUB_DEVICE_H
#define IDSCOPE_DB_HUB_DEVICE_H

#include "core/model.h"
#include "db/resource.h"

struct hub_device_row {
    struct str device_id;
    int64_t generation, revision; /* the etag; in a write: what it must have, generation 0: any */
    int status;                   /* enum hub_device_status; absent in an update: it stays, with its reason */
    struct str status_reason;
    int auth_type;                                 /* enum hub_auth_type */
    struct bytes primary_sealed, secondary_sealed; /* of type sas only */
    bool keep_keys;                                /* update: stored keys win over these, where there are some */
    struct str primary_thumbprint, secondary_thumbprint;
    enum tri iot_edge;        /* absent in an update: it stays */
    int64_t status_us;        /* when the status changed; 0: never */
    struct str tags, desired; /* create only: what its twin begins with, JSON objects; absent: nothing */
};

/* The hub as the writer's credential was checked against it, and on whose behalf it writes. */
struct hub_guard {
    int64_t hub_id, version;
    struct str id_scope; /* absent: the hub's operator, who may write everything */
};

/* What became of a call: ids of `at` that were there before, and that were written. */
struct hub_devices_outcome {
    bool live; /* false: the hub is not what it was checked against; nothing was written */
    struct str_list written, found,
        anothers; /* found and anothers (owned by another ID scope): update and delete only */
};

/* One device, by its id as it is spelt. *ret is zeroed when it is not found. */
err_t db_hub_device_find(struct db *db, struct arena *a, int64_t hub_id, struct str device_id, bool *ret_found,
                         struct hub_device_row *ret);
/* Up to `limit` devices behind `after`, in the order of their ids. */
err_t db_hub_device_list(struct db *db, struct arena *a, int64_t hub_id, struct str after, int64_t limit,
                         struct hub_device_row **ret, size_t *ret_count);
/* Writes of many devices in one statement; `at` in byte order of ids, each once. What is there is not created again,
 * what is not there neither updated nor deleted; etags are asked for by update and delete. `generation` is that of
 * devices that are made. */
err_t db_hub_device_create(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret);
err_t db_hub_device_update(struct db *db, struct arena *a, const struct hub_guard *g, int64_t generation,
                           const struct hub_device_row *at, size_t count, struct hub_devices_outcome *ret);
err_t db_hub_device_delete(struct db *db, struct arena *a, const struct hub_guard *g, const struct hub_device_row *at,
                           size_t count, struct hub_devices_outcome *ret);
/* Kept aside by every write, so that nobody counts rows. */
struct hub_device_counts {
    int64_t devices, enabled;
};
err_t db_hub_device_count(struct db *db, struct arena *a, int64_t hub_id, struct hub_device_counts *ret);
/* The same of a hub as the management plane names it; *ret_there tells whether there is one. */
err_t db_hub_count(struct db *db, struct arena *a, const struct find *hub, struct place_found *ret_found,
                   bool *ret_there, struct hub_device_counts *ret);

#endif
