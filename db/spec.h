/* spec.h: how a row of the database becomes a struct, and a struct becomes parameters.
 *
 * A row is a table of its columns: the name that the statement gives it, what kind of value it is, and the member that
 * takes it. One table serves reading a result, filling one row's parameters and filling array parameters. A statement
 * names its row in its head (`-- name: hub_find -> hub_row`), and every connection holds what the server says of the
 * result against that table when it is opened: a column that is missing, too many or of another type stops the program
 * at its start. A member that has not the C type of its kind does not compile. */
#ifndef IDSCOPE_DB_SPEC_H
#define IDSCOPE_DB_SPEC_H

#include <stddef.h>

#include "core/codec.h"
#include "core/crypt.h"

struct i64_list {
    int64_t *at;
    size_t n;
};
struct bytes_list {
    struct bytes *at;
    size_t n;
};

/* KIND(name, C type of the member, sentence). NULL reads as 0, false, absent, or p NULL, but where it says more. */
#define DB_KINDS(KIND)                                                                                                 \
    KIND(TEXT, struct str, "text; absent is NULL")                                                                     \
    KIND(JSON, struct str, "json, as its text; absent is NULL")                                                        \
    KIND(WORD, int, "text out of a list of words, as its number: the first is 1; 0 is NULL")                           \
    KIND(BYTEA, struct bytes, "bytea; p NULL is NULL")                                                                 \
    KIND(HASH, struct sha256, "bytea of 32 bytes, never NULL")                                                         \
    KIND(HASH_AT, const struct sha256 *, "the same as a parameter; NULL is NULL; not for results")                     \
    KIND(UUID, struct uuid, "uuid; NULL reads as zeros, and is never written")                                         \
    KIND(I64, int64_t, "int8; results also int2, int4")                                                                \
    KIND(I32, int, "int4; results also int2")                                                                          \
    KIND(OPT_I64, struct opt_i64, "the same as I64, and NULL is not set")                                              \
    KIND(BOOL, bool, "boolean")                                                                                        \
    KIND(TRI, enum tri, "boolean; NULL is TRI_ABSENT")                                                                 \
    KIND(TIME, int64_t, "timestamptz in µs since 1970; 0 is NULL, the ends of the range are the infinities")           \
    KIND(PRESENT, bool, "true when the column, of whatever type, is not NULL; for results only")                       \
    KIND(TEXTS, struct str_list, "text[]; NULL is not set; no array of it")                                            \
    KIND(I64S, struct i64_list, "int4[] or int8[]; for results only")                                                  \
    KIND(BYTEAS, struct bytes_list, "bytea[]; for results only")

enum db_kind {
#define KIND(name, type, sentence) DB_##name,
    DB_KINDS(KIND)
#undef KIND
};

struct db_col {
    const char *name;
    enum db_kind kind;
    size_t offset;
    const char *const *words; /* of DB_WORD, NULL-terminated */
    bool out;                 /* of results only: no parameter is made of it */
};

struct db_row {
    const char *name;
    const struct db_col *cols;
    size_t count, size; /* of the columns; of the struct in bytes */
};

enum { DB_COLS_MAX = 40 };

/* For the check of a member's C type against its kind. */
#define KIND(name, type, sentence) typedef type db_c_##name;
DB_KINDS(KIND)
#undef KIND
#define DB_FITS(type, member, kind) __builtin_types_compatible_p(__typeof__(((type *)0)->member), db_c_##kind)
#define DB_OFFSET(type, member, kind)                                                                                  \
    (offsetof(type, member) +                                                                                          \
     0 * sizeof(struct { int member_is_not_of_its_kind : DB_FITS(type, member, kind) ? 1 : -1; }))

/* One column: COL(struct hub_row, name, TEXT); a member of a member gives its last name: COL(struct x, state.status,
 * …). COL_AS where the statement names it otherwise; COL_OUT for results only. */
/* clang-format off */
#define COL(type, member, kind) {#member, DB_##kind, DB_OFFSET(type, member, kind), NULL, false}
#define COL_AS(type, member, kind, name) {name, DB_##kind, DB_OFFSET(type, member, kind), NULL, false}
#define COL_OUT(type, member, kind) {#member, DB_##kind, DB_OFFSET(type, member, kind), NULL, true}
#define COL_OUT_AS(type, member, kind, name) {name, DB_##kind, DB_OFFSET(type, member, kind), NULL, true}
#define COL_WORD(type, member, words) {#member, DB_WORD, DB_OFFSET(type, member, WORD), words, false}
#define COL_WORD_AS(type, member, words, name) {name, DB_WORD, DB_OFFSET(type, member, WORD), words, false}

/* The row of a statement (it is declared with the statements), and one that serves parameters only. Parameters go in the
 * order of the columns. */
#define DB_ROW(name, type, ...) const struct db_row db_row_##name = DB_ROW_OF(name, type, __VA_ARGS__)
#define DB_PARAMS(name, type, ...) static const struct db_row db_row_##name = DB_ROW_OF(name, type, __VA_ARGS__)
#define DB_ROW_OF(name, type, ...) {#name, DB_COLS(__VA_ARGS__), sizeof DB_COLS(__VA_ARGS__) / sizeof(struct db_col), sizeof(type)}
#define DB_COLS(...) ((const struct db_col[]){__VA_ARGS__})
/* clang-format on */

/* A result's columns, as the server describes them. */
struct db_described {
    size_t count;
    const char *names[DB_COLS_MAX];
    unsigned types[DB_COLS_MAX];
};

/* Finds each column of the row in a result: ret_at[i] is the place of row->cols[i]. False: they do not fit, and `d`
 * says which column and why. */
bool db_row_fits(const struct db_row *row, const struct db_described *result, int ret_at[DB_COLS_MAX],
                 struct err_detail *d);

/* Reads a value as it came (in binary; p NULL for NULL) into the member that `col` names of the struct at `to`. Texts
 * and bytes go to `a`. The value must be of a type that db_row_fits lets through. */
void db_col_read(const struct db_col *col, struct bytes value, struct arena *a, void *to);

/* A value in binary, and the type that it is of. */
struct db_value {
    struct bytes wire; /* p NULL: NULL */
    unsigned oid;
};
/* The member that `col` names of the struct at `from`; texts, bytes and hashes are not copied. */
struct db_value db_col_value(const struct db_col *col, const void *from, struct arena *a);
/* The same of `count` structs that are `stride` bytes apart, as one array. */
struct db_value db_col_array(const struct db_col *col, const void *first, size_t stride, size_t count, struct arena *a);

#endif
