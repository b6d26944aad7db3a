/* db/device.c: turns batches of devices into array parameters and rows back into structs. It must never decide
 * anything. */
#include "db/device.h"

int db_device_compare(const struct db_device *a, const struct db_device *b)
{
    int order = str_compare(a->id_scope, b->id_scope);
    return order ? order : str_compare(a->registration_key, b->registration_key);
}

DB_ROW(device, struct db_device, COL(id_scope), COL(registration_key));

/* Of the attestation: the rest of its row's name is known, so that it is not read for each device. */
#define FOUND_COLS                                                                                                     \
    COL_AS(attestation.key, "group_key"), COL_WORD(attestation.type, attestation_type_words), COL(attestation.sealed)

DB_ROW(register_found, struct db_register_found, COL(n), FOUND_COLS, COL(enrollment_version), COL(enrollment_inputs),
       COL(enabled), COL(enrollment_group), COL(derived_from), COL_PRESENT(registered, "operation_id"),
       COL_AS(operation, "operation_id"), COL(revision), COL_WORD(status, registration_status_words), COL(same_region),
       COL(pushed_version), COL(chosen_enrollment_inputs), COL(chosen_scope_inputs), COL_TIME(checked_us, "checked_at"),
       COL_TIME(created_us, "created_at"), COL_TIME(updated_us, "updated_at"), COL(evidence), COL_TIME(now_us, "now"));

struct register_written {
    struct db_device device;
    int64_t created_us;
};
DB_ROW(register_written, struct register_written, COL(device.id_scope), COL(device.registration_key),
       COL_TIME(created_us, "created_at"));

DB_ROW(poll_found, struct db_poll_found, COL(n), FOUND_COLS, COL_PRESENT(registered, "operation_id"),
       COL_AS(operation, "operation_id"), COL(registration_id), COL(revision),
       COL_WORD(status, registration_status_words), COL_WORD(substatus, registration_substatus_words),
       COL(assigned_hub), COL(device_id), COL(error_code), COL(error_message), COL(enrollment_group),
       COL_TIME(operation_us, "operation_at"), COL_TIME(created_us, "created_at"), COL_TIME(updated_us, "updated_at"),
       COL_TIME(now_us, "now"));

DB_PARAMS(register, struct db_register_row, COL(device.id_scope), COL(device.registration_key), COL(registration_id),
          COL(scope_version), COL(enrollment_version), COL(enabled), COL(old_operation), COL(old_revision),
          COL(operation), COL_WORD(status, registration_status_words), COL(region), COL(keep_inputs), COL(evidence),
          COL(enrollment_group), COL(derived_from));

DB_ROW(group_found, struct db_group_found, ATTESTATION_COLS, COL(id), COL(enrollment_version), COL(enrollment_inputs),
       COL(enabled));

/* By a key told it is a group's, else the device's own. */
static void name_row(struct attest_stored *attestation, const struct db_device *device)
{
    if (!attestation->sealed.p)
        return;
    attestation->id_scope = device->id_scope;
    attestation->of_group = attestation->key.p != NULL;
    if (!attestation->of_group)
        attestation->key = device->registration_key;
}

err_t db_register_lookup(struct db *db, struct arena *a, struct str region, const struct db_device *at, size_t count,
                         struct db_register_found *ret)
{
    TRY(db_each(db, a, DB_CALL(SQL_REGISTER_LOOKUP, DB_ARRAYS(device, at, count), db_text(region)), DB_REPEATABLE, ret,
                sizeof *ret, count));
    for (size_t i = 0; i < count; i++)
        name_row(&ret[i].attestation, &at[i]);
    return NULL;
}

err_t db_poll_lookup(struct db *db, struct arena *a, const struct db_device *at, size_t count,
                     struct db_poll_found *ret)
{
    TRY(db_each(db, a, DB_CALL(SQL_POLL_LOOKUP, DB_ARRAYS(device, at, count)), DB_REPEATABLE, ret, sizeof *ret, count));
    for (size_t i = 0; i < count; i++)
        name_row(&ret[i].attestation, &at[i]);
    return NULL;
}

err_t db_group_lookup(struct db *db, struct arena *a, const struct str *id_scopes, size_t count, int type,
                      int64_t at_most, struct db_group_found **ret, size_t *ret_count)
{
    const struct str word = str_of(attestation_type_words[type - 1]);
    return db_all(db, a, DB_CALL(SQL_GROUP_LOOKUP, db_texts(id_scopes, count), db_i64(at_most), db_text(word)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
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
    struct register_written *written;
    size_t written_count;
    TRY(db_all(db, a, DB_CALL(SQL_REGISTER_WRITE, DB_ARRAYS(register, at, count)), DB_ONCE, &written, sizeof *written,
               &written_count));
    for (size_t i = 0; i < written_count; i++) {
        struct db_register_row *row = find(at, count, &written[i].device);
        if (row)
            row->created_us = written[i].created_us;
    }
    return NULL;
}
