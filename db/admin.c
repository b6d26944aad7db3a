/* admin.c: the statements of db/sql/admin.sql as typed calls. It must not make ids, keys or secrets: idscope-admin
 * does.
 */
#include "db/admin.h"

#include "core/model.h"
#include "core/word.h"

DB_VALUE(tenant, struct uuid, tenant_id);
DB_PARAMS(service_principal, struct db_service_principal, COL(tenant), COL(client), COL(display_name),
          COL(secret_hash));
DB_PARAMS(admin_instance, struct db_admin_instance, COL(name), COL(id_scope), COL(id_scope_text), COL(location),
          COL(policy.key_name), COL(policy.rights), COL(policy.primary_sealed), COL(policy.secondary_sealed));
DB_ROW(deleted, struct db_deleted, COL(at.at.tenant_id), COL(at.at.subscription_id), COL_AS(at.at.group_key, "group"),
       COL(at.name_key), COL(id_scope), COL(id_scope_text), COL(name), COL_TIME(deleted_us, "deleted_at"),
       COL_TIME(until_us, "undelete_until"), COL(in_time));
DB_VALUE(retired, bool, retired);
DB_VALUE(host_name, struct str, host_name);
DB_PARAMS(new_token_key, struct db_token_key, COL(kid), COL(private_sealed));

DB_ROW(admin_token_key, struct db_admin_token_key, COL(kid), COL_TIME(created_us, "created_at"));
DB_PARAMS(of_file, struct jwks_key, COL(kid), COL_WORD(algorithm, key_algorithm_words), COL(public));
DB_ROW(admin_issuer, struct db_admin_issuer, COL(issuer), COL(audience), COL(subject_claim), COL(tenant_claim),
       COL_AS(tenant, "tenant_id"), COL_WORD(keys_from, keys_from_words), COL(keys_url), COL(failure),
       COL_TIME(created_us, "created_at"), COL_TIME(disabled_us, "disabled_at"), COL_TIME(fetched_us, "fetched_at"),
       COL(subjects));

DB_PARAMS(secret_renewal, struct db_secret_renewal, COL(client), COL(hash), COL(keep_before));
DB_ROW(admitted, struct admitted, COL(id), COL_AS(tenant, "tenant_id"), COL(name), COL(two_secrets),
       COL_TIME(created_us, "created_at"), COL_TIME(disabled_us, "disabled_at"));

DB_ROW(assigned, struct assigned, COL(is.assignment_id), COL_AS(tenant, "tenant_id"), COL(is.client_id),
       COL_WORD_AS(is.role, role_words, "role"), COL(is.scope_key), COL(is.scope), COL(is.description),
       COL(is.created_by), COL_TIME(is.created_us, "created_at"));

/* For statements that give one row when their parent exists. */
static err_t expect_row(struct db *db, struct arena *a, struct db_call call)
{
    int64_t rows;
    TRY(db_count(db, a, call, DB_ONCE, &rows));
    return rows == 1 ? NULL : E(NO_ROW);
}

err_t db_admin_tenant_find(struct db *db, struct arena *a, struct str name, struct uuid *ret_tenant)
{
    return db_one(db, a, DB_CALL(SQL_ADMIN_TENANT_BY_NAME, db_text(name)), DB_REPEATABLE, ret_tenant,
                  sizeof *ret_tenant);
}

err_t db_admin_tenant_create(struct db *db, struct arena *a, const struct uuid *tenant, struct str name)
{
    return db_do(db, a, DB_CALL(SQL_ADMIN_TENANT_INSERT, db_uuid(tenant), db_text(name)), DB_ONCE);
}

err_t db_admin_subscription_create(struct db *db, struct arena *a, const struct uuid *tenant,
                                   const struct uuid *subscription, struct str display_name)
{
    return expect_row(
        db, a, DB_CALL(SQL_ADMIN_SUBSCRIPTION_INSERT, db_uuid(tenant), db_uuid(subscription), db_text(display_name)));
}

err_t db_admin_service_principal_create(struct db *db, struct arena *a, const struct db_service_principal *p)
{
    return expect_row(db, a, DB_CALL(SQL_ADMIN_SERVICE_PRINCIPAL_INSERT, DB_MEMBERS(service_principal, p)));
}

static const struct {
    enum sql_id list, able;
} admitted_sql[ADMITTED_KINDS] = {
    [ADMITTED_TENANT] = {SQL_ADMIN_TENANTS, SQL_ADMIN_TENANT_ABLE},
    [ADMITTED_SUBSCRIPTION] = {SQL_ADMIN_SUBSCRIPTIONS, SQL_ADMIN_SUBSCRIPTION_ABLE},
    [ADMITTED_SERVICE_PRINCIPAL] = {SQL_ADMIN_SERVICE_PRINCIPALS, SQL_ADMIN_SERVICE_PRINCIPAL_ABLE},
};

err_t db_admin_list(struct db *db, struct arena *a, enum admitted_kind kind, const struct uuid *tenant,
                    const struct uuid *after, int at_most, struct admitted **ret, size_t *ret_count)
{
    return db_all(db, a,
                  DB_CALL(admitted_sql[kind].list, db_uuid(tenant), db_uuid(NULL), db_uuid(after), db_i64(at_most)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_admin_find(struct db *db, struct arena *a, enum admitted_kind kind, const struct uuid *id,
                    struct admitted *ret)
{
    return db_one(db, a, DB_CALL(admitted_sql[kind].list, db_uuid(NULL), db_uuid(id), db_uuid(NULL), db_i64(1)),
                  DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_admin_roles(struct db *db, struct arena *a, const struct assigned_find *f, int at_most, struct assigned **ret,
                     size_t *ret_count)
{
    return db_all(db, a,
                  DB_CALL(SQL_ADMIN_ROLES, db_uuid(f->tenant), db_uuid(f->client), db_uuid(f->id), db_uuid(f->after),
                          db_i64(at_most)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_admin_able(struct db *db, struct arena *a, enum admitted_kind kind, const struct uuid *id, bool enabled)
{
    return db_do(db, a, DB_CALL(admitted_sql[kind].able, db_uuid(id), db_bool(enabled)), DB_ONCE);
}

err_t db_admin_secret_renew(struct db *db, struct arena *a, const struct db_secret_renewal *s)
{
    return expect_row(db, a, DB_CALL(SQL_ADMIN_SECRET_RENEW, DB_MEMBERS(secret_renewal, s)));
}

err_t db_admin_instance_create(struct db *db, struct arena *a, const struct db_admin_instance *i, bool *ret_issued)
{
    int64_t rows;
    TRY(db_count(db, a, DB_CALL(SQL_ADMIN_INSTANCE_INSERT, db_named_in(&i->at), DB_MEMBERS(admin_instance, i)), DB_ONCE,
                 &rows));
    *ret_issued = rows == 1;
    return NULL;
}

err_t db_admin_deleted(struct db *db, struct arena *a, const struct uuid *tenant, struct str after, int at_most,
                       struct db_deleted **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_ADMIN_DELETED, db_uuid(tenant), db_text(after), db_i64(at_most)), DB_REPEATABLE,
                  ret, sizeof **ret, ret_count);
}

err_t db_admin_scope_tenant(struct db *db, struct arena *a, struct str id_scope, struct uuid *ret_tenant)
{
    return db_one(db, a, DB_CALL(SQL_ADMIN_SCOPE_TENANT, db_text(id_scope)), DB_REPEATABLE, ret_tenant,
                  sizeof *ret_tenant);
}

err_t db_admin_scope_lock(struct db *db, struct arena *a, struct str id_scope, bool *ret_retired)
{
    return db_one(db, a, DB_CALL(SQL_ADMIN_SCOPE_LOCK, db_text(id_scope)), DB_ONCE, ret_retired, sizeof *ret_retired);
}

err_t db_admin_deleted_find(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                            bool *ret_there, struct db_deleted *ret)
{
    return db_first(db, a, DB_CALL(SQL_ADMIN_DELETED_FIND, db_uuid(tenant), db_text(id_scope)), DB_ONCE, ret_there, ret,
                    sizeof *ret);
}

err_t db_admin_undelete(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope)
{
    return expect_row(db, a, DB_CALL(SQL_ADMIN_UNDELETE, db_uuid(tenant), db_text(id_scope)));
}

err_t db_admin_hubs_gone(struct db *db, struct arena *a, const struct uuid *tenant, struct str id_scope,
                         struct str_list *ret)
{
    struct str *hosts;
    TRY(db_all(db, a, DB_CALL(SQL_ADMIN_HUBS_GONE, db_uuid(tenant), db_text(id_scope)), DB_ONCE, &hosts, sizeof *hosts,
               &ret->n));
    ret->at = hosts;
    ret->set = true;
    return NULL;
}

err_t db_admin_token_key_create(struct db *db, struct arena *a, const struct db_token_key *key)
{
    TRY(db_do(db, a, DB_CALL(SQL_ADMIN_TOKEN_KEY_INSERT, DB_MEMBERS(new_token_key, key)), DB_ONCE));
    return db_do(db, a, DB_CALL(SQL_ADMIN_TOKEN_KEY_PRUNE), DB_ONCE);
}

err_t db_admin_token_keys(struct db *db, struct arena *a, struct db_admin_token_key **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_ADMIN_TOKEN_KEYS), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_admin_token_key_delete(struct db *db, struct arena *a, struct str kid)
{
    return expect_row(db, a, DB_CALL(SQL_ADMIN_TOKEN_KEY_DELETE, db_text(kid)));
}

err_t db_admin_issuer_create(struct db *db, struct arena *a, const struct db_admin_issuer *i,
                             const struct jwks_key *keys, size_t count)
{
    TRY(expect_row(db, a,
                   DB_CALL(SQL_ADMIN_ISSUER_INSERT, db_text(i->issuer), db_text(i->audience), db_text(i->subject_claim),
                           db_text(i->tenant_claim), db_uuid(i->tenant_claim.p ? NULL : &i->tenant),
                           db_text(word_text(keys_from_words, i->keys_from)), db_text(i->keys_url))));
    if (!count)
        return NULL;
    return db_do(db, a, DB_CALL(SQL_ADMIN_ISSUER_KEY_INSERT, db_text(i->issuer), DB_ARRAYS(of_file, keys, count)),
                 DB_ONCE);
}

err_t db_admin_issuers(struct db *db, struct arena *a, struct str issuer, struct db_admin_issuer **ret,
                       size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_ADMIN_ISSUERS, db_text(issuer)), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_admin_issuer_able(struct db *db, struct arena *a, struct str issuer, bool enabled)
{
    return db_do(db, a, DB_CALL(SQL_ADMIN_ISSUER_ABLE, db_text(issuer), db_bool(enabled)), DB_ONCE);
}

err_t db_admin_issuer_delete(struct db *db, struct arena *a, struct str issuer)
{
    return expect_row(db, a, DB_CALL(SQL_ADMIN_ISSUER_DELETE, db_text(issuer)));
}

err_t db_admin_federated_create(struct db *db, struct arena *a, struct str issuer, struct str subject,
                                const struct db_service_principal *p)
{
    return expect_row(db, a,
                      DB_CALL(SQL_ADMIN_FEDERATED_INSERT, db_text(issuer), db_text(subject), db_uuid(&p->tenant),
                              db_uuid(&p->client)));
}
