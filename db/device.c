/* db/device.c: turns batches of devices into array parameters and rows back into structs. It must never decide
 * anything. */
#include "db/device.h"

#include <string.h>

#include "db/row.h"

static int compare(struct str a, struct str b)
{
    size_t shorter = a.n < b.n ? a.n : b.n;
    int order = shorter ? memcmp(a.p, b.p, shorter) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

int db_device_compare(const struct db_device *a, const struct db_device *b)
{
    int order = compare(a->id_scope, b->id_scope);
    return order ? order : compare(a->registration_key, b->registration_key);
}

/* $1 and $2 of every statement here: the keys, taken out of an array of any struct by its stride. */
static void add_devices(struct db_args *in, const struct db_device *first, size_t stride, size_t count)
{
    struct str *scopes = ARENA_NEW_ARRAY(in->arena, count, struct str);
    struct str *keys = ARENA_NEW_ARRAY(in->arena, count, struct str);
    for (size_t i = 0; i < count; i++) {
        const struct db_device *d = (const void *)((const char *)first + i * stride);
        scopes[i] = d->id_scope;
        keys[i] = d->registration_key;
    }
    db_text_array(in, scopes, count);
    db_text_array(in, keys, count);
}

static err_t look_up(struct db *db, enum sql_id statement, struct arena *a, const struct db_device *at, size_t count,
                     struct rows **ret)
{
    struct db_args in;
    db_args_init(&in, a);
    add_devices(&in, at, sizeof *at, count);
    return db_call(db, statement, &in, DB_REPEATABLE, ret);
}

/* Which of `words` (codec words: the first one is 1); 0 for NULL. */
static int word_of(const char *const *words, struct str s)
{
    for (int i = 0; s.p && words[i]; i++)
        if (str_same(s, str_of(words[i])))
            return i + 1;
    return 0;
}

static struct db_register_found read_register(const struct rows *r, size_t i, struct arena *a)
{
    return (struct db_register_found){
        .enrollment_version = row_i64(r, i, 1),
        .enrollment_inputs = row_i64(r, i, 2),
        .enabled = row_bool(r, i, 3),
        .attestation = {word_of(attestation_type_words, row_view(r, i, 4)), row_bytea(r, i, 5, a)},
        .registered = !row_null(r, i, 6),
        .operation = row_uuid(r, i, 6),
        .revision = row_i64(r, i, 7),
        .status = word_of(registration_status_words, row_view(r, i, 8)),
        .region = row_text(r, i, 9, a),
        .pushed_version = row_i64(r, i, 10),
        .chosen_enrollment_inputs = row_i64(r, i, 11),
        .chosen_scope_inputs = row_i64(r, i, 12),
        .checked_us = row_time(r, i, 13),
        .updated_us = row_time(r, i, 14),
        .now_us = row_time(r, i, 15),
    };
}

err_t db_register_lookup(struct db *db, struct arena *a, const struct db_device *at, size_t count,
                         struct db_register_found *ret)
{
    ROWS_CLEANUP struct rows *r = NULL;
    TRY(look_up(db, SQL_REGISTER_LOOKUP, a, at, count, &r));
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; i < rows_count(r); i++)
        ret[row_i64(r, i, 0) - 1] = read_register(r, i, a);
    return NULL;
}

static struct db_poll_found read_poll(const struct rows *r, size_t i, struct arena *a)
{
    return (struct db_poll_found){
        .attestation = {word_of(attestation_type_words, row_view(r, i, 1)), row_bytea(r, i, 2, a)},
        .registered = !row_null(r, i, 3),
        .registration_id = row_text(r, i, 3, a),
        .operation = row_uuid(r, i, 4),
        .revision = row_i64(r, i, 5),
        .status = word_of(registration_status_words, row_view(r, i, 6)),
        .substatus = word_of(registration_substatus_words, row_view(r, i, 7)),
        .assigned_hub = row_text(r, i, 8, a),
        .device_id = row_text(r, i, 9, a),
        .error_code = {!row_null(r, i, 10), row_i64(r, i, 10)},
        .error_message = row_text(r, i, 11, a),
        .operation_us = row_time(r, i, 12),
        .created_us = row_time(r, i, 13),
        .updated_us = row_time(r, i, 14),
        .now_us = row_time(r, i, 15),
    };
}

err_t db_poll_lookup(struct db *db, struct arena *a, const struct db_device *at, size_t count,
                     struct db_poll_found *ret)
{
    ROWS_CLEANUP struct rows *r = NULL;
    TRY(look_up(db, SQL_POLL_LOOKUP, a, at, count, &r));
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; i < rows_count(r); i++)
        ret[row_i64(r, i, 0) - 1] = read_poll(r, i, a);
    return NULL;
}

/* One column of the write: an array of `type` filled from `expression` over each row `w`, and added with `add`. */
#define COLUMN(add, type, expression)                                                                                  \
    do {                                                                                                               \
        type *column_ = ARENA_NEW_ARRAY(in->arena, count, type);                                                       \
        for (size_t i_ = 0; i_ < count; i_++) {                                                                        \
            const struct db_register_row *w = &at[i_];                                                                 \
            column_[i_] = (expression);                                                                                \
        }                                                                                                              \
        add(in, column_, count);                                                                                       \
    } while (0)

static void add_write(struct db_args *in, const struct db_register_row *at, size_t count)
{
    add_devices(in, &at->device, sizeof *at, count);
    COLUMN(db_text_array, struct str, w->registration_id);
    COLUMN(db_i64_array, int64_t, w->scope_version);
    COLUMN(db_i64_array, int64_t, w->enrollment_version);
    COLUMN(db_bool_array, bool, w->enabled);
    COLUMN(db_uuid_array, struct uuid, w->old_operation);
    COLUMN(db_i64_array, int64_t, w->old_revision);
    COLUMN(db_uuid_array, struct uuid, w->operation);
    COLUMN(db_text_array, struct str, str_of(registration_status_words[w->status - 1]));
    COLUMN(db_text_array, struct str, w->region);
    COLUMN(db_bool_array, bool, w->keep_inputs);
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
    ROWS_CLEANUP struct rows *r = NULL;
    db_args_init(&in, a);
    add_write(&in, at, count);
    TRY(db_call(db, SQL_REGISTER_WRITE, &in, DB_ONCE, &r));
    for (size_t i = 0; i < rows_count(r); i++) {
        struct db_device device = {row_view(r, i, 0), row_view(r, i, 1)};
        struct db_register_row *row = find(at, count, &device);
        if (row)
            row->written = true;
    }
    return NULL;
}
