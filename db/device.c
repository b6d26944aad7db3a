/* db/device.c: turns batches of devices into array parameters and rows back into structs. It must never decide
 * anything. */
#include "db/device.h"

int db_device_compare(const struct db_device *a, const struct db_device *b)
{
    int order = str_compare(a->id_scope, b->id_scope);
    return order ? order : str_compare(a->registration_key, b->registration_key);
}

DB_ROW(device, struct db_device, COL(struct db_device, id_scope, TEXT), COL(struct db_device, registration_key, TEXT));

DB_ROW(register_found, struct db_register_found, COL(struct db_register_found, n, I64),
       COL_WORD_AS(struct db_register_found, attestation.type, attestation_type_words, "attestation_type"),
       COL_AS(struct db_register_found, attestation.sealed, BYTEA, "attestation_sealed"),
       COL(struct db_register_found, enrollment_version, I64), COL(struct db_register_found, enrollment_inputs, I64),
       COL(struct db_register_found, enabled, BOOL),
       COL_AS(struct db_register_found, registered, PRESENT, "operation_id"),
       COL_AS(struct db_register_found, operation, UUID, "operation_id"), COL(struct db_register_found, revision, I64),
       COL_WORD(struct db_register_found, status, registration_status_words),
       COL(struct db_register_found, region, TEXT), COL(struct db_register_found, pushed_version, I64),
       COL(struct db_register_found, chosen_enrollment_inputs, I64),
       COL(struct db_register_found, chosen_scope_inputs, I64),
       COL_AS(struct db_register_found, checked_us, TIME, "checked_at"),
       COL_AS(struct db_register_found, updated_us, TIME, "updated_at"),
       COL_AS(struct db_register_found, now_us, TIME, "now"));

DB_ROW(poll_found, struct db_poll_found, COL(struct db_poll_found, n, I64),
       COL_WORD_AS(struct db_poll_found, attestation.type, attestation_type_words, "attestation_type"),
       COL_AS(struct db_poll_found, attestation.sealed, BYTEA, "attestation_sealed"),
       COL_AS(struct db_poll_found, registered, PRESENT, "operation_id"),
       COL_AS(struct db_poll_found, operation, UUID, "operation_id"), COL(struct db_poll_found, registration_id, TEXT),
       COL(struct db_poll_found, revision, I64), COL_WORD(struct db_poll_found, status, registration_status_words),
       COL_WORD(struct db_poll_found, substatus, registration_substatus_words),
       COL(struct db_poll_found, assigned_hub, TEXT), COL(struct db_poll_found, device_id, TEXT),
       COL(struct db_poll_found, error_code, OPT_I64), COL(struct db_poll_found, error_message, TEXT),
       COL_AS(struct db_poll_found, operation_us, TIME, "operation_at"),
       COL_AS(struct db_poll_found, created_us, TIME, "created_at"),
       COL_AS(struct db_poll_found, updated_us, TIME, "updated_at"), COL_AS(struct db_poll_found, now_us, TIME, "now"));

DB_PARAMS(register, struct db_register_row, COL(struct db_register_row, device.id_scope, TEXT),
          COL(struct db_register_row, device.registration_key, TEXT),
          COL(struct db_register_row, registration_id, TEXT), COL(struct db_register_row, scope_version, I64),
          COL(struct db_register_row, enrollment_version, I64), COL(struct db_register_row, enabled, BOOL),
          COL(struct db_register_row, old_operation, UUID), COL(struct db_register_row, old_revision, I64),
          COL(struct db_register_row, operation, UUID),
          COL_WORD(struct db_register_row, status, registration_status_words),
          COL(struct db_register_row, region, TEXT), COL(struct db_register_row, keep_inputs, BOOL));

/* What is found of at[i] goes to ret[i]. */
static err_t look_up(struct db *db, enum sql_id statement, struct arena *a, const struct db_device *at, size_t count,
                     void *ret, size_t size)
{
    struct db_args in;
    struct rows *r ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_array_args(&in, &db_row_device, at, count);
    TRY(db_call(db, statement, &in, DB_REPEATABLE, &r));
    rows_read_placed(r, a, ret, size, count);
    return NULL;
}

err_t db_register_lookup(struct db *db, struct arena *a, const struct db_device *at, size_t count,
                         struct db_register_found *ret)
{
    return look_up(db, SQL_REGISTER_LOOKUP, a, at, count, ret, sizeof *ret);
}

err_t db_poll_lookup(struct db *db, struct arena *a, const struct db_device *at, size_t count,
                     struct db_poll_found *ret)
{
    return look_up(db, SQL_POLL_LOOKUP, a, at, count, ret, sizeof *ret);
}

/* The row of a device; `at` is sorted. */
static struct db_register_row *find(struct db_register_row *at, size_t count, const struct db_device *wanted)
{
    size_t from = 0;
    while (count) {
        size_t half = count / 2;
        int order = db_device_compare(&at[from + half].device, wanted);
        if (order == 0)
            return &at[from + half];
        from += order < 0 ? half + 1 : 0;
        count = order < 0 ? count - half - 1 : half;
    }
    return NULL;
}

err_t db_register_write(struct db *db, struct arena *a, struct db_register_row *at, size_t count)
{
    struct db_args in;
    struct db_device *written;
    size_t written_count;
    db_args_init(&in, a);
    db_array_args(&in, &db_row_register, at, count);
    TRY(db_all(db, SQL_REGISTER_WRITE, &in, DB_ONCE, &written, sizeof *written, &written_count));
    for (size_t i = 0; i < written_count; i++) {
        struct db_register_row *row = find(at, count, &written[i]);
        if (row)
            row->written = true;
    }
    return NULL;
}
