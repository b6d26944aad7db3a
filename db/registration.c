/* registration.c: registrations as the service plane sees them. It must never change what a registration says, only
 * forget one. */
#include "db/registration.h"

#include "db/word.h"

struct registration_row db_registration_row(const struct rows *r, size_t row, int column, struct arena *a)
{
    struct registration_row reg = {
        .operation = row_uuid(r, row, column + 1),
        .revision = row_i64(r, row, column + 2),
        .state =
            {
                .registration_id = row_text(r, row, column, a),
                .status = word_number(registration_status_words, row_view(r, row, column + 3)),
                .substatus = word_number(registration_substatus_words, row_view(r, row, column + 4)),
                .assigned_hub = row_text(r, row, column + 5, a),
                .device_id = row_text(r, row, column + 6, a),
                .error_code = {!row_null(r, row, column + 7), row_i64(r, row, column + 7)},
                .error_message = row_text(r, row, column + 8, a),
                .created_us = row_time(r, row, column + 10),
                .updated_us = row_time(r, row, column + 11),
            },
    };
    if (reg.state.status == REG_ASSIGNING)
        reg.state.error_message = row_text(r, row, column + 9, a);
    return reg;
}

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
    struct rows *rows ROWS_CLEANUP = NULL;
    device_args(&in, a, id_scope, registration_key);
    TRY(db_call(db, SQL_REGISTRATION_FIND, &in, DB_REPEATABLE, &rows));
    *ret_found = rows_count(rows) == 1;
    if (*ret_found)
        *ret = db_registration_row(rows, 0, 0, a);
    return NULL;
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
}

err_t db_registration_delete(struct db *db, struct arena *a, const struct registration_guard *g, bool *ret_live,
                             bool *ret_gone)
{
    enum { TRIES = 3 };
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_registration_delete_args(&in, a, g, false, NULL);
    err_t e = E(DATABASE_RETRY);
    for (int i = 0; e == E(DATABASE_RETRY) && i < TRIES; i++)
        e = db_call(db, SQL_REGISTRATION_DELETE, &in, DB_ONCE, &rows);
    if (e)
        return e;
    *ret_live = row_bool(rows, 0, 0);
    *ret_gone = row_bool(rows, 0, 1);
    return NULL;
}

err_t db_registration_input(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                            bool *ret_found, struct registration_input *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    device_args(&in, a, id_scope, registration_key);
    TRY(db_call(db, SQL_REGISTRATION_INPUT, &in, DB_REPEATABLE, &rows));
    *ret_found = rows_count(rows) == 1;
    if (*ret_found)
        *ret = (struct registration_input){row_text(rows, 0, 0, a), row_bytea(rows, 0, 1, a), row_text(rows, 0, 2, a)};
    return NULL;
}
