/* instance.h: provisioning service instances and their linked hubs as the management plane sees them
 * (db/sql/instance.sql). */
#ifndef IDSCOPE_DB_INSTANCE_H
#define IDSCOPE_DB_INSTANCE_H

#include "core/model.h"
#include "db/resource.h"

/* A linked hub. */
struct linked_row {
    struct str id_scope;
    struct str host, host_name; /* key, and as linked */
    struct str location;
    struct str hub_key;          /* linked by resource to this hub; absent: by connection string */
    struct str key_name;         /* the policy */
    struct bytes primary_sealed; /* p NULL: linked by resource */
    struct str secondary_key_name;
    struct bytes secondary_sealed; /* p NULL: no second credential */
    int64_t weight;                /* 0: never set */
    enum tri apply;
    struct uuid etag;
    int state; /* enum link_state */
    struct str reason;
    int64_t state_since_us, last_good_us;
    struct uuid hub_subscription; /* of a link by resource whose hub is there: */
    struct str hub_group, hub_name;
};

struct instance_row {
    struct resource_row is;
    struct str id_scope, id_scope_text;
    int64_t sku_capacity;
    int allocation_policy; /* enum allocation_policy */
    int existing_device;   /* enum existing_device */
    struct linked_row *links;
    size_t link_count;
};

/* One instance (find.name_key) or a page of them, with their links. */
err_t db_instance_find(struct db *db, struct arena *a, const struct find *f, struct place_found *ret_found,
                       struct instance_row **ret, size_t *ret_count, bool *ret_more);
/* The policies of an instance, or the one of `key_name_key`; *ret_id_scope is absent when there is no such instance. */
err_t db_instance_policies(struct db *db, struct arena *a, const struct find *instance, struct str key_name_key,
                           struct place_found *ret_found, struct str *ret_id_scope, struct policy_row **ret,
                           size_t *ret_count);
/* Deletes the instance and retires its ID scope; so many seconds its rows stay, in case it is undeleted (0: they are
 * purged at once). `etag`: that it must have, as clients see it; absent: any.
 * *ret_id_scope is absent when there was none. */
err_t db_instance_delete(struct db *db, struct arena *a, const struct find *instance, struct str etag,
                         int64_t undelete_s, struct place_found *ret_found, struct str *ret_id_scope);

/* The links of some ID scopes in their order, or the one of `host`. */
err_t db_linked_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct str *id_scopes,
                     size_t scope_count, struct str host, struct linked_row **ret, size_t *ret_count);
/* Who else links a hub: other instances of the tenant, by name; and, of a hub of its own, whether other tenants do. */
struct linked_elsewhere {
    struct str host;
    struct str_list instances;
    bool by_others;
};
/* Of each link of the instance. `suffix`: what ends the host names of built-in hubs. */
err_t db_linked_elsewhere(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                          struct str suffix, struct linked_elsewhere **ret, size_t *ret_count);
/* An enrollment or an enrollment group that names a hub. */
struct linked_named {
    struct str key; /* by which they are ordered */
    bool of_group, enabled;
    struct str registration_id; /* or the group's id */
};
/* A page of those of the instance that name the host, be it linked or not; groups first. `after`: the last one's key of
 * the page before; absent: from the first. */
struct linked_named_page {
    struct uuid tenant_id;
    struct str id_scope, host; /* both in lower case */
    struct str after;
    int64_t most; /* rows; 0, or more than DB_PAGE: DB_PAGE */
};
err_t db_linked_named(struct db *db, struct arena *a, const struct linked_named_page *page, struct linked_named **ret,
                      size_t *ret_count, bool *ret_more);
/* How many name one of the hosts; 0 as well when the instance is gone. */
err_t db_linked_named_count(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                            const struct str *hosts, size_t count, int64_t *ret);
/* How far away a host is from a region: median and 95th percentile of the time to connect, of so many measurements. */
struct latency_row {
    struct str host, region;
    int64_t p50_us, p95_us, count, measured_us;
};
/* All regions' figures of these hosts, by host and region. */
err_t db_linked_latency(struct db *db, struct arena *a, const struct str *hosts, size_t host_count,
                        struct latency_row **ret, size_t *ret_count);

/* Replaces the tags; the etag becomes a new one. `etag`: that it must have, as clients see it; absent: any. *ret_done
 * is false when there was none. */
err_t db_instance_retag(struct db *db, struct arena *a, const struct find *instance, struct str etag, struct str tags,
                        struct place_found *ret_found, bool *ret_done);

/* --- inside of a transaction -------------------------------------------------------------------------------------- */

struct instance_locked {
    struct str id_scope; /* absent: there is none */
    struct str location, tags, properties, network;
    struct uuid etag;
    int64_t sku_capacity;
    int allocation_policy, existing_device;
};
/* Two writers of one instance wait for each other here. */
err_t db_instance_lock(struct db *db, struct arena *a, const struct find *instance, struct instance_locked *ret);
struct tenant_holds {
    int64_t instances, links, of_subscription; /* the last: instances of the subscription that was asked about */
    struct str_list limit_names;               /* with their values: limits that it has of its own */
    struct i64_list limits;
};
/* With what this transaction wrote, and with what others did before they ended: until it ends, none of the tenant is
 * told another count. */
err_t db_tenant_holds(struct db *db, struct arena *a, const struct place *at, struct tenant_holds *ret);
/* The same for who only asks: no one waits. */
err_t db_place_holds(struct db *db, struct arena *a, const struct place *at, struct tenant_holds *ret);
/* Issues the ID scope with it; *ret_issued is false, and nothing is written, when it was issued before.
 * UNIQUE_VIOLATION: the name is taken, by whomever. The group must be held. */
err_t db_instance_insert(struct db *db, struct arena *a, const struct find *instance, const struct instance_row *i,
                         bool *ret_issued);
/* Of what is locked: tags, capacity, allocation policy and properties; if it has changed, also in what hangs on it, the
 * etag becomes a new one. */
err_t db_instance_update(struct db *db, struct arena *a, const struct uuid *tenant, const struct instance_row *i,
                         bool changed);
/* Replaces all policies. */
err_t db_instance_policy_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                             const struct policy_row *policies, size_t count);
/* What was checked against the instance is stale from here on; `inputs_changed`: and what was chosen is chosen anew
 * when a device registers. */
err_t db_scope_touch(struct db *db, struct arena *a, struct str id_scope, bool inputs_changed);

/* The hub that a link by resource names; *ret_there is false when the tenant has none. rights 0: it has no such policy.
 */
struct linked_target {
    struct str hub_name, location, key_name;
    int rights;
};
err_t db_linked_target(struct db *db, struct arena *a, const struct find *hub, struct str key_name_key, bool *ret_there,
                       struct linked_target *ret);
/* Replaces the set of links; those whose credential differs from the stored one become pending. */
err_t db_linked_put(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                    const struct linked_row *links, size_t count);
/* Writes down what was done to one link; when it `differs`, its instance gets another etag. */
err_t db_linked_note(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope, struct str host,
                     const char *change, bool differs);
/* Has the hosts probed and measured at once; probes go before those that have been due for less than ahead_ms. */
err_t db_linked_jobs(struct db *db, struct arena *a, struct str id_scope, int64_t ahead_ms, const struct str *hosts,
                     size_t count);

#endif
