/* args.c: the parameters of a call, one after the other. It knows no binary form (spec.c does) and nothing of
 * connections; it must never keep a pointer beyond the arena that it was given. */
#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"

void db_args_init(struct db_args *in, struct arena *a)
{
    in->arena = a;
    in->count = 0;
}

static void add(struct db_args *in, struct db_value v)
{
    if (in->count == DB_PARAMS_MAX || v.wire.n > INT32_MAX) {
        fputs("db: too many or too large parameters\n", stderr);
        abort();
    }
    in->oids[in->count] = v.oid;
    in->values[in->count] = (const char *)v.wire.p;
    in->lengths[in->count] = (int)v.wire.n;
    in->count++;
}

static void add_one(struct db_args *in, enum db_kind kind, const void *value)
{
    const struct db_col col = {.kind = kind};
    add(in, db_col_value(&col, value, in->arena));
}

void db_text(struct db_args *in, struct str s)
{
    add_one(in, DB_TEXT, &s);
}

void db_bytea(struct db_args *in, struct bytes b)
{
    add_one(in, DB_BYTEA, &b);
}

void db_uuid(struct db_args *in, const struct uuid *u)
{
    static const struct uuid none;
    add_one(in, DB_UUID, u ? u : &none);
    if (!u)
        in->values[in->count - 1] = NULL;
}

void db_i64(struct db_args *in, int64_t n)
{
    add_one(in, DB_I64, &n);
}

void db_i32(struct db_args *in, int32_t n)
{
    add_one(in, DB_I32, &n);
}

void db_bool(struct db_args *in, bool b)
{
    add_one(in, DB_BOOL, &b);
}

void db_text_array(struct db_args *in, const struct str *at, size_t n)
{
    static const struct db_col text = {.kind = DB_TEXT};
    add(in, db_col_array(&text, at, sizeof *at, n, in->arena));
}

void db_i64_array(struct db_args *in, const int64_t *at, size_t n)
{
    static const struct db_col number = {.kind = DB_I64};
    add(in, db_col_array(&number, at, sizeof *at, n, in->arena));
}

void db_row_args(struct db_args *in, const struct db_row *row, const void *from)
{
    for (size_t i = 0; i < row->count; i++)
        if (!row->cols[i].out)
            add(in, db_col_value(&row->cols[i], from, in->arena));
}

void db_array_args(struct db_args *in, const struct db_row *row, const void *first, size_t count)
{
    for (size_t i = 0; i < row->count; i++)
        if (!row->cols[i].out)
            add(in, db_col_array(&row->cols[i], first, row->size, count, in->arena));
}
