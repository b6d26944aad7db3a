/* row.c: reading binary results of libpq. A reader that meets another type than its name says ends the program: that is
 * a statement and a caller that do not fit each other, whatever the data, and the first test of that statement shows
 * it. It must never guess. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/conn.h"
#include "db/row.h"

enum oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_UNKNOWN = 705,
    OID_BYTEAS = 1001,
    OID_INT4S = 1007,
    OID_TEXTS = 1009,
    OID_INT8S = 1016,
    OID_VARCHAR = 1043,
    OID_TIME = 1184,
    OID_UUID = 2950,
};

static const int64_t epoch_2000_us = INT64_C(946684800000000);

static const PGresult *result(const struct rows *r)
{
    return r->result;
}

static unsigned type_of(const struct rows *r, int column)
{
    return PQftype(result(r), column);
}

static void expect(bool good, const struct rows *r, int column, const char *reader)
{
    if (good)
        return;
    const char *name = PQfname(result(r), column);
    fprintf(stderr, "db: %s cannot read column %d (%s) of type %u\n", reader, column, name ? name : "none",
            type_of(r, column));
    abort();
}

static struct bytes raw(const struct rows *r, size_t row, int column)
{
    return (struct bytes){(const uint8_t *)PQgetvalue(result(r), (int)row, column),
                          (size_t)PQgetlength(result(r), (int)row, column)};
}

size_t rows_count(const struct rows *r)
{
    return (size_t)PQntuples(result(r));
}

int64_t rows_affected(const struct rows *r)
{
    return strtoll(PQcmdTuples(r->result), NULL, 10);
}

/* NULL in SQL is p NULL; an empty value is not. */
static struct bytes value_at(const struct rows *r, size_t i, int column)
{
    if (PQgetisnull(r->result, (int)i, column))
        return (struct bytes){NULL, 0};
    return (struct bytes){(const uint8_t *)PQgetvalue(r->result, (int)i, column),
                          (size_t)PQgetlength(r->result, (int)i, column)};
}

void rows_read(const struct rows *r, size_t i, struct arena *a, void *ret, size_t size)
{
    assert(r->row && r->row->size == size);
    for (size_t c = 0; c < r->row->count; c++)
        db_col_read(&r->row->cols[c], value_at(r, i, r->prepared->at[c]), a, ret);
}

void rows_read_all(const struct rows *r, struct arena *a, void *ret_array, size_t size, size_t *ret_count)
{
    *ret_count = rows_count(r);
    char *all = arena_array(a, *ret_count, size);
    for (size_t i = 0; i < *ret_count; i++)
        rows_read(r, i, a, all + i * size, size);
    *(void **)ret_array = all;
}

int64_t rows_place(const struct rows *r, size_t i)
{
    int64_t n;
    const struct db_col first = {.kind = DB_I64};
    db_col_read(&first, value_at(r, i, r->prepared->at[0]), NULL, &n);
    assert(n >= 1);
    return n;
}

void rows_read_placed(const struct rows *r, struct arena *a, void *ret, size_t size, size_t count)
{
    memset(ret, 0, count * size);
    for (size_t i = 0; i < rows_count(r); i++) {
        size_t at = (size_t)rows_place(r, i) - 1;
        assert(at < count);
        rows_read(r, i, a, (char *)ret + at * size, size);
    }
}

void rows_free(struct rows *r)
{
    if (r)
        PQclear(r->result);
}

void rows_cleanup(struct rows **r)
{
    rows_free(*r);
}

void rows_set_cleanup(struct rows_set *s)
{
    for (size_t i = 0; i < DB_CALLS_MAX; i++)
        rows_free(s->of[i]);
}

bool row_null(const struct rows *r, size_t row, int column)
{
    expect(column < PQnfields(result(r)), r, column, "row_null");
    return PQgetisnull(result(r), (int)row, column);
}

static bool is_text(unsigned type)
{
    return type == OID_TEXT || type == OID_VARCHAR || type == OID_NAME || type == OID_UNKNOWN || type == OID_JSON;
}

struct str row_view(const struct rows *r, size_t row, int column)
{
    expect(is_text(type_of(r, column)), r, column, "row_view");
    if (row_null(r, row, column))
        return (struct str){NULL, 0};
    struct bytes b = raw(r, row, column);
    return (struct str){(const char *)b.p, b.n};
}

struct str row_text(const struct rows *r, size_t row, int column, struct arena *a)
{
    return arena_str(a, row_view(r, row, column));
}

static struct bytes copy_bytes(struct arena *a, struct bytes b)
{
    return (struct bytes){(const uint8_t *)arena_copy(a, (const char *)b.p, b.n).p, b.n};
}

struct bytes row_bytea(const struct rows *r, size_t row, int column, struct arena *a)
{
    expect(type_of(r, column) == OID_BYTEA, r, column, "row_bytea");
    if (row_null(r, row, column))
        return (struct bytes){NULL, 0};
    return copy_bytes(a, raw(r, row, column));
}

bool row_bool(const struct rows *r, size_t row, int column)
{
    expect(type_of(r, column) == OID_BOOL, r, column, "row_bool");
    return !row_null(r, row, column) && raw(r, row, column).p[0] != 0;
}

/* A big-endian signed integer of 2, 4 or 8 bytes. */
static int64_t integer(const uint8_t *p, size_t n)
{
    uint64_t u = p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        u = u << 8 | p[i];
    return (int64_t)u;
}

int64_t row_i64(const struct rows *r, size_t row, int column)
{
    unsigned t = type_of(r, column);
    expect(t == OID_INT8 || t == OID_INT4 || t == OID_INT2, r, column, "row_i64");
    if (row_null(r, row, column))
        return 0;
    struct bytes b = raw(r, row, column);
    return integer(b.p, b.n);
}

int64_t row_time(const struct rows *r, size_t row, int column)
{
    expect(type_of(r, column) == OID_TIME, r, column, "row_time");
    if (row_null(r, row, column))
        return 0;
    int64_t us = integer(raw(r, row, column).p, 8);
    return us == INT64_MAX || us == INT64_MIN ? us : us + epoch_2000_us;
}

struct uuid row_uuid(const struct rows *r, size_t row, int column)
{
    expect(type_of(r, column) == OID_UUID, r, column, "row_uuid");
    struct uuid u = {{0}};
    if (!row_null(r, row, column))
        memcpy(u.b, raw(r, row, column).p, sizeof u.b);
    return u;
}

/* Walks a one-dimensional array: see array_begin in args.c for its form. The server made it, so its lengths are
 * believed as far as the value reaches. */
struct walk {
    const uint8_t *p, *end;
    size_t count;
};

static uint32_t take_32(struct walk *w)
{
    if (w->end - w->p < 4) {
        fputs("db: an array ends early\n", stderr);
        abort();
    }
    uint32_t n = (uint32_t)w->p[0] << 24 | (uint32_t)w->p[1] << 16 | (uint32_t)w->p[2] << 8 | w->p[3];
    w->p += 4;
    return n;
}

static struct walk walk_begin(const struct rows *r, size_t row, int column)
{
    struct walk w = {NULL, NULL, 0};
    if (row_null(r, row, column))
        return w;
    struct bytes b = raw(r, row, column);
    w.p = b.p;
    w.end = b.p + b.n;
    uint32_t dimensions = take_32(&w);
    expect(dimensions <= 1, r, column, "row_…_array");
    w.p += 8; /* has-nulls and the element type, which the column's type has told */
    if (dimensions == 1) {
        w.count = take_32(&w);
        w.p += 4; /* lower bound */
    }
    return w;
}

/* The next element; p is NULL when it is NULL. */
static struct bytes walk_next(struct walk *w)
{
    uint32_t n = take_32(w);
    if (n == UINT32_MAX)
        return (struct bytes){NULL, 0};
    struct bytes b = {w->p, n};
    w->p += n;
    return b;
}

size_t row_text_array(const struct rows *r, size_t row, int column, struct arena *a, struct str **ret)
{
    expect(type_of(r, column) == OID_TEXTS, r, column, "row_text_array");
    struct walk w = walk_begin(r, row, column);
    *ret = NULL;
    if (!w.p)
        return 0;
    *ret = ARENA_NEW_ARRAY(a, w.count, struct str);
    for (size_t i = 0; i < w.count; i++) {
        struct bytes b = walk_next(&w);
        (*ret)[i] = arena_copy(a, (const char *)b.p, b.n);
    }
    return w.count;
}

size_t row_bytea_array(const struct rows *r, size_t row, int column, struct arena *a, struct bytes **ret)
{
    expect(type_of(r, column) == OID_BYTEAS, r, column, "row_bytea_array");
    struct walk w = walk_begin(r, row, column);
    *ret = NULL;
    if (!w.p)
        return 0;
    *ret = ARENA_NEW_ARRAY(a, w.count, struct bytes);
    for (size_t i = 0; i < w.count; i++)
        (*ret)[i] = copy_bytes(a, walk_next(&w));
    return w.count;
}

size_t row_i64_array(const struct rows *r, size_t row, int column, struct arena *a, int64_t **ret)
{
    unsigned t = type_of(r, column);
    expect(t == OID_INT8S || t == OID_INT4S, r, column, "row_i64_array");
    struct walk w = walk_begin(r, row, column);
    *ret = NULL;
    if (!w.p)
        return 0;
    *ret = ARENA_NEW_ARRAY(a, w.count, int64_t);
    for (size_t i = 0; i < w.count; i++) {
        struct bytes b = walk_next(&w);
        (*ret)[i] = b.p ? integer(b.p, b.n) : 0;
    }
    return w.count;
}
