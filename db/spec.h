/* spec.h: how a row of the database becomes a struct, and a struct becomes parameters.
 *
 * A row is a table of its columns: for each the member that takes it, and the name that the statement gives it. What
 * kind of value it is follows from the member's C type; where a type serves several kinds, the column says which. One
 * table serves reading a result, filling one row's parameters and filling array parameters. A statement names its row
 * in its head (`-- name: hub_find -> hub_row`), and every connection holds what the server says of the result against
 * that table when it is opened: a column that is missing, too many or of another type stops the program at its start.
 */
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

/* With the C type of the member. NULL reads as 0, false, absent, or p NULL, but where it says more. */
enum db_kind {
    DB_TEXT,    /* struct str: text; absent is NULL */
    DB_JSON,    /* struct str: json, as its text; absent is NULL */
    DB_WORD,    /* int: text out of a list of words, as its number: the first is 1; 0 is NULL */
    DB_BYTEA,   /* struct bytes: bytea; p NULL is NULL */
    DB_HASH,    /* struct sha256: bytea of 32 bytes, never NULL */
    DB_HASH_AT, /* const struct sha256 *: the same as a parameter; NULL is NULL; not for results */
    DB_UUID,    /* struct uuid: uuid; NULL reads as zeros, and is never written */
    DB_UUID_AT, /* const struct uuid *: the same as a parameter; NULL is NULL; not for results */
    DB_I64,     /* int64_t: int8; results also int2, int4 */
    DB_I32,     /* int: int4; results also int2 */
    DB_OPT_I64, /* struct opt_i64: the same as I64, and NULL is not set */
    DB_BOOL,    /* bool: boolean */
    DB_TRI,     /* enum tri: boolean; NULL is TRI_ABSENT */
    DB_TIME,    /* int64_t: timestamptz in µs since 1970; 0 is NULL, the ends of the range are the infinities */
    DB_PRESENT, /* bool: the column, of whatever type, is not NULL; for results only */
    DB_TEXTS,   /* struct str_list: text[]; NULL is not set; no array of it */
    DB_I64S,    /* struct i64_list: int4[] or int8[]; for results only */
    DB_BYTEAS,  /* struct bytes_list: bytea[]; for results only */
};

struct db_col {
    const char *name;
    enum db_kind kind;
    size_t offset;
    const char *const *words; /* of DB_WORD, NULL-terminated */
};

struct db_row {
    const char *name;
    const struct db_col *cols;
    size_t count, size; /* of the columns; of the struct in bytes */
};

enum { DB_COLS_MAX = 40 };

/* A row is made as the function db_row_NAME, so that its columns need not repeat its struct:
 *     DB_ROW(hub, struct hub_row, COL(name), COL_JSON(tags), COL_TIME(created_us, "created_at"));
 * DB_ROW: the row of a statement (it is declared with the statements). DB_PARAMS: of parameters only, in its file; they
 * go in the order of the columns. DB_VALUE: the row of a statement with one column, read into a variable of `type`. */
/* clang-format off */
#define DB_ROW(row, type, ...) DB_ROW_OF(, row, type, __VA_ARGS__)
#define DB_PARAMS(row, type, ...) DB_ROW_OF(static, row, type, __VA_ARGS__)
#define DB_VALUE(row, type, column) DB_ROW(row, struct { type column; }, COL(column))
#define DB_ROW_OF(linkage, row, type, ...)                                                                             \
    linkage const struct db_row *db_row_##row(void)                                                                    \
    {                                                                                                                  \
        typedef type db_row_type;                                                                                      \
        static const struct db_col cols[] = {__VA_ARGS__};                                                             \
        static const struct db_row all = {#row, cols, sizeof cols / sizeof *cols, sizeof(db_row_type)};                \
        return &all;                                                                                                   \
    }                                                                                                                  \
    linkage const struct db_row *db_row_##row(void)

/* A column: COL(name); a member of a member goes by its last name: COL(state.status), or by both, a.b as a_b. COL_AS
 * where the statement names it otherwise. A member whose C type is not of the kind does not compile. */
#define COL(member) COL_AS(member, #member)
#define COL_AS(member, name)                                                                                           \
    DB_COL(member, name, NULL, struct str: DB_TEXT, struct bytes: DB_BYTEA, struct sha256: DB_HASH,                    \
           const struct sha256 *: DB_HASH_AT, struct uuid: DB_UUID, const struct uuid *: DB_UUID_AT, int64_t: DB_I64,  \
           int: DB_I32, struct opt_i64: DB_OPT_I64, bool: DB_BOOL, enum tri: DB_TRI, struct str_list: DB_TEXTS,        \
           struct i64_list: DB_I64S, struct bytes_list: DB_BYTEAS)
#define COL_JSON(member) DB_COL(member, #member, NULL, struct str: DB_JSON)
#define COL_WORD(member, words) COL_WORD_AS(member, words, #member)
#define COL_WORD_AS(member, words, name) DB_COL(member, name, words, int: DB_WORD)
#define COL_TIME(member, name) DB_COL(member, name, NULL, int64_t: DB_TIME)
#define COL_PRESENT(member, name) DB_COL(member, name, NULL, bool: DB_PRESENT)
#define DB_COL(member, name, words, ...)                                                                               \
    {name, _Generic((db_row_type){}.member, __VA_ARGS__), offsetof(db_row_type, member), words}
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

/* The type of the values that a parameter of type `oid` is given: its own, or text for varchar. 0: no kind is written
 * so. */
unsigned db_param_type(unsigned oid);

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
