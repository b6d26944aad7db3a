/* admin.c: the statements of db/sql/admin.sql as typed calls. It must not make ids, keys or secrets: api/admin.c does.
 */
#include "db/admin.h"

struct tenant {
    struct uuid tenant_id;
};
DB_ROW(tenant, struct tenant, COL(struct tenant, tenant_id, UUID));

/* For statements that give one row when their parent exists. */
static err_t expect_row(struct db *db, enum sql_id statement, const struct db_args *in)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_call(db, statement, in, DB_ONCE, &rows));
    return rows_count(rows) == 1 ? NULL : E(NO_ROW);
}

err_t db_admin_tenant_find(struct db *db, struct arena *a, struct str name, struct uuid *ret_tenant)
{
    struct db_args in;
    struct tenant t;
    bool found;
    db_args_init(&in, a);
    db_text(&in, name);
    TRY(db_first(db, SQL_ADMIN_TENANT_BY_NAME, &in, DB_REPEATABLE, &found, &t, sizeof t));
    if (found)
        *ret_tenant = t.tenant_id;
    return found ? NULL : E(NO_ROW);
}

err_t db_admin_tenant_create(struct db *db, struct arena *a, const struct uuid *tenant, struct str name)
{
    struct db_args in;
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    db_text(&in, name);
    return db_do(db, SQL_ADMIN_TENANT_INSERT, &in, DB_ONCE);
}

err_t db_admin_subscription_create(struct db *db, struct arena *a, const struct uuid *tenant,
                                   const struct uuid *subscription, struct str display_name)
{
    struct db_args in;
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    db_uuid(&in, subscription);
    db_text(&in, display_name);
    return expect_row(db, SQL_ADMIN_SUBSCRIPTION_INSERT, &in);
}

err_t db_admin_service_principal_create(struct db *db, struct arena *a, const struct db_service_principal *p)
{
    struct db_args in;
    db_args_init(&in, a);
    db_uuid(&in, &p->tenant);
    db_uuid(&in, &p->client);
    db_text(&in, p->display_name);
    db_text(&in, p->role);
    db_bytea(&in, (struct bytes){p->secret_hash.b, sizeof p->secret_hash.b});
    return expect_row(db, SQL_ADMIN_SERVICE_PRINCIPAL_INSERT, &in);
}

err_t db_admin_token_key_create(struct db *db, struct arena *a, const struct db_token_key *key)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, key->kid);
    db_bytea(&in, key->private_sealed);
    TRY(db_do(db, SQL_ADMIN_TOKEN_KEY_INSERT, &in, DB_ONCE));
    return db_do(db, SQL_ADMIN_TOKEN_KEY_PRUNE, NULL, DB_ONCE);
}
