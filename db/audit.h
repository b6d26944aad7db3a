/* audit.h: audit events and the blocks that seal them (db/sql/seal.sql, audit.sql, activity.sql). What is sealed and
 * how is said in core/audit.h. */
#ifndef IDSCOPE_DB_AUDIT_H
#define IDSCOPE_DB_AUDIT_H

#include "core/audit.h"
#include "db/db.h"

/* Up to which id all events are there or never to come (0: it cannot be told yet), as far as `mark`, which was answered
 * last (absent: none was), can tell; and the next mark. */
struct audit_settled {
    int64_t settled;
    struct str mark;
};
err_t db_audit_settled(struct db *db, struct arena *a, struct str mark, struct audit_settled *ret);

struct audit_unsealed {
    struct audit_event event;
    int64_t blocks;        /* that its tenant has so far */
    struct bytes previous; /* hash of the last of them; absent: none */
};
/* The next events up to an id, by tenant and id. */
err_t db_audit_unsealed(struct db *db, struct arena *a, int64_t up_to, int at_most, struct audit_unsealed **ret,
                        size_t *ret_count);

/* A block as it is stored: of the events of its tenant that have these ids. */
struct audit_sealed {
    struct audit_block block;
    struct i64_list ids;
    struct bytes hash;
};
/* Inside of a transaction that read what is sealed. UNIQUE_VIOLATION: somebody else did meanwhile. */
err_t db_audit_seal(struct db *db, struct arena *a, const struct audit_sealed *blocks, size_t count);

/* The end of a tenant's chain, as it is remembered. */
struct audit_chain {
    struct uuid tenant_id;
    int64_t blocks, last_id; /* 0: nothing is sealed */
    struct bytes hash;
    int64_t sealed_to;          /* of all tenants together */
    int64_t cut_blocks, cut_id; /* the last block that is gone, since it was kept long enough, and its last event */
    struct bytes cut_hash;      /* which the next block follows; absent: all are there */
};
/* Of each that has events or blocks, behind `after` (NULL: from the first); `tenant` NULL: of all. */
err_t db_audit_chains(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *after, int at_most,
                      struct audit_chain **ret, size_t *ret_count);
err_t db_audit_blocks(struct db *db, struct arena *a, const struct uuid *tenant, int64_t after, int at_most,
                      struct audit_sealed **ret, size_t *ret_count);
err_t db_audit_events(struct db *db, struct arena *a, const struct uuid *tenant, int64_t after, int64_t up_to,
                      int at_most, struct audit_event **ret, size_t *ret_count);
/* No block is cut away from here to the end of the session. */
err_t db_audit_hold(struct db *db, struct arena *a);
/* A block that is gone, with so many events. */
struct audit_cut {
    struct uuid tenant_id;
    int64_t block, count;
    struct bytes hash;
};
/* The first block of as many as `at_most` tenants goes, where it was sealed more than `keep_s` seconds ago. */
err_t db_audit_cut(struct db *db, struct arena *a, int64_t keep_s, int64_t at_most, struct audit_cut **ret,
                   size_t *ret_count);
/* What a page of a tenant's events looks at, newest first. */
struct activity_wanted {
    struct uuid tenant_id;
    int64_t from_us, to_us;   /* both included */
    int64_t after_us;         /* behind the event of that time, and */
    const struct uuid *after; /* that id; NULL: from the newest on */
    int64_t limit;
};
err_t db_activity_events(struct db *db, struct arena *a, const struct activity_wanted *w, struct audit_event **ret,
                         size_t *ret_count);
/* NO_ROW: there is no such event. */
err_t db_audit_owner(struct db *db, struct arena *a, int64_t id, struct uuid *ret_tenant);

#endif
