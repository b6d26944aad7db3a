/* spec.c: rows of the database by the names of their columns: the check of a statement's result, reading values, and
 * filling parameters, all from one table. The only file that knows the binary form of a value in both directions. It
 * must never guess: what it cannot read is refused when the connection is opened. */
#include "db/spec.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/word.h"
#include "db/oid.h"

/* One value on its way out; `small` is room for those that are made up. */
struct wire {
    struct bytes value; /* p NULL: NULL */
    uint8_t small[16];
};

/* What can be done with values of one kind. */
struct kind {
    const char *name;
    unsigned results[4];   /* types that it is read from, ended by 0; none: of any type */
    unsigned param, array; /* types that it is written as; 0: not */
    void (*read)(const struct db_col *col, struct bytes value, struct arena *a, void *at);
    void (*put)(const struct db_col *col, const void *at, struct arena *a, struct wire *ret);
};
static const struct kind kinds[];

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A big-endian signed integer of 2, 4 or 8 bytes; 0 for NULL. */
static int64_t integer(struct bytes v)
{
    uint64_t u = v.p && v.p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; v.p && i < v.n; i++)
        u = u << 8 | v.p[i];
    return (int64_t)u;
}

static struct str text_copy(struct arena *a, struct bytes v)
{
    return v.p ? arena_copy(a, (const char *)v.p, v.n) : (struct str){NULL, 0};
}

static void read_text(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col;
    *(struct str *)at = text_copy(a, v);
}

static void read_word(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)a;
    *(int *)at = word_number(col->words, bytes_str(v));
}

static void read_bytea(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col;
    *(struct bytes *)at = str_bytes(text_copy(a, v));
}

static void read_fixed(struct bytes v, void *at, size_t size)
{
    memset(at, 0, size);
    if (v.p && v.n == size)
        memcpy(at, v.p, size);
}

static void read_hash(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    read_fixed(v, at, sizeof(struct sha256));
}

static void read_uuid(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    read_fixed(v, at, sizeof(struct uuid));
}

static void read_i64(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    *(int64_t *)at = integer(v);
}

static void read_i32(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    *(int *)at = (int)integer(v);
}

static void read_opt_i64(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    *(struct opt_i64 *)at = (struct opt_i64){v.p != NULL, integer(v)};
}

static void read_bool(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    *(bool *)at = v.p && v.p[0];
}

static void read_tri(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    *(enum tri *)at = !v.p ? TRI_ABSENT : v.p[0] ? TRI_TRUE : TRI_FALSE;
}

static void read_time(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    int64_t us = integer(v);
    *(int64_t *)at = !v.p || us == INT64_MAX || us == INT64_MIN ? us : us + DB_EPOCH_2000_US;
}

static void read_present(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col, (void)a;
    *(bool *)at = v.p != NULL;
}

/* Walks a one-dimensional array: dimensions, has-nulls, element type, length, lower bound; then each element with its
 * length. The server made it, so its lengths are believed as far as the value reaches. */
struct walk {
    const uint8_t *p, *end;
};

static uint32_t take_32(struct walk *w)
{
    uint32_t n;
    if (w->end - w->p < (ptrdiff_t)sizeof n) {
        fputs("db: an array ends early\n", stderr);
        abort();
    }
    memcpy(&n, w->p, sizeof n);
    w->p += sizeof n;
    return ntohl(n);
}

static struct walk walk_begin(struct bytes v, size_t *ret_count)
{
    struct walk w = {v.p, v.p + v.n};
    uint32_t dimensions = take_32(&w);
    w.p += 8;
    *ret_count = dimensions ? take_32(&w) : 0;
    w.p += dimensions ? 4 : 0;
    return w;
}

static struct bytes walk_next(struct walk *w)
{
    uint32_t n = take_32(w);
    if (n == UINT32_MAX)
        return (struct bytes){NULL, 0};
    struct bytes b = {w->p, n};
    w->p += n;
    return b;
}

/* The elements of an array as an array of `size` bytes each, read as `kind`; NULL is none. */
static void *read_elements(enum db_kind kind, size_t size, struct bytes v, struct arena *a, size_t *ret_count)
{
    *ret_count = 0;
    if (!v.p)
        return NULL;
    struct walk w = walk_begin(v, ret_count);
    char *all = arena_array(a, *ret_count, size);
    for (size_t i = 0; i < *ret_count; i++)
        kinds[kind].read(NULL, walk_next(&w), a, all + i * size);
    return all;
}

static void read_texts(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col;
    struct str_list *l = at;
    l->set = v.p != NULL;
    l->at = read_elements(DB_TEXT, sizeof *l->at, v, a, &l->n);
}

static void read_i64s(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col;
    struct i64_list *l = at;
    l->at = read_elements(DB_I64, sizeof *l->at, v, a, &l->n);
}

static void read_byteas(const struct db_col *col, struct bytes v, struct arena *a, void *at)
{
    (void)col;
    struct bytes_list *l = at;
    l->at = read_elements(DB_BYTEA, sizeof *l->at, v, a, &l->n);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void put_text(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    const struct str *s = at;
    ret->value = str_bytes(*s);
}

static void put_word(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    struct str word = word_text(col->words, *(const int *)at);
    put_text(col, &word, a, ret);
}

static void put_bytea(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    ret->value = *(const struct bytes *)at;
}

static void put_hash(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    const struct sha256 *hash = at;
    ret->value = (struct bytes){hash->b, sizeof hash->b};
}

static void put_hash_at(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    const struct sha256 *hash = *(const struct sha256 *const *)at;
    if (hash)
        put_hash(col, hash, a, ret);
}

static void put_small(struct wire *ret, const void *value, size_t n)
{
    memcpy(ret->small, value, n);
    ret->value = (struct bytes){ret->small, n};
}

static void put_uuid(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    put_small(ret, at, sizeof(struct uuid));
}

static void put_uuid_at(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    const struct uuid *uuid = *(const struct uuid *const *)at;
    if (uuid)
        put_uuid(col, uuid, a, ret);
}

static void put_64(int64_t n, struct wire *ret)
{
    uint64_t wire = htobe64((uint64_t)n);
    put_small(ret, &wire, sizeof wire);
}

static void put_i64(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    put_64(*(const int64_t *)at, ret);
}

static void put_opt_i64(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    const struct opt_i64 *n = at;
    if (n->set)
        put_64(n->n, ret);
}

static void put_i32(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    uint32_t wire = htonl((uint32_t) * (const int *)at);
    put_small(ret, &wire, sizeof wire);
}

static void put_bool(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    put_small(ret, at, 1);
}

static void put_tri(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    enum tri t = *(const enum tri *)at;
    bool b = t == TRI_TRUE;
    if (t != TRI_ABSENT)
        put_bool(col, &b, a, ret);
}

/* The ends of the range are PostgreSQL's infinities. */
static void put_time(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    (void)col, (void)a;
    int64_t us = *(const int64_t *)at;
    if (us)
        put_64(us == INT64_MAX || us == INT64_MIN ? us : us - DB_EPOCH_2000_US, ret);
}

static void put_32(struct text *out, uint32_t n)
{
    uint32_t wire = htonl(n);
    text_add(out, (struct str){(const char *)&wire, sizeof wire});
}

/* `count` values of one column out of structs that are `stride` bytes apart, as an array (see struct walk). */
static struct str array_of(const struct db_col *col, const void *first, size_t stride, size_t count, struct arena *a)
{
    enum { HEAD = 20, MEAN = 28 };
    struct text out;
    text_init(&out, a, HEAD + count * MEAN);
    put_32(&out, count > 0);
    put_32(&out, 1);
    put_32(&out, kinds[col->kind].param);
    if (count > 0) {
        put_32(&out, (uint32_t)count);
        put_32(&out, 1);
    }
    for (size_t i = 0; i < count; i++) {
        struct wire w = {.value = {NULL, 0}};
        kinds[col->kind].put(col, (const char *)first + i * stride + col->offset, a, &w);
        put_32(&out, w.value.p ? (uint32_t)w.value.n : UINT32_MAX);
        text_add(&out, (struct str){(const char *)w.value.p, w.value.p ? w.value.n : 0});
    }
    return text_str(&out);
}

static void put_texts(const struct db_col *col, const void *at, struct arena *a, struct wire *ret)
{
    static const struct db_col text = {.kind = DB_TEXT};
    const struct str_list *l = at;
    struct str wire = l->set ? array_of(&text, l->at, sizeof *l->at, l->n, a) : (struct str){NULL, 0};
    put_text(col, &wire, a, ret);
}

/* --- kinds -------------------------------------------------------------------------------------------------------- */

static const struct kind kinds[] = {
    [DB_TEXT] = {"text", {OID_TEXT, OID_VARCHAR, OID_NAME}, OID_TEXT, OID_TEXTS, read_text, put_text},
    [DB_JSON] = {"json", {OID_JSON}, OID_JSON, 0, read_text, put_text},
    [DB_WORD] = {"text", {OID_TEXT, OID_VARCHAR, OID_NAME}, OID_TEXT, OID_TEXTS, read_word, put_word},
    [DB_BYTEA] = {"bytea", {OID_BYTEA}, OID_BYTEA, OID_BYTEAS, read_bytea, put_bytea},
    [DB_HASH] = {"bytea", {OID_BYTEA}, OID_BYTEA, OID_BYTEAS, read_hash, put_hash},
    [DB_HASH_AT] = {"a parameter", {OID_UNKNOWN}, OID_BYTEA, OID_BYTEAS, NULL, put_hash_at},
    [DB_UUID] = {"uuid", {OID_UUID}, OID_UUID, OID_UUIDS, read_uuid, put_uuid},
    [DB_UUID_AT] = {"a parameter", {OID_UNKNOWN}, OID_UUID, OID_UUIDS, NULL, put_uuid_at},
    [DB_I64] = {"an integer", {OID_INT8, OID_INT4, OID_INT2}, OID_INT8, OID_INT8S, read_i64, put_i64},
    [DB_I32] = {"int4", {OID_INT4, OID_INT2}, OID_INT4, OID_INT4S, read_i32, put_i32},
    [DB_OPT_I64] = {"an integer", {OID_INT8, OID_INT4, OID_INT2}, OID_INT8, OID_INT8S, read_opt_i64, put_opt_i64},
    [DB_BOOL] = {"boolean", {OID_BOOL}, OID_BOOL, OID_BOOLS, read_bool, put_bool},
    [DB_TRI] = {"boolean", {OID_BOOL}, OID_BOOL, OID_BOOLS, read_tri, put_tri},
    [DB_TIME] = {"timestamptz", {OID_TIME}, OID_TIME, OID_TIMES, read_time, put_time},
    [DB_PRESENT] = {"anything", {0}, 0, 0, read_present, NULL},
    [DB_TEXTS] = {"text[]", {OID_TEXTS}, OID_TEXTS, 0, read_texts, put_texts},
    [DB_I64S] = {"int4[] or int8[]", {OID_INT4S, OID_INT8S}, 0, 0, read_i64s, NULL},
    [DB_BYTEAS] = {"bytea[]", {OID_BYTEAS}, 0, 0, read_byteas, NULL},
};

/* --- the row and the statement ------------------------------------------------------------------------------------ */

static bool reads_type(const struct kind *k, unsigned type)
{
    bool any = k->results[0] == 0;
    for (size_t i = 0; !any && i < sizeof k->results / sizeof *k->results && k->results[i]; i++)
        if (k->results[i] == type)
            return true;
    return any;
}

/* Does the statement's name for a column name this one? Of a member of a member the last name does, or both: a_b. */
static bool goes_by(const struct db_col *col, const char *name)
{
    const char *dot = strrchr(col->name, '.');
    size_t n = dot ? (size_t)(dot - col->name) : 0;
    bool both = dot && strncmp(name, col->name, n) == 0 && name[n] == '_' && strcmp(name + n + 1, dot + 1) == 0;
    return both || strcmp(name, dot ? dot + 1 : col->name) == 0;
}

static bool find_column(const struct db_described *result, const struct db_col *col, int *ret)
{
    for (size_t i = 0; i < result->count; i++)
        if (goes_by(col, result->names[i])) {
            *ret = (int)i;
            return true;
        }
    return false;
}

static bool takes(const struct db_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (goes_by(&row->cols[i], name))
            return true;
    return false;
}

static bool col_fits(const struct db_row *row, const struct db_col *col, const struct db_described *result, int *ret_at,
                     struct err_detail *d)
{
    const struct kind *k = &kinds[col->kind];
    if (!find_column(result, col, ret_at)) {
        err_say(d, NULL, "the result has no column \"%s\", which %s takes", col->name, row->name);
        return false;
    }
    if (!reads_type(k, result->types[*ret_at])) {
        err_say(d, NULL, "column \"%s\" is of the type with oid %u, and %s takes %s", result->names[*ret_at],
                result->types[*ret_at], row->name, k->name);
        return false;
    }
    return true;
}

bool db_row_fits(const struct db_row *row, const struct db_described *result, int ret_at[DB_COLS_MAX],
                 struct err_detail *d)
{
    for (size_t i = 0; i < row->count; i++)
        if (!col_fits(row, &row->cols[i], result, &ret_at[i], d))
            return false;
    for (size_t i = 0; i < result->count; i++)
        if (!takes(row, result->names[i])) {
            err_say(d, NULL, "column \"%s\" is one that %s does not take", result->names[i], row->name);
            return false;
        }
    return true;
}

unsigned db_param_type(unsigned oid)
{
    unsigned given = oid == OID_VARCHAR ? OID_TEXT : oid; /* the same in binary */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (given == kinds[i].param || given == kinds[i].array)
            return given;
    return 0;
}

void db_col_read(const struct db_col *col, struct bytes value, struct arena *a, void *to)
{
    kinds[col->kind].read(col, value, a, (char *)to + col->offset);
}

struct db_value db_col_value(const struct db_col *col, const void *from, struct arena *a)
{
    struct wire w = {.value = {NULL, 0}};
    kinds[col->kind].put(col, (const char *)from + col->offset, a, &w);
    if (w.value.p == w.small)
        w.value.p = (const uint8_t *)arena_copy(a, (const char *)w.small, w.value.n).p;
    return (struct db_value){w.value, kinds[col->kind].param};
}

struct db_value db_col_array(const struct db_col *col, const void *first, size_t stride, size_t count, struct arena *a)
{
    struct str s = array_of(col, first, stride, count, a);
    return (struct db_value){{(const uint8_t *)s.p, s.n}, kinds[col->kind].array};
}
