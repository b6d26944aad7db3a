/* db/gate.c: reads what the checks before an operation need. It must never unseal anything or remember what it read. */
#include "db/gate.h"

#include <string.h>

#include "db/row.h"

static err_t first_row(struct db *db, enum sql_id statement, const struct db_args *in, struct rows **ret)
{
    TRY(db_call(db, statement, in, DB_REPEATABLE, ret));
    return rows_count(*ret) ? NULL : E(NO_ROW);
}

/* The four parallel arrays from `column` on; they are as long as the first one. */
static void read_policies(const struct rows *r, size_t row, int column, struct arena *a, struct db_policies *ret)
{
    ret->count = row_text_array(r, row, column, a, &ret->names);
    row_i64_array(r, row, column + 1, a, &ret->rights);
    row_bytea_array(r, row, column + 2, a, &ret->primary_sealed);
    row_bytea_array(r, row, column + 3, a, &ret->secondary_sealed);
}

static void read_instance(const struct rows *r, size_t row, struct arena *a, struct db_gate_instance *ret)
{
    ret->id_scope = row_text(r, row, 0, a);
    ret->id_scope_text = row_text(r, row, 1, a);
    ret->version = row_i64(r, row, 2);
    ret->inputs_version = row_i64(r, row, 3);
    ret->tenant_id = row_uuid(r, row, 4);
    ret->name = row_text(r, row, 5, a);
    ret->allocation_policy = row_text(r, row, 6, a);
    read_policies(r, row, 7, a, &ret->policies);
}

err_t db_gate_instance(struct db *db, struct arena *a, struct str id_scope, struct str name,
                       struct db_gate_instance *ret)
{
    struct db_args in;
    ROWS_CLEANUP struct rows *r = NULL;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, name);
    TRY(first_row(db, SQL_GATE_INSTANCE, &in, &r));
    read_instance(r, 0, a, ret);
    return NULL;
}

err_t db_gate_instances(struct db *db, struct arena *a, const struct str *id_scopes, size_t count,
                        struct arena *const *homes, struct db_gate_instance *ret)
{
    struct db_args in;
    ROWS_CLEANUP struct rows *r = NULL;
    db_args_init(&in, a);
    db_text_array(&in, id_scopes, count);
    TRY(db_call(db, SQL_GATE_INSTANCES, &in, DB_REPEATABLE, &r));
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; i < rows_count(r); i++) {
        int64_t n = row_i64(r, i, 11) - 1;
        read_instance(r, i, homes[n], &ret[n]);
    }
    return NULL;
}

err_t db_gate_hub(struct db *db, struct arena *a, struct str name, struct db_gate_hub *ret)
{
    struct db_args in;
    ROWS_CLEANUP struct rows *r = NULL;
    db_args_init(&in, a);
    db_text(&in, name);
    TRY(first_row(db, SQL_GATE_HUB, &in, &r));
    ret->hub_id = row_i64(r, 0, 0);
    ret->version = row_i64(r, 0, 1);
    ret->tenant_id = row_uuid(r, 0, 2);
    ret->name = row_text(r, 0, 3, a);
    read_policies(r, 0, 4, a, &ret->policies);
    return NULL;
}

err_t db_gate_client(struct db *db, struct arena *a, const struct uuid *client_id, struct db_gate_client *ret)
{
    struct db_args in;
    ROWS_CLEANUP struct rows *r = NULL;
    db_args_init(&in, a);
    db_uuid(&in, client_id);
    TRY(first_row(db, SQL_GATE_CLIENT, &in, &r));
    struct bytes secret = row_bytea(r, 0, 2, a);
    if (secret.n != sizeof ret->secret.b)
        return E(NO_ROW);
    ret->tenant_id = row_uuid(r, 0, 0);
    ret->role = row_text(r, 0, 1, a);
    memcpy(ret->secret.b, secret.p, sizeof ret->secret.b);
    return NULL;
}

err_t db_gate_token_keys(struct db *db, struct arena *a, struct db_token_key ret[DB_TOKEN_KEYS_MAX], size_t *ret_count)
{
    ROWS_CLEANUP struct rows *r = NULL;
    TRY(first_row(db, SQL_GATE_TOKEN_KEYS, NULL, &r));
    size_t count = rows_count(r);
    for (size_t i = 0; i < count && i < DB_TOKEN_KEYS_MAX; i++)
        ret[i] = (struct db_token_key){row_text(r, i, 0, a), row_bytea(r, i, 1, a)};
    *ret_count = count < DB_TOKEN_KEYS_MAX ? count : DB_TOKEN_KEYS_MAX;
    return NULL;
}

err_t db_gate_ping(struct db *db)
{
    return db_call(db, SQL_GATE_PING, NULL, DB_REPEATABLE, NULL);
}
