/* args.c: the parameters of a call, as its caller names them and as they are sent. It knows no binary form (spec.c
 * does) and nothing of connections. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/conn.h"

/* --- as they are named -------------------------------------------------------------------------------------------- */

struct db_in db_text(struct str s)
{
    return (struct db_in){.kind = DB_TEXT, .value.text = s};
}

struct db_in db_uuid(const struct uuid *u)
{
    return (struct db_in){.kind = DB_UUID_AT, .value.uuid = u};
}

struct db_in db_i64(int64_t n)
{
    return (struct db_in){.kind = DB_I64, .value.i64 = n};
}

struct db_in db_i32(int32_t n)
{
    return (struct db_in){.kind = DB_I32, .value.i32 = n};
}

struct db_in db_bool(bool b)
{
    return (struct db_in){.kind = DB_BOOL, .value.yes = b};
}

struct db_in db_texts(const struct str *at, size_t n)
{
    static const struct db_col text = {.kind = DB_TEXT};
    static const struct db_row texts = {"text", &text, 1, sizeof *at};
    return db_arrays(&texts, at, sizeof *at, n);
}

struct db_in db_i64s(const int64_t *at, size_t n)
{
    static const struct db_col number = {.kind = DB_I64};
    static const struct db_row numbers = {"number", &number, 1, sizeof *at};
    return db_arrays(&numbers, at, sizeof *at, n);
}

struct db_in db_members(const struct db_row *row, const void *from, size_t size)
{
    assert(size == row->size);
    return (struct db_in){.row = row, .first = from};
}

struct db_in db_arrays(const struct db_row *row, const void *first, size_t size, size_t count)
{
    assert(size == row->size);
    return (struct db_in){.row = row, .first = first, .count = count, .many = true};
}

/* --- as they are sent --------------------------------------------------------------------------------------------- */

static void add(struct db_args *args, struct db_value v)
{
    if (args->count == DB_PARAMS_MAX || v.wire.n > INT32_MAX) {
        fputs("db: too many or too large parameters\n", stderr);
        abort();
    }
    args->oids[args->count] = v.oid;
    args->values[args->count] = (const char *)v.wire.p;
    args->lengths[args->count] = (int)v.wire.n;
    args->count++;
}

static void add_row(struct db_args *args, const struct db_in *in, struct arena *a)
{
    for (size_t i = 0; i < in->row->count; i++) {
        const struct db_col *col = &in->row->cols[i];
        add(args,
            in->many ? db_col_array(col, in->first, in->row->size, in->count, a) : db_col_value(col, in->first, a));
    }
}

void args_make(struct db_args *ret, const struct db_call *call, struct arena *a)
{
    ret->statement = call->statement;
    ret->count = 0;
    for (size_t i = 0; i < call->count; i++) {
        const struct db_in *in = &call->in[i];
        if (in->row)
            add_row(ret, in, a);
        else
            add(ret, db_col_value(&(struct db_col){.kind = in->kind}, &in->value, a));
    }
}
