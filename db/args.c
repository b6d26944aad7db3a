/* args.c: the parameters of a call in PostgreSQL's binary form. It knows types and byte order and nothing of
 * connections; it must never keep a pointer beyond the arena that it was given. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"

enum oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_BOOLS = 1000,
    OID_BYTEAS = 1001,
    OID_INT4S = 1007,
    OID_TEXTS = 1009,
    OID_INT8S = 1016,
    OID_TIME = 1184,
    OID_TIMES = 1185,
    OID_UUID = 2950,
    OID_UUIDS = 2951,
};

static const int64_t epoch_2000_us = INT64_C(946684800000000);

void db_args_init(struct db_args *in, struct arena *a)
{
    in->arena = a;
    in->count = 0;
}

static void add(struct db_args *in, enum oid oid, const void *value, size_t n)
{
    if (in->count == DB_PARAMS_MAX || n > INT32_MAX) {
        fputs("db: too many or too large parameters\n", stderr);
        abort();
    }
    in->oids[in->count] = oid;
    in->values[in->count] = value;
    in->lengths[in->count] = (int)n;
    in->count++;
}

static void add_copy(struct db_args *in, enum oid oid, const void *value, size_t n)
{
    add(in, oid, arena_copy(in->arena, value, n).p, n);
}

void db_text(struct db_args *in, struct str s)
{
    add(in, OID_TEXT, s.p, s.n);
}

void db_json(struct db_args *in, struct str json)
{
    add(in, OID_JSON, json.p, json.n);
}

void db_bytea(struct db_args *in, struct bytes b)
{
    add(in, OID_BYTEA, b.p, b.n);
}

void db_uuid(struct db_args *in, const struct uuid *u)
{
    if (u)
        add_copy(in, OID_UUID, u->b, sizeof u->b);
    else
        add(in, OID_UUID, NULL, 0);
}

static void add_64(struct db_args *in, enum oid oid, int64_t n)
{
    uint64_t wire = htobe64((uint64_t)n);
    add_copy(in, oid, &wire, sizeof wire);
}

/* The ends of the range are PostgreSQL's infinities. */
static int64_t time_to_wire(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN ? us : us - epoch_2000_us;
}

void db_i64(struct db_args *in, int64_t n)
{
    add_64(in, OID_INT8, n);
}

void db_i32(struct db_args *in, int32_t n)
{
    uint32_t wire = htonl((uint32_t)n);
    add_copy(in, OID_INT4, &wire, sizeof wire);
}

void db_bool(struct db_args *in, bool b)
{
    add(in, OID_BOOL, b ? "\x01" : "\x00", 1);
}

void db_i64_opt(struct db_args *in, bool set, int64_t n)
{
    if (set)
        db_i64(in, n);
    else
        add(in, OID_INT8, NULL, 0);
}

void db_i32_opt(struct db_args *in, bool set, int32_t n)
{
    if (set)
        db_i32(in, n);
    else
        add(in, OID_INT4, NULL, 0);
}

void db_bool_opt(struct db_args *in, bool set, bool b)
{
    if (set)
        db_bool(in, b);
    else
        add(in, OID_BOOL, NULL, 0);
}

void db_time(struct db_args *in, int64_t us)
{
    if (us)
        add_64(in, OID_TIME, time_to_wire(us));
    else
        add(in, OID_TIME, NULL, 0);
}

/* A one-dimensional array on the wire: dimensions, has-nulls, element type, length, lower bound; then each element with
 * its length. */
struct array {
    struct text out;
    enum oid oid;
};

static void put_32(struct text *out, uint32_t n)
{
    uint32_t wire = htonl(n);
    text_add(out, (struct str){(const char *)&wire, sizeof wire});
}

static void array_begin(struct array *t, struct db_args *in, enum oid oid, enum oid element, size_t count,
                        size_t bytes_each)
{
    if (count > INT32_MAX) {
        fputs("db: array too long\n", stderr);
        abort();
    }
    t->oid = oid;
    text_init(&t->out, in->arena, 20 + count * (bytes_each + 4));
    put_32(&t->out, count > 0);
    put_32(&t->out, 1);
    put_32(&t->out, element);
    if (count > 0) {
        put_32(&t->out, (uint32_t)count);
        put_32(&t->out, 1);
    }
}

static void array_put(struct array *t, const void *value, size_t n)
{
    if (!value) {
        put_32(&t->out, UINT32_MAX);
        return;
    }
    put_32(&t->out, (uint32_t)n);
    text_add(&t->out, (struct str){value, n});
}

static void array_end(struct array *t, struct db_args *in)
{
    struct str s = text_str(&t->out);
    add(in, t->oid, s.p, s.n);
}

void db_text_array(struct db_args *in, const struct str *at, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_TEXTS, OID_TEXT, n, 24);
    for (size_t i = 0; i < n; i++)
        array_put(&t, at[i].p, at[i].n);
    array_end(&t, in);
}

void db_bytea_array(struct db_args *in, const struct bytes *at, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_BYTEAS, OID_BYTEA, n, 100);
    for (size_t i = 0; i < n; i++)
        array_put(&t, at[i].p, at[i].n);
    array_end(&t, in);
}

void db_uuid_array(struct db_args *in, const struct uuid *at, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_UUIDS, OID_UUID, n, sizeof at->b);
    for (size_t i = 0; i < n; i++)
        array_put(&t, at[i].b, sizeof at[i].b);
    array_end(&t, in);
}

static void array_put_64(struct array *t, int64_t n)
{
    uint64_t wire = htobe64((uint64_t)n);
    array_put(t, &wire, sizeof wire);
}

void db_i64_array(struct db_args *in, const int64_t *at, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_INT8S, OID_INT8, n, sizeof *at);
    for (size_t i = 0; i < n; i++)
        array_put_64(&t, at[i]);
    array_end(&t, in);
}

void db_i32_array(struct db_args *in, const int32_t *at, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_INT4S, OID_INT4, n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        uint32_t wire = htonl((uint32_t)at[i]);
        array_put(&t, &wire, sizeof wire);
    }
    array_end(&t, in);
}

void db_bool_array(struct db_args *in, const bool *at, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_BOOLS, OID_BOOL, n, 1);
    for (size_t i = 0; i < n; i++)
        array_put(&t, at[i] ? "\x01" : "\x00", 1);
    array_end(&t, in);
}

void db_time_array(struct db_args *in, const int64_t *at_us, size_t n)
{
    struct array t;
    array_begin(&t, in, OID_TIMES, OID_TIME, n, sizeof *at_us);
    for (size_t i = 0; i < n; i++) {
        if (at_us[i])
            array_put_64(&t, time_to_wire(at_us[i]));
        else
            array_put(&t, NULL, 0);
    }
    array_end(&t, in);
}
