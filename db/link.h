/* link.h: linked hubs and latency figures as the worker needs them (db/sql/link.sql). Credentials come sealed. */
#ifndef IDSCOPE_DB_LINK_H
#define IDSCOPE_DB_LINK_H

#include "core/model.h"
#include "db/db.h"

struct db_link {
    struct str host, host_name; /* lower case; as linked */
    struct str hub_key;         /* set: linked by resource id to this built-in hub */
    struct str key_name;
    struct bytes primary_sealed;   /* the link's own, or the policy's; absent when the policy is gone */
    struct str secondary_key_name; /* second credential of a link by connection string */
    struct bytes secondary_sealed;
    int weight;
    bool apply;
    int state; /* enum link_state */
    struct str reason;
    int64_t state_since_us, slow_until_us;
    int64_t credential_version;
    bool only_policy_gone; /* links by resource id: the hub is there, its policy is not */
};

/* All links of the scope, by host; or the one of `host`. */
err_t db_link_find(struct db *db, struct arena *a, struct str id_scope, struct str host, struct db_link **ret,
                   size_t *ret_count);

/* The outcome of a probe. */
struct db_link_validated {
    struct str id_scope, host;
    int64_t fence, credential_version; /* that was claimed; that was tried */
    int state;
    struct str reason; /* absent: nothing to say */
    bool good;         /* a credential was accepted */
    int64_t next_ms;   /* to the next probe */
};
/* Ends the job and stores the state; *ret_taken is false when the credential changed meanwhile, or the job is somebody
 * else's. */
err_t db_link_validated(struct db *db, struct arena *a, const struct db_link_validated *v, bool *ret_taken);
/* Holds calls to a hub back for so long (0: not), and lets it be validated soon. */
err_t db_link_trouble(struct db *db, struct arena *a, struct str id_scope, struct str host, int64_t slow_ms,
                      bool validate);
/* Makes assignments due that wait for those of these hosts (in lower case) that are usable now. Not within a
 * transaction that wrote a link's state or a wait: it is to see what others have written by its end. */
err_t db_link_wake_assign(struct db *db, struct arena *a, struct str id_scope, const struct str *hosts, size_t count);

/* Figures of a host as a region measures them; p50 and p95 of the time to connect. */
struct db_latency {
    struct str region, host;
    int64_t *samples_us;
    size_t sample_count;
    int32_t p50_us, p95_us;
    int32_t tls_us, http_us; /* 0: not known */
};
/* The samples that stand; none when the host was never measured. young: measured less than young_ms ago. */
struct db_latency_found {
    struct i64_list samples_us;
    bool young;
};
err_t db_latency_find(struct db *db, struct arena *a, struct str region, struct str host, int64_t young_ms,
                      struct db_latency_found *ret);
/* Replaces the figures of the host. */
err_t db_latency_write(struct db *db, struct arena *a, const struct db_latency *l);

struct db_latency_of {
    struct str host;
    int64_t p50_us;
};
/* The figures of a region for the links of a scope that are no older than fresh_s seconds. */
err_t db_latency_of_scope(struct db *db, struct arena *a, struct str id_scope, struct str region, int64_t fresh_s,
                          struct db_latency_of **ret, size_t *ret_count);

#endif
