/* test_spec.c: rows of the database by the names of their columns: what fits, what is read, what is written. */
#include "db/spec.h"

#include <string.h>

#include "db/oid.h"
#include "unit.h"

static const char *const colours[] = {"red", "green", NULL};

struct thing {
    struct str name, twin;
    int colour, small;
    struct bytes blob;
    struct sha256 hash;
    struct uuid id;
    int64_t big, at_us;
    struct opt_i64 code;
    bool on, there;
    enum tri apply;
    struct {
        struct str_list hubs;
    } inner;
    struct {
        int64_t size;
    } part;
    struct i64_list numbers;
    struct bytes_list blobs;
};

#define BOTH_WAYS                                                                                                      \
    COL(name), COL_JSON(twin), COL_WORD(colour, colours), COL(small), COL(blob), COL(hash), COL(id), COL(big),         \
        COL_TIME(at_us, "created_at"), COL(code), COL(on), COL(apply), COL(inner.hubs), COL(part.size)

DB_PARAMS(written, struct thing, BOTH_WAYS);
DB_PARAMS(thing, struct thing, BOTH_WAYS, COL_PRESENT(there, "name"), COL(numbers), COL(blobs));

static const struct db_described fitting = {
    .count = 16,
    .names = {"part_size", "blobs", "numbers", "hubs", "apply", "on", "code", "created_at", "big", "id", "hash", "blob",
              "small", "colour", "twin", "name"},
    .types = {OID_INT8, OID_BYTEAS, OID_INT4S, OID_TEXTS, OID_BOOL, OID_BOOL, OID_INT4, OID_TIME, OID_INT2, OID_UUID,
              OID_BYTEA, OID_BYTEA, OID_INT4, OID_VARCHAR, OID_JSON, OID_TEXT},
};

static const struct db_col *col(const char *name)
{
    const struct db_row *row = db_row_thing();
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->cols[i].name, name) == 0)
            return &row->cols[i];
    fail_msg("no column %s", name);
    return NULL;
}

/* --- what fits ---------------------------------------------------------------------------------------------------- */

static void columns_are_found_by_name(void **state)
{
    (void)state;
    int at[DB_COLS_MAX];
    struct err_detail d = {""};
    assert_true(db_row_fits(db_row_thing(), &fitting, at, &d));
    assert_int_equal(at[0], 15);
    assert_int_equal(at[14], 15); /* `there` looks at the same column as `name` */
    assert_int_equal(at[12], 3);  /* a member of a member goes by its last name, */
    assert_int_equal(at[13], 0);  /* or by both */
}

static void assert_unfit(const struct db_described *result, const char *words)
{
    int at[DB_COLS_MAX];
    struct err_detail d = {""};
    assert_false(db_row_fits(db_row_thing(), result, at, &d));
    if (!strstr(d.text, words))
        fail_msg("\"%s\" does not say: %s", d.text, words);
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    struct db_described r = fitting;
    r.names[7] = "create_at";
    assert_unfit(&r, "the result has no column \"created_at\", which thing takes");
    r = fitting;
    r.types[9] = OID_TEXT;
    assert_unfit(&r, "column \"id\" is of the type with oid 25, and thing takes uuid");
    r = fitting;
    r.types[12] = OID_INT8; /* would be cut */
    assert_unfit(&r, "column \"small\" is of the type with oid 20, and thing takes int4");
    r = fitting;
    r.names[r.count] = "new";
    r.types[r.count++] = OID_TEXT;
    assert_unfit(&r, "column \"new\" is one that thing does not take");
    r = fitting;
    r.count--;
    assert_unfit(&r, "the result has no column \"name\"");
}

static void a_parameter_is_of_a_type_that_something_is_written_as(void **state)
{
    (void)state;
    const unsigned given[] = {OID_TEXT, OID_JSON, OID_UUID,  OID_INT8, OID_INT4,
                              OID_BOOL, OID_TIME, OID_TEXTS, OID_UUIDS};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_int_equal(db_param_type(given[i]), given[i]);
    assert_int_equal(db_param_type(OID_VARCHAR), OID_TEXT);
    assert_int_equal(db_param_type(OID_INT2), 0);
    assert_int_equal(db_param_type(OID_UNKNOWN), 0);
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static void assert_wire(struct db_value v, unsigned oid, const char *hex, struct arena *a)
{
    assert_int_equal(v.oid, oid);
    assert_text(enc_hex(a, v.wire, false), hex);
}

static void values_are_written_in_binary(void **state)
{
    struct arena *a = *state;
    struct thing t = {.name = STR("abc"),
                      .twin = STR("{}"),
                      .colour = 2,
                      .small = -2,
                      .big = -2,
                      .at_us = 1,
                      .code = {true, 3},
                      .on = true,
                      .apply = TRI_FALSE};
    assert_wire(db_col_value(col("name"), &t, a), OID_TEXT, "616263", a);
    assert_wire(db_col_value(col("twin"), &t, a), OID_JSON, "7b7d", a);
    assert_wire(db_col_value(col("colour"), &t, a), OID_TEXT, "677265656e", a);
    assert_wire(db_col_value(col("small"), &t, a), OID_INT4, "fffffffe", a);
    assert_wire(db_col_value(col("big"), &t, a), OID_INT8, "fffffffffffffffe", a);
    assert_wire(db_col_value(col("created_at"), &t, a), OID_TIME, "fffca2fec4c82001", a);
    assert_wire(db_col_value(col("code"), &t, a), OID_INT8, "0000000000000003", a);
    assert_wire(db_col_value(col("on"), &t, a), OID_BOOL, "01", a);
    assert_wire(db_col_value(col("apply"), &t, a), OID_BOOL, "00", a);
    assert_wire(db_col_value(col("id"), &t, a), OID_UUID, "00000000000000000000000000000000", a);
    t.at_us = INT64_MAX;
    assert_wire(db_col_value(col("created_at"), &t, a), OID_TIME, "7fffffffffffffff", a);
}

static void what_is_absent_is_null(void **state)
{
    struct thing t = {.on = false};
    const char *const nullable[] = {"name", "twin", "colour", "blob", "created_at", "code", "apply", "inner.hubs"};
    for (size_t i = 0; i < sizeof nullable / sizeof *nullable; i++)
        assert_null(db_col_value(col(nullable[i]), &t, *state).wire.p);
    t.inner.hubs.set = true;
    assert_non_null(db_col_value(col("inner.hubs"), &t, *state).wire.p);
}

static void one_member_of_many_structs_is_an_array(void **state)
{
    struct thing t[] = {{.small = 1, .name = STR("a")}, {.small = 2}};
    assert_wire(db_col_array(col("small"), t, sizeof *t, 2, *state), OID_INT4S,
                "00000001"
                "00000001"
                "00000017"
                "00000002"
                "00000001"
                "00000004"
                "00000001"
                "00000004"
                "00000002",
                *state);
    assert_wire(db_col_array(col("name"), t, sizeof *t, 2, *state), OID_TEXTS,
                "00000001"
                "00000001"
                "00000019"
                "00000002"
                "00000001"
                "00000001"
                "61"
                "ffffffff",
                *state);
    assert_wire(db_col_array(col("small"), t, sizeof *t, 0, *state), OID_INT4S, "000000000000000100000017", *state);
}

/* What is written and read again is the same; what comes as NULL is absent. */
static void values_come_back(void **state)
{
    struct arena *a = *state;
    struct str hubs[] = {STR("x"), STR("")};
    struct thing t = {.name = STR(""),
                      .twin = STR("{\"a\":1}"),
                      .colour = 1,
                      .small = INT32_MIN,
                      .big = INT64_MIN,
                      .blob = unit_bytes("blob"),
                      .hash = {{1, 2}},
                      .id = {{3}},
                      .at_us = INT64_C(1790000000000001),
                      .code = {true, -1},
                      .on = true,
                      .apply = TRI_TRUE,
                      .inner = {{hubs, 2, true}}};
    struct thing back;
    memset(&back, 0xee, sizeof back);
    const struct db_row *row = db_row_written();
    for (size_t i = 0; i < row->count; i++)
        db_col_read(&row->cols[i], db_col_value(&row->cols[i], &t, a).wire, a, &back);
    assert_true(back.name.p && back.name.n == 0);
    assert_text(back.twin, "{\"a\":1}");
    assert_int_equal(back.colour, 1);
    assert_int_equal(back.small, INT32_MIN);
    assert_true(back.big == INT64_MIN && back.at_us == t.at_us);
    assert_memory_equal(back.blob.p, "blob", 4);
    assert_memory_equal(&back.hash, &t.hash, sizeof t.hash);
    assert_memory_equal(&back.id, &t.id, sizeof t.id);
    assert_true(back.code.set && back.code.n == -1 && back.on && back.apply == TRI_TRUE);
    assert_int_equal(back.inner.hubs.n, 2);
    assert_text(back.inner.hubs.at[0], "x");
}

static void null_reads_as_nothing(void **state)
{
    struct thing t;
    memset(&t, 0xee, sizeof t);
    const struct db_row *row = db_row_thing();
    for (size_t i = 0; i < row->count; i++)
        db_col_read(&row->cols[i], (struct bytes){NULL, 0}, *state, &t);
    assert_true(!t.name.p && !t.twin.p && !t.blob.p && !t.colour && !t.small && !t.big && !t.at_us);
    assert_true(!t.code.set && !t.on && !t.there && t.apply == TRI_ABSENT && !t.inner.hubs.set && !t.inner.hubs.n);
    assert_true(!t.numbers.n && !t.blobs.n && !t.id.b[0] && !t.hash.b[31]);
}

static void a_word_that_is_none_is_absent(void **state)
{
    struct thing t = {.colour = 7};
    db_col_read(col("colour"), unit_bytes("gree"), *state, &t);
    assert_int_equal(t.colour, 0);
    db_col_read(col("name"), unit_bytes("x"), *state, &t);
    db_col_read(&db_row_thing()->cols[14], unit_bytes("x"), *state, &t);
    assert_true(t.there);
}

static void lists_are_read(void **state)
{
    static const uint8_t numbers[] = {0, 0, 0, 1, 0, 0, 0, 1, 0,   0,   0,   23,  0,   0,   0,   2,
                                      0, 0, 0, 1, 0, 0, 0, 4, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t none[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17};
    struct thing t;
    db_col_read(col("numbers"), (struct bytes){numbers, sizeof numbers}, *state, &t);
    assert_int_equal(t.numbers.n, 2);
    assert_true(t.numbers.at[0] == -1 && t.numbers.at[1] == 0);
    db_col_read(col("blobs"), (struct bytes){none, sizeof none}, *state, &t);
    assert_int_equal(t.blobs.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(columns_are_found_by_name),
        UNIT(what_does_not_fit_is_named),
        UNIT(a_parameter_is_of_a_type_that_something_is_written_as),
        UNIT(values_are_written_in_binary),
        UNIT(what_is_absent_is_null),
        UNIT(one_member_of_many_structs_is_an_array),
        UNIT(values_come_back),
        UNIT(null_reads_as_nothing),
        UNIT(a_word_that_is_none_is_absent),
        UNIT(lists_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
