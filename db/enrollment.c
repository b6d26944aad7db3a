/* enrollment.c: individual enrollments. It must never open a key, nor write past a change of the instance. */
#include "db/enrollment.h"

#include "db/tenancy.h"
#include "db/word.h"

static struct str_list read_hubs(const struct rows *r, size_t row, int column, struct arena *a)
{
    struct str_list list = {.set = row_bool(r, row, column)};
    list.n = row_text_array(r, row, column + 1, a, &list.at);
    return list;
}

static enum tri tri_of(bool b)
{
    return b ? TRI_TRUE : TRI_FALSE;
}

static struct enrollment read_enrollment(const struct rows *r, struct arena *a)
{
    struct enrollment e = {
        .registration_id = row_text(r, 0, 0, a),
        .device_id = row_text(r, 0, 1, a),
        .provisioning_status = row_bool(r, 0, 4) ? PROVISIONING_ENABLED : PROVISIONING_DISABLED,
        .allocation_policy = word_number(policy_words, row_view(r, 0, 5)),
        .iot_hubs = read_hubs(r, 0, 6, a),
        .iot_hub_host_name = row_text(r, 0, 8, a),
        .reprovision_policy = ARENA_NEW(a, struct reprovision_policy),
        .capabilities = ARENA_NEW(a, struct capabilities),
        .created_us = row_time(r, 0, 13),
        .updated_us = row_time(r, 0, 14),
        .initial_twin = row_text(r, 0, 15, a),
        .optional_device_information = row_text(r, 0, 16, a),
    };
    e.reprovision_policy->update_hub_assignment = tri_of(row_bool(r, 0, 9));
    e.reprovision_policy->migrate_device_data = tri_of(row_bool(r, 0, 10));
    e.capabilities->iot_edge = tri_of(row_bool(r, 0, 11));
    return e;
}

static void read_row(const struct rows *r, struct arena *a, bool *ret_found, struct enrollment_row *ret)
{
    *ret_found = rows_count(r) == 1;
    if (*ret_found)
        *ret = (struct enrollment_row){
            .enrollment = read_enrollment(r, a),
            .attestation = {word_number(attestation_type_words, row_view(r, 0, 2)), row_bytea(r, 0, 3, a)},
            .etag = row_uuid(r, 0, 12),
            .registration = db_registration_row(r, 0, 17, a),
        };
}

static void find_args(struct db_args *in, struct arena *a, struct str id_scope, struct str registration_key)
{
    db_args_init(in, a);
    db_text(in, id_scope);
    db_text(in, registration_key);
}

err_t db_enrollment_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                         bool *ret_found, struct enrollment_row *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    find_args(&in, a, id_scope, registration_key);
    TRY(db_call(db, SQL_ENROLLMENT_FIND, &in, DB_REPEATABLE, &rows));
    read_row(rows, a, ret_found, ret);
    return NULL;
}

static struct enrollment_outcome read_outcome(const struct rows *r, struct arena *a)
{
    return (struct enrollment_outcome){
        .live = row_bool(r, 0, 0),
        .unlinked = row_text(r, 0, 1, a),
        .written = row_bool(r, 0, 2),
        .found = row_bool(r, 0, 3),
        .matches = row_bool(r, 0, 4),
    };
}

static void put_args(struct db_args *in, struct arena *a, const struct enrollment_guard *g,
                     const struct enrollment_row *row)
{
    const struct enrollment *e = &row->enrollment;
    struct str *hosts = ARENA_NEW_ARRAY(a, e->iot_hubs.n, struct str);
    for (size_t i = 0; i < e->iot_hubs.n; i++)
        hosts[i] = arena_lower(a, e->iot_hubs.at[i]);
    db_args_init(in, a);
    db_text(in, g->id_scope);
    db_i64(in, g->scope_version);
    db_uuid(in, &g->tenant_id);
    db_text(in, g->registration_key);
    db_text(in, e->registration_id);
    db_text(in, e->device_id);
    db_text(in, word_text(attestation_type_words, row->attestation.type));
    db_bytea(in, row->attestation.sealed);
    db_bool(in, e->provisioning_status == PROVISIONING_ENABLED);
    db_text(in, word_text(policy_words, e->allocation_policy));
    db_bool(in, e->iot_hubs.set);
    db_text_array(in, e->iot_hubs.at, e->iot_hubs.n);
    db_text_array(in, hosts, e->iot_hubs.n);
    db_text(in, e->iot_hub_host_name);
    db_bool(in, e->reprovision_policy->update_hub_assignment == TRI_TRUE);
    db_bool(in, e->reprovision_policy->migrate_device_data == TRI_TRUE);
    db_bool(in, e->capabilities->iot_edge == TRI_TRUE);
    db_json(in, e->initial_twin);
    db_json(in, e->optional_device_information);
}

err_t db_enrollment_put(struct db *db, struct arena *a, const struct enrollment_guard *g,
                        const struct enrollment_row *e, bool update, struct enrollment_outcome *ret_outcome,
                        struct enrollment_row *ret)
{
    struct db_args put, find;
    struct rows *rows[2];
    bool found;
    put_args(&put, a, g, e);
    if (update)
        db_uuid(&put, g->etag);
    find_args(&find, a, g->id_scope, g->registration_key);
    const struct db_batch_call calls[] = {{update ? SQL_ENROLLMENT_UPDATE : SQL_ENROLLMENT_INSERT, &put},
                                          {SQL_ENROLLMENT_FIND, &find}};
    TRY(db_tenant_pipeline(db, a, &g->tenant_id, calls, 2, rows));
    *ret_outcome = read_outcome(rows[0], a);
    if (ret_outcome->written)
        read_row(rows[1], a, &found, ret);
    rows_free(rows[0]);
    rows_free(rows[1]);
    return NULL;
}

err_t db_enrollment_delete(struct db *db, struct arena *a, const struct enrollment_guard *g,
                           struct enrollment_outcome *ret_outcome)
{
    struct db_args in, forget;
    struct rows *rows[2];
    db_args_init(&in, a);
    db_text(&in, g->id_scope);
    db_i64(&in, g->scope_version);
    db_text(&in, g->registration_key);
    db_uuid(&in, g->etag);
    struct registration_guard registration = {g->id_scope, g->scope_version, g->registration_key, NULL};
    db_registration_delete_args(&forget, a, &registration, true, g->etag);
    const struct db_batch_call calls[] = {{SQL_REGISTRATION_DELETE, &forget}, {SQL_ENROLLMENT_DELETE, &in}};
    TRY(db_tenant_pipeline(db, a, &g->tenant_id, calls, 2, rows));
    *ret_outcome = read_outcome(rows[1], a);
    rows_free(rows[0]);
    rows_free(rows[1]);
    return NULL;
}
