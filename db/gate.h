/* db/gate.h: the row sets behind the gate (db/sql/gate.sql), still sealed. Most are asked for before a tenant is
 * known. NO_ROW when there is no such thing. */
#ifndef IDSCOPE_DB_GATE_H
#define IDSCOPE_DB_GATE_H

#include "core/crypt.h"
#include "db/db.h"

/* Shared access policies, as parallel lists. */
struct db_policies {
    struct str_list key_names;
    struct i64_list rights;
    struct bytes_list primary_sealed, secondary_sealed;
};

struct db_gate_instance {
    int64_t n; /* of db_gate_instances: its place among those that were asked for, from 1 */
    struct str id_scope, id_scope_text, name;
    int64_t version, inputs_version;
    struct uuid tenant_id;
    struct db_policies policies;
};

struct db_gate_hub {
    int64_t hub_id, version, created_us;
    struct uuid tenant_id;
    struct str name;
    struct db_policies policies;
};

struct db_gate_client {
    struct uuid tenant_id;
    int role;             /* enum role */
    struct sha256 secret; /* hash of it */
};

struct db_token_key {
    struct str kid;
    struct bytes private_sealed;
};

/* By ID scope or by name, both in lower case; the other one is absent. */
err_t db_gate_instance(struct db *db, struct arena *a, struct str id_scope, struct str name,
                       struct db_gate_instance *ret);
/* Many by ID scope. What is found of id_scopes[i] goes to ret[i], its texts to the arena homes[i]; ret[i].id_scope is
 * absent when nothing is. */
err_t db_gate_instances(struct db *db, struct arena *a, const struct str *id_scopes, size_t count,
                        struct arena *const *homes, struct db_gate_instance *ret);
/* A built-in hub that is not deleted, by its name in lower case. */
err_t db_gate_hub(struct db *db, struct arena *a, struct str name, struct db_gate_hub *ret);
/* A service principal. */
err_t db_gate_client(struct db *db, struct arena *a, const struct uuid *client_id, struct db_gate_client *ret);
/* The usable keys that sign access tokens, newest first; NO_ROW when there is none. */
err_t db_gate_token_keys(struct db *db, struct arena *a, struct db_token_key **ret, size_t *ret_count);
/* Does the database answer on this connection? */
err_t db_gate_ping(struct db *db);

#endif
