/* enrollment.c: individual enrollments. It must never open a key, nor write past a change of the instance. */
#include "db/enrollment.h"

/* What a write says of it. */
#define WRITTEN_COLS                                                                                                   \
    COL(enrollment.registration_id), COL(enrollment.device_id), COL_WORD(attestation.type, attestation_type_words),    \
        COL(attestation.sealed), COL_WORD(enrollment.provisioning_status, provisioning_status_words), EFFECT_COLS,     \
        COL_JSON(enrollment.initial_twin), COL_JSON(enrollment.optional_device_information)

DB_PARAMS(guard, struct enrollment_guard, COL(id_scope), COL(scope_version), COL(tenant_id), COL(registration_key));
DB_PARAMS(written, struct enrollment_row, WRITTEN_COLS);
DB_ROW(enrollment, struct enrollment_row, WRITTEN_COLS, COL(attestation.id_scope), COL(attestation.key), COL(etag),
       COL_TIME(enrollment.created_us, "created_at"), COL_TIME(enrollment.updated_us, "updated_at"));
DB_ROW(enrollment_outcome, struct enrollment_outcome, COL(live), COL(found), COL(matches), COL(unlinked), COL(written));

/* An enrollment and what became of its device, out of the results of the two statements. */
static bool read_both(const struct rows *enrollment, const struct rows *registration, struct arena *a,
                      struct enrollment_row *ret)
{
    if (!rows_first(enrollment, a, ret, sizeof *ret))
        return false;
    (void)rows_first(registration, a, &ret->registration, sizeof ret->registration);
    return true;
}

err_t db_enrollment_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                         bool *ret_found, struct enrollment_row *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {DB_CALL(SQL_ENROLLMENT_FIND, db_text(id_scope), db_text(registration_key)),
                                    DB_CALL(SQL_REGISTRATION_FIND, db_text(id_scope), db_text(registration_key))};
    TRY(db_run(db, a, calls, 2, DB_REPEATABLE, r.of));
    *ret_found = read_both(r.of[0], r.of[1], a, ret);
    return NULL;
}

err_t db_enrollment_put(struct db *db, struct arena *a, const struct enrollment_guard *g,
                        const struct enrollment_row *e, bool update, struct enrollment_outcome *ret_outcome,
                        struct enrollment_row *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        update ? DB_CALL(SQL_ENROLLMENT_UPDATE, DB_MEMBERS(guard, g), DB_MEMBERS(written, e), db_uuid(g->etag))
               : DB_CALL(SQL_ENROLLMENT_INSERT, DB_MEMBERS(guard, g), DB_MEMBERS(written, e)),
        DB_CALL(SQL_ENROLLMENT_FIND, db_text(g->id_scope), db_text(g->registration_key)),
        DB_CALL(SQL_REGISTRATION_FIND, db_text(g->id_scope), db_text(g->registration_key)),
    };
    TRY(db_run(db, a, calls, 3, DB_ONCE, r.of));
    (void)rows_first(r.of[0], a, ret_outcome, sizeof *ret_outcome);
    if (ret_outcome->written)
        (void)read_both(r.of[1], r.of[2], a, ret);
    return NULL;
}

err_t db_enrollment_delete(struct db *db, struct arena *a, const struct enrollment_guard *g, int64_t remove_after_ms,
                           struct enrollment_outcome *ret_outcome)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(SQL_REGISTRATION_DELETE, db_text(g->id_scope), db_i64(g->scope_version), db_text(g->registration_key),
                db_bool(true), db_uuid(NULL), db_i64(0), db_uuid(g->etag), db_i64(remove_after_ms)),
        DB_CALL(SQL_ENROLLMENT_DELETE, db_text(g->id_scope), db_i64(g->scope_version), db_text(g->registration_key),
                db_uuid(g->etag)),
    };
    TRY(db_run(db, a, calls, 2, DB_ONCE, r.of));
    (void)rows_first(r.of[1], a, ret_outcome, sizeof *ret_outcome);
    return NULL;
}
