/* db/gate.c: reads what the checks before an operation need. It must never unseal anything or remember what it read. */
#include "db/gate.h"

#include <string.h>

#include "core/model.h"

#define POLICY_COLS                                                                                                    \
    COL(network), COL(policies.key_names), COL(policies.rights), COL(policies.primary_sealed),                         \
        COL(policies.secondary_sealed)
#define INSTANCE_COLS                                                                                                  \
    COL(id_scope), COL(id_scope_text), COL(version), COL(inputs_version), COL(tenant_id), COL(name), COL(limit_names), \
        COL(limits), COL(registrations), POLICY_COLS

DB_ROW(gate_instance, struct gate_instance, INSTANCE_COLS, COL(role_scope));
DB_ROW(gate_instances, struct gate_instance, COL(n), INSTANCE_COLS);
DB_ROW(gate_hub, struct gate_hub, COL(hub_id), COL(version), COL(tenant_id), COL(name),
       COL_TIME(created_us, "created_at"), POLICY_COLS);
DB_ROW(gate_client, struct gate_client, COL(client_id), COL(tenant_id), COL(grants.roles), COL(grants.scopes),
       COL_AS(secret, "secret_sha256"), COL_AS(secret_before, "secret_before_sha256"), COL(disabled_subscriptions));
DB_ROW(gate_issuer, struct db_gate_issuer, COL(issuer), COL(audience), COL(subject_claim), COL(tenant_claim), COL(kids),
       COL(algorithms), COL(public_keys));
DB_VALUE(federated, struct uuid, client_id);
DB_PARAMS(of_federated, struct db_federated, COL(issuer), COL(subject), COL(tenant));
DB_VALUE(gate_processes, int64_t, processes);
DB_ROW(token_key, struct db_token_key, COL(kid), COL(private_sealed));

err_t db_gate_instance(struct db *db, struct arena *a, struct str id_scope, struct str name, bool counts,
                       struct gate_instance *ret)
{
    return db_one(db, a, DB_CALL(SQL_GATE_INSTANCE, db_text(id_scope), db_text(name), db_bool(counts)), DB_REPEATABLE,
                  ret, sizeof *ret);
}

err_t db_gate_instances(struct db *db, struct arena *a, const struct str *id_scopes, size_t count, bool counts,
                        struct arena *const *homes, struct gate_instance *ret)
{
    struct rows *r ROWS_CLEANUP = NULL;
    TRY(db_rows(db, a, DB_CALL(SQL_GATE_INSTANCES, db_texts(id_scopes, count), db_bool(counts)), DB_REPEATABLE, &r));
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; i < rows_count(r); i++) {
        size_t n = rows_place(r, i);
        rows_read(r, i, homes[n - 1], &ret[n - 1], sizeof *ret);
    }
    return NULL;
}

err_t db_gate_hub(struct db *db, struct arena *a, struct str name, struct gate_hub *ret)
{
    return db_one(db, a, DB_CALL(SQL_GATE_HUB, db_text(name)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_gate_client(struct db *db, struct arena *a, const struct uuid *client_id, struct gate_client *ret)
{
    return db_one(db, a, DB_CALL(SQL_GATE_CLIENT, db_uuid(client_id)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_gate_token_keys(struct db *db, struct arena *a, struct db_token_key **ret, size_t *ret_count)
{
    TRY(db_all(db, a, DB_CALL(SQL_GATE_TOKEN_KEYS), DB_REPEATABLE, ret, sizeof **ret, ret_count));
    return *ret_count ? NULL : E(NO_ROW);
}

err_t db_gate_issuers(struct db *db, struct arena *a, int64_t kept_ms, struct db_gate_issuer **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_GATE_ISSUERS, db_i64(kept_ms)), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_gate_federated(struct db *db, struct arena *a, const struct db_federated *f, struct uuid *ret_client)
{
    return db_one(db, a, DB_CALL(SQL_GATE_FEDERATED, DB_MEMBERS(of_federated, f)), DB_REPEATABLE, ret_client,
                  sizeof *ret_client);
}

err_t db_gate_issuer_wanted(struct db *db, struct arena *a, struct str issuer, int64_t rest_ms)
{
    return db_do(db, a, DB_CALL(SQL_GATE_ISSUER_WANTED, db_text(issuer), db_i64(rest_ms)), DB_REPEATABLE);
}

err_t db_gate_processes(struct db *db, struct str application, int64_t *ret)
{
    return db_one(db, NULL, DB_CALL(SQL_GATE_PROCESSES, db_text(application)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_gate_ping(struct db *db)
{
    return db_do(db, NULL, DB_CALL(SQL_GATE_PING), DB_REPEATABLE);
}
