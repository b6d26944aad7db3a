/* admin.h: what an operator's one-shot commands ask of the database (db/sql/admin.sql): tenants, subscriptions, service
 * principals, the keys that sign access tokens, outside issuers of such, and instances on a given ID scope. Used by
 * idscope-admin alone. Secrets come in sealed or hashed, never plain. */
#ifndef IDSCOPE_DB_ADMIN_H
#define IDSCOPE_DB_ADMIN_H

#include "core/crypt.h"
#include "core/jwks.h"
#include "db/gate.h"
#include "db/resource.h"
#include "db/role.h"

/* NO_ROW when there is no tenant of that name. */
err_t db_admin_tenant_find(struct db *db, struct arena *a, struct str name, struct uuid *ret_tenant);
/* UNIQUE_VIOLATION when the name is taken. */
err_t db_admin_tenant_create(struct db *db, struct arena *a, const struct uuid *tenant, struct str name);
/* NO_ROW when there is no such tenant. */
err_t db_admin_subscription_create(struct db *db, struct arena *a, const struct uuid *tenant,
                                   const struct uuid *subscription, struct str display_name);

/* A client that may ask for tokens. */
struct db_service_principal {
    struct uuid tenant, client;
    struct str display_name;
    struct sha256 secret_hash; /* of the secret as it was shown, once */
};
/* NO_ROW when there is no such tenant. */
err_t db_admin_service_principal_create(struct db *db, struct arena *a, const struct db_service_principal *p);

/* Who may use the deployment: the kinds, and one of them. */
enum admitted_kind { ADMITTED_TENANT, ADMITTED_SUBSCRIPTION, ADMITTED_SERVICE_PRINCIPAL, ADMITTED_KINDS };
struct admitted {
    struct uuid id, tenant;
    struct str name;
    bool two_secrets;                /* the one before the newest is good as well */
    int64_t created_us, disabled_us; /* 0: it is not disabled */
};
/* A page of them by id, behind `after` (NULL: the first), of one tenant or (NULL) all. */
err_t db_admin_list(struct db *db, struct arena *a, enum admitted_kind kind, const struct uuid *tenant,
                    const struct uuid *after, int at_most, struct admitted **ret, size_t *ret_count);
/* NO_ROW when there is none of this id. */
err_t db_admin_find(struct db *db, struct arena *a, enum admitted_kind kind, const struct uuid *id,
                    struct admitted *ret);
/* Role assignments of whatever tenant: which are asked for (NULL: all), and one of them. */
struct assigned_find {
    const struct uuid *tenant, *client, *id;
    const struct uuid *after; /* the last one of the page before; NULL: the first */
};
struct assigned {
    struct role_row is;
    struct uuid tenant;
};
/* A page of them, by id. */
err_t db_admin_roles(struct db *db, struct arena *a, const struct assigned_find *f, int at_most, struct assigned **ret,
                     size_t *ret_count);
/* Enables or disables it; one that is so already stays, without an event. */
err_t db_admin_able(struct db *db, struct arena *a, enum admitted_kind kind, const struct uuid *id, bool enabled);
/* The client's secret has this hash from here on; the one before is good beside it, or (keep_before false) no more. */
struct db_secret_renewal {
    struct uuid client;
    struct sha256 hash;
    bool keep_before;
};
/* NO_ROW when there is no such client. */
err_t db_admin_secret_renew(struct db *db, struct arena *a, const struct db_secret_renewal *s);

/* An instance on an ID scope that is given, with its first policy. */
struct db_admin_instance {
    struct find at;
    struct str name, id_scope, id_scope_text, location;
    struct policy_row policy;
};
/* Inside of a transaction. *ret_issued is false, and nothing is written, when the ID scope was issued before.
 * UNIQUE_VIOLATION: the name is taken, by whomever; whether it rests is db_name_take's to say. */
err_t db_admin_instance_create(struct db *db, struct arena *a, const struct db_admin_instance *i, bool *ret_issued);

/* An instance that was deleted and is not purged. */
struct db_deleted {
    struct find at; /* the group: in which it stood */
    struct str id_scope, id_scope_text, name;
    int64_t deleted_us, until_us; /* 0: it cannot be undeleted any more, since its name was taken anew */
    bool in_time;
};
/* Those of the tenant that can be undeleted: a page by ID scope, behind `after` ("": the first). */
err_t db_admin_deleted(struct db *db, struct arena *a, const struct uuid *tenant, struct str after, int at_most,
                       struct db_deleted **ret, size_t *ret_count);
/* To whom the ID scope was issued. NO_ROW: to nobody. */
err_t db_admin_scope_tenant(struct db *db, struct arena *a, struct str id_scope, struct uuid *ret_tenant);
/* The rest is done inside of one transaction. Keeps the purge away from the ID scope; *ret_retired: its instance was
 * deleted. */
err_t db_admin_scope_lock(struct db *db, struct arena *a, struct str id_scope, bool *ret_retired);
/* The deleted instance of an ID scope, whether it can be undeleted or not. *ret_there is false, and *ret as it was,
 * when it was purged. */
err_t db_admin_deleted_find(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                            bool *ret_there, struct db_deleted *ret);
/* Brings it back. UNIQUE_VIOLATION: the name is taken; whether it rests is db_name_take's to say. */
err_t db_admin_undelete(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope);
/* Names of the hosts of its linked hubs that were deleted. */
err_t db_admin_hubs_gone(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                         struct str_list *ret);

/* Adds a key; of the older ones only the newest is kept. */
err_t db_admin_token_key_create(struct db *db, struct arena *a, const struct db_token_key *key);
struct db_admin_token_key {
    struct str kid;
    int64_t created_us;
};
/* Newest first: that one signs. */
err_t db_admin_token_keys(struct db *db, struct arena *a, struct db_admin_token_key **ret, size_t *ret_count);
/* Ends a key and all tokens that it signed. NO_ROW when there is none of this kid, or it is the one that signs. */
err_t db_admin_token_key_delete(struct db *db, struct arena *a, struct str kid);

/* An outside issuer whose access tokens are taken. */
struct db_admin_issuer {
    struct str issuer, audience, subject_claim;
    struct str tenant_claim; /* absent: tenant */
    struct uuid tenant;      /* zeros when there is a tenant_claim */
    int keys_from;           /* enum keys_from */
    struct str keys_url, failure;
    int64_t created_us, disabled_us, fetched_us;
    int64_t subjects; /* how many are clients */
};
/* Inside of a transaction; `keys` only of KEYS_IN_FILE. UNIQUE_VIOLATION: it is trusted already. NO_ROW: there is no
 * such tenant. */
err_t db_admin_issuer_create(struct db *db, struct arena *a, const struct db_admin_issuer *i,
                             const struct jwks_key *keys, size_t count);
/* All, or the one of that name (absent: all). */
err_t db_admin_issuers(struct db *db, struct arena *a, struct str issuer, struct db_admin_issuer **ret,
                       size_t *ret_count);
err_t db_admin_issuer_able(struct db *db, struct arena *a, struct str issuer, bool enabled);
/* With its keys, and without a word of its subjects; their clients stay. NO_ROW when there is none. */
err_t db_admin_issuer_delete(struct db *db, struct arena *a, struct str issuer);
/* A subject of an issuer is that client. UNIQUE_VIOLATION: it is one already; NO_ROW: there is no such issuer, or none
 * for this tenant. */
err_t db_admin_federated_create(struct db *db, struct arena *a, struct str issuer, struct str subject,
                                const struct db_service_principal *p);

#endif
