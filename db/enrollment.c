/* enrollment.c: individual enrollments. It must never open a key, nor write past a change of the instance. */
#include "db/enrollment.h"

DB_ROW(enrollment, struct enrollment_row, COL(struct enrollment_row, enrollment.registration_id, TEXT),
       COL(struct enrollment_row, enrollment.device_id, TEXT),
       COL_WORD_AS(struct enrollment_row, attestation.type, attestation_type_words, "attestation_type"),
       COL_AS(struct enrollment_row, attestation.sealed, BYTEA, "attestation_sealed"),
       COL_WORD(struct enrollment_row, enrollment.provisioning_status, provisioning_status_words),
       COL_WORD(struct enrollment_row, enrollment.allocation_policy, policy_words),
       COL(struct enrollment_row, enrollment.iot_hubs, TEXTS),
       COL(struct enrollment_row, enrollment.iot_hub_host_name, TEXT),
       COL(struct enrollment_row, update_hub_assignment, TRI), COL(struct enrollment_row, migrate_device_data, TRI),
       COL(struct enrollment_row, iot_edge, TRI), COL(struct enrollment_row, enrollment.initial_twin, JSON),
       COL(struct enrollment_row, enrollment.optional_device_information, JSON),
       COL_OUT(struct enrollment_row, etag, UUID),
       COL_OUT_AS(struct enrollment_row, enrollment.created_us, TIME, "created_at"),
       COL_OUT_AS(struct enrollment_row, enrollment.updated_us, TIME, "updated_at"));

DB_ROW(enrollment_outcome, struct enrollment_outcome, COL(struct enrollment_outcome, live, BOOL),
       COL(struct enrollment_outcome, found, BOOL), COL(struct enrollment_outcome, matches, BOOL),
       COL(struct enrollment_outcome, unlinked, TEXT), COL(struct enrollment_outcome, written, BOOL));

/* The members that stand in objects of their own on the wire. */
static void unfold(struct enrollment_row *row)
{
    const struct enrollment *e = &row->enrollment;
    row->update_hub_assignment = e->reprovision_policy->update_hub_assignment;
    row->migrate_device_data = e->reprovision_policy->migrate_device_data;
    row->iot_edge = e->capabilities->iot_edge;
}

static void fold(struct arena *a, struct enrollment_row *row)
{
    struct enrollment *e = &row->enrollment;
    e->reprovision_policy = ARENA_NEW(a, struct reprovision_policy);
    *e->reprovision_policy = (struct reprovision_policy){row->update_hub_assignment, row->migrate_device_data};
    e->capabilities = ARENA_NEW(a, struct capabilities);
    e->capabilities->iot_edge = row->iot_edge;
}

static void find_args(struct db_args *in, struct arena *a, struct str id_scope, struct str registration_key)
{
    db_args_init(in, a);
    db_text(in, id_scope);
    db_text(in, registration_key);
}

/* An enrollment and what became of its device, out of the results of the two statements. */
static void read_both(const struct rows *enrollment, const struct rows *registration, struct arena *a, bool *ret_found,
                      struct enrollment_row *ret)
{
    *ret_found = rows_count(enrollment) == 1;
    if (!*ret_found)
        return;
    *ret = (struct enrollment_row){0};
    rows_read(enrollment, 0, a, ret, sizeof *ret);
    fold(a, ret);
    if (rows_count(registration) == 1)
        rows_read(registration, 0, a, &ret->registration, sizeof ret->registration);
}

err_t db_enrollment_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                         bool *ret_found, struct enrollment_row *ret)
{
    struct db_args in;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    find_args(&in, a, id_scope, registration_key);
    const struct db_call calls[] = {{SQL_ENROLLMENT_FIND, &in}, {SQL_REGISTRATION_FIND, &in}};
    TRY(db_run(db, calls, 2, DB_REPEATABLE, r.of));
    read_both(r.of[0], r.of[1], a, ret_found, ret);
    return NULL;
}

static void guard_args(struct db_args *in, struct arena *a, const struct enrollment_guard *g)
{
    db_args_init(in, a);
    db_text(in, g->id_scope);
    db_i64(in, g->scope_version);
}

static void put_args(struct db_args *in, struct arena *a, const struct enrollment_guard *g, struct enrollment_row row)
{
    unfold(&row);
    guard_args(in, a, g);
    db_uuid(in, &g->tenant_id);
    db_text(in, g->registration_key);
    db_row_args(in, &db_row_enrollment, &row);
}

err_t db_enrollment_put(struct db *db, struct arena *a, const struct enrollment_guard *g,
                        const struct enrollment_row *e, bool update, struct enrollment_outcome *ret_outcome,
                        struct enrollment_row *ret)
{
    struct db_args put, find;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    bool found;
    put_args(&put, a, g, *e);
    if (update)
        db_uuid(&put, g->etag);
    find_args(&find, a, g->id_scope, g->registration_key);
    const struct db_call calls[] = {{update ? SQL_ENROLLMENT_UPDATE : SQL_ENROLLMENT_INSERT, &put},
                                    {SQL_ENROLLMENT_FIND, &find},
                                    {SQL_REGISTRATION_FIND, &find}};
    TRY(db_run(db, calls, 3, DB_ONCE, r.of));
    rows_read(r.of[0], 0, a, ret_outcome, sizeof *ret_outcome);
    if (ret_outcome->written)
        read_both(r.of[1], r.of[2], a, &found, ret);
    return NULL;
}

err_t db_enrollment_delete(struct db *db, struct arena *a, const struct enrollment_guard *g, int64_t remove_after_ms,
                           struct enrollment_outcome *ret_outcome)
{
    struct db_args in, forget;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    guard_args(&in, a, g);
    db_text(&in, g->registration_key);
    db_uuid(&in, g->etag);
    struct registration_guard registration = {g->id_scope, g->scope_version, g->registration_key, NULL,
                                              remove_after_ms};
    db_registration_delete_args(&forget, a, &registration, true, g->etag);
    const struct db_call calls[] = {{SQL_REGISTRATION_DELETE, &forget}, {SQL_ENROLLMENT_DELETE, &in}};
    TRY(db_run(db, calls, 2, DB_ONCE, r.of));
    rows_read(r.of[1], 0, a, ret_outcome, sizeof *ret_outcome);
    return NULL;
}
