/* lock.h: locks on subscriptions, resource groups, hubs and instances (db/sql/lock.sql). A place is the resource id of
 * what a lock is on, in lower case. */
#ifndef IDSCOPE_DB_LOCK_H
#define IDSCOPE_DB_LOCK_H

#include "db/resource.h"

/* What a lock is to be on: a hub or an instance of the group, or, both absent, the group; or the subscription. */
struct lock_at {
    struct place at;
    struct str hub_key, instance_key;
};
struct lock_scope {
    struct str path; /* its resource id */
    struct str group, hub, id_scope;
};
struct lock_row {
    struct str name, path;
    int level;        /* of lock_level_words */
    struct str notes; /* absent: there are none */
    struct str key;   /* by which pages are in order */
};

struct lock_find {
    struct str place;
    bool beneath;        /* also those on what stands in it */
    struct str name_key; /* absent: all */
    struct str after;
    int64_t most; /* as struct find has them */
};
/* *ret_there is false when there is no such hub, instance or group. */
err_t db_lock_find(struct db *db, struct arena *a, const struct lock_at *at, const struct lock_find *f,
                   struct place_found *ret_found, bool *ret_there, struct lock_row **ret, size_t *ret_count,
                   bool *ret_more);
/* The place, and what stands there. */
err_t db_lock_scope(struct db *db, struct arena *a, const struct lock_at *at, struct place_found *ret_found,
                    bool *ret_there, struct lock_scope *ret);
err_t db_lock_put(struct db *db, struct arena *a, const struct place *at, const struct lock_scope *on,
                  const struct lock_row *row, bool *ret_created);
err_t db_lock_delete(struct db *db, struct arena *a, const struct uuid *tenant, struct str place, struct str name_key,
                     bool *ret_gone);
/* The resource id of something that is locked, so that `place` cannot be changed, or (`deletes`) not be deleted with
 * what is beneath it; absent: nothing is. */
err_t db_lock_over(struct db *db, struct arena *a, const struct uuid *tenant, struct str place, bool deletes,
                   struct str *ret);

#endif
