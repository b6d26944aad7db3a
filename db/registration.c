/* registration.c: registrations as the service plane sees them. It must never change what a registration says, only
 * forget one. */
#include "db/registration.h"

DB_ROW(registration, struct registration_row, COL(struct registration_row, state.registration_id, TEXT),
       COL_AS(struct registration_row, operation, UUID, "operation_id"), COL(struct registration_row, revision, I64),
       COL_WORD(struct registration_row, state.status, registration_status_words),
       COL_WORD(struct registration_row, state.substatus, registration_substatus_words),
       COL(struct registration_row, state.assigned_hub, TEXT), COL(struct registration_row, state.device_id, TEXT),
       COL(struct registration_row, state.error_code, OPT_I64), COL(struct registration_row, state.error_message, TEXT),
       COL_AS(struct registration_row, state.created_us, TIME, "created_at"),
       COL_AS(struct registration_row, state.updated_us, TIME, "updated_at"));

struct outcome {
    bool live, gone;
};
DB_ROW(registration_outcome, struct outcome, COL(struct outcome, live, BOOL), COL(struct outcome, gone, BOOL));

DB_ROW(registration_input, struct registration_input, COL(struct registration_input, registration_id, TEXT),
       COL(struct registration_input, hash, BYTEA), COL(struct registration_input, input, TEXT));

/* Scope and key: what every statement of one device begins with. */
static void device_args(struct db_args *in, struct arena *a, struct str id_scope, struct str registration_key)
{
    db_args_init(in, a);
    db_text(in, id_scope);
    db_text(in, registration_key);
}

err_t db_registration_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                           bool *ret_found, struct registration_row *ret)
{
    struct db_args in;
    device_args(&in, a, id_scope, registration_key);
    return db_first(db, SQL_REGISTRATION_FIND, &in, DB_REPEATABLE, ret_found, ret, sizeof *ret);
}

void db_registration_delete_args(struct db_args *in, struct arena *a, const struct registration_guard *g,
                                 bool with_enrollment, const struct uuid *enrollment_etag)
{
    db_args_init(in, a);
    db_text(in, g->id_scope);
    db_i64(in, g->scope_version);
    db_text(in, g->registration_key);
    db_bool(in, with_enrollment);
    db_uuid(in, g->as ? &g->as->operation : NULL);
    db_i64(in, g->as ? g->as->revision : 0);
    db_uuid(in, enrollment_etag);
    db_i64(in, g->remove_after_ms);
}

err_t db_registration_delete(struct db *db, struct arena *a, const struct registration_guard *g, bool *ret_live,
                             bool *ret_gone)
{
    struct db_args in;
    struct outcome o;
    bool found;
    db_registration_delete_args(&in, a, g, false, NULL);
    TRY(db_first(db, SQL_REGISTRATION_DELETE, &in, DB_ONCE, &found, &o, sizeof o));
    *ret_live = o.live;
    *ret_gone = o.gone;
    return NULL;
}

err_t db_registration_input(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                            bool *ret_found, struct registration_input *ret)
{
    struct db_args in;
    device_args(&in, a, id_scope, registration_key);
    return db_first(db, SQL_REGISTRATION_INPUT, &in, DB_REPEATABLE, ret_found, ret, sizeof *ret);
}
