/* db/gate.c: reads what the checks before an operation need. It must never unseal anything or remember what it read. */
#include "db/gate.h"

#include <string.h>

#include "core/model.h"

#define POLICY_COLS(type)                                                                                              \
    COL(type, policies.key_names, TEXTS), COL(type, policies.rights, I64S),                                            \
        COL(type, policies.primary_sealed, BYTEAS), COL(type, policies.secondary_sealed, BYTEAS)
#define INSTANCE_COLS                                                                                                  \
    COL(struct db_gate_instance, id_scope, TEXT), COL(struct db_gate_instance, id_scope_text, TEXT),                   \
        COL(struct db_gate_instance, version, I64), COL(struct db_gate_instance, inputs_version, I64),                 \
        COL(struct db_gate_instance, tenant_id, UUID), COL(struct db_gate_instance, name, TEXT),                       \
        POLICY_COLS(struct db_gate_instance)

DB_ROW(gate_instance, struct db_gate_instance, INSTANCE_COLS);
DB_ROW(gate_instances, struct db_gate_instance, COL(struct db_gate_instance, n, I64), INSTANCE_COLS);
DB_ROW(gate_hub, struct db_gate_hub, COL(struct db_gate_hub, hub_id, I64), COL(struct db_gate_hub, version, I64),
       COL(struct db_gate_hub, tenant_id, UUID), COL(struct db_gate_hub, name, TEXT),
       COL_AS(struct db_gate_hub, created_us, TIME, "created_at"), POLICY_COLS(struct db_gate_hub));
DB_ROW(gate_client, struct db_gate_client, COL(struct db_gate_client, tenant_id, UUID),
       COL_WORD(struct db_gate_client, role, role_words), COL_AS(struct db_gate_client, secret, HASH, "secret_sha256"));
DB_ROW(token_key, struct db_token_key, COL(struct db_token_key, kid, TEXT),
       COL(struct db_token_key, private_sealed, BYTEA));

static err_t first_row(struct db *db, enum sql_id statement, const struct db_args *in, void *ret, size_t size)
{
    bool found;
    TRY(db_first(db, statement, in, DB_REPEATABLE, &found, ret, size));
    return found ? NULL : E(NO_ROW);
}

err_t db_gate_instance(struct db *db, struct arena *a, struct str id_scope, struct str name,
                       struct db_gate_instance *ret)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, name);
    return first_row(db, SQL_GATE_INSTANCE, &in, ret, sizeof *ret);
}

err_t db_gate_instances(struct db *db, struct arena *a, const struct str *id_scopes, size_t count,
                        struct arena *const *homes, struct db_gate_instance *ret)
{
    struct db_args in;
    struct rows *r ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_text_array(&in, id_scopes, count);
    TRY(db_call(db, SQL_GATE_INSTANCES, &in, DB_REPEATABLE, &r));
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; i < rows_count(r); i++) {
        int64_t n = rows_place(r, i);
        rows_read(r, i, homes[n - 1], &ret[n - 1], sizeof *ret);
    }
    return NULL;
}

err_t db_gate_hub(struct db *db, struct arena *a, struct str name, struct db_gate_hub *ret)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, name);
    return first_row(db, SQL_GATE_HUB, &in, ret, sizeof *ret);
}

err_t db_gate_client(struct db *db, struct arena *a, const struct uuid *client_id, struct db_gate_client *ret)
{
    struct db_args in;
    db_args_init(&in, a);
    db_uuid(&in, client_id);
    return first_row(db, SQL_GATE_CLIENT, &in, ret, sizeof *ret);
}

err_t db_gate_token_keys(struct db *db, struct arena *a, struct db_token_key **ret, size_t *ret_count)
{
    struct db_args in;
    db_args_init(&in, a);
    TRY(db_all(db, SQL_GATE_TOKEN_KEYS, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count));
    return *ret_count ? NULL : E(NO_ROW);
}

err_t db_gate_ping(struct db *db)
{
    return db_do(db, SQL_GATE_PING, NULL, DB_REPEATABLE);
}
