/* db/gate.h: what the checks know of an instance, a hub or a client (api/gate.h), as it is read (db/sql/gate.sql):
 * still sealed. Most are asked for before a tenant is known. NO_ROW when there is no such thing. */
#ifndef IDSCOPE_DB_GATE_H
#define IDSCOPE_DB_GATE_H

#include "core/ip_filter.h"
#include "core/keypair.h"
#include "core/quota.h"
#include "db/db.h"

/* A shared access policy, opened: with the rights that others imply. */
struct gate_policy {
    struct str name; /* as given */
    int rights;      /* bits */
    struct keypair keys;
};
/* Those of one instance or hub: as they are stored, in parallel lists, and as the gate opens them. */
struct gate_policies {
    struct str_list key_names;
    struct i64_list rights;
    struct bytes_list primary_sealed, secondary_sealed;
    struct gate_policy *at; /* key_names.n of them; NULL here */
};

struct gate_instance {
    int64_t n;           /* of db_gate_instances: its place among those that were asked for, from 1 */
    struct str id_scope; /* key: lower case */
    struct str id_scope_text, name;
    int64_t version, inputs_version; /* 0: no instance has this ID scope */
    struct uuid tenant_id;
    struct str_list limit_names; /* with their values: those that its tenant or it has of its own */
    struct i64_list limits;
    struct quotas quotas;    /* which hold for it; nothing here */
    int64_t registrations;   /* as they were counted last, where there is a limit of them */
    struct str role_scope;   /* its own, see core/role.h; absent from db_gate_instances */
    struct str network;      /* who may call it, as it is stored */
    struct ip_filter filter; /* the same, read; nothing here */
    struct gate_policies policies;
};

struct gate_hub {
    int64_t hub_id, version, created_us;
    struct uuid tenant_id;
    struct str name;
    struct str network;
    struct ip_filter filter;
    struct gate_policies policies;
};

/* What a client may do, and where (core/role.h): as it is stored, in parallel lists, and as the gate reads it. */
struct gate_grant {
    int role; /* enum role */
    struct str scope;
};
struct gate_grants {
    struct str_list roles, scopes;
    struct gate_grant *at; /* roles.n of them; NULL here */
};

struct gate_client {
    struct uuid client_id, tenant_id;
    struct gate_grants grants;
    struct sha256 secret;                   /* hash of it */
    struct bytes secret_before;             /* hash of the one before, while that is good as well; absent */
    struct str_list disabled_subscriptions; /* of its tenant */
};

struct db_token_key {
    struct str kid;
    struct bytes private_sealed;
};

/* By ID scope or by name, both in lower case; the other one is absent. `counts`: the deployment has a limit of
 * registrations. */
err_t db_gate_instance(struct db *db, struct arena *a, struct str id_scope, struct str name, bool counts,
                       struct gate_instance *ret);
/* Many by ID scope. What is found of id_scopes[i] goes to ret[i], its texts to the arena homes[i]; ret[i].id_scope is
 * absent when nothing is. */
err_t db_gate_instances(struct db *db, struct arena *a, const struct str *id_scopes, size_t count, bool counts,
                        struct arena *const *homes, struct gate_instance *ret);
/* A built-in hub that is not deleted, by its name in lower case. */
err_t db_gate_hub(struct db *db, struct arena *a, struct str name, struct gate_hub *ret);
/* A service principal. */
err_t db_gate_client(struct db *db, struct arena *a, const struct uuid *client_id, struct gate_client *ret);
/* The usable keys that sign access tokens, newest first; NO_ROW when there is none. */
err_t db_gate_token_keys(struct db *db, struct arena *a, struct db_token_key **ret, size_t *ret_count);
/* An outside issuer, with its keys in parallel lists. */
struct db_gate_issuer {
    struct str issuer, audience, subject_claim, tenant_claim; /* tenant_claim: absent, its tenant is fixed */
    struct str_list kids, algorithms;
    struct bytes_list public_keys;
};
/* Those that are not disabled; keys that were last fetched longer ago than that are left out. */
err_t db_gate_issuers(struct db *db, struct arena *a, int64_t kept_ms, struct db_gate_issuer **ret, size_t *ret_count);
/* Whom a token of an outside issuer means: NO_ROW when nobody is registered as its subject, in the tenant that it says.
 */
struct db_federated {
    struct str issuer, subject, tenant; /* tenant: as the token says; absent: it need not */
};
err_t db_gate_federated(struct db *db, struct arena *a, const struct db_federated *f, struct uuid *ret_client);
/* The issuer's keys are to be fetched soon, but no sooner than rest_ms after the last time. */
err_t db_gate_issuer_wanted(struct db *db, struct arena *a, struct str issuer, int64_t rest_ms);
/* How many connections of this application there are to this database; at least 1. */
err_t db_gate_processes(struct db *db, struct str application, int64_t *ret);
/* Does the database answer on this connection? */
err_t db_gate_ping(struct db *db);

#endif
