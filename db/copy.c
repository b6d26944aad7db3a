/* copy.c: rows by the thousand, in PostgreSQL's binary form of COPY: a value is what it is as a parameter (spec.c). It
 * must never run outside of a transaction, whose end says whether the rows are there. */
#include <assert.h>
#include <endian.h>

#include "db/conn.h"

/* Signature, flags, length of the header's extension; what ends it all. */
static const struct str head = {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
static const struct str tail = {"\377\377", 2};

static void add_i16(struct text *out, int n)
{
    uint16_t wire = htobe16((uint16_t)n);
    text_add(out, (struct str){(const char *)&wire, sizeof wire});
}

static void add_i32(struct text *out, int64_t n)
{
    uint32_t wire = htobe32((uint32_t)n);
    text_add(out, (struct str){(const char *)&wire, sizeof wire});
}

static void add_value(struct text *out, struct bytes wire)
{
    add_i32(out, wire.p ? (int64_t)wire.n : -1);
    text_add(out, bytes_str(wire));
}

static struct str written(struct arena *a, const struct db_in *in)
{
    struct text out;
    text_init(&out, a, in->count * 512 + 64);
    text_add(&out, head);
    for (size_t i = 0; i < in->count; i++) {
        const char *from = (const char *)in->first + i * in->row->size;
        add_i16(&out, (int)in->row->count);
        for (size_t c = 0; c < in->row->count; c++)
            add_value(&out, db_col_value(&in->row->cols[c], from, a).wire);
    }
    text_add(&out, tail);
    return text_str(&out);
}

/* False: there is no answer, or not the one that is wanted. */
static err_t take(struct db *db, const char *name, ExecStatusType wanted)
{
    PGresult *r = conn_answered(db->conn) ? PQgetResult(db->conn) : NULL;
    err_t e = r && PQresultStatus(r) == wanted ? NULL : conn_failure(db, name, r);
    PQclear(r);
    return e;
}

static err_t take_end(struct db *db, const char *name)
{
    err_t e = take(db, name, PGRES_COMMAND_OK);
    while (db->conn && conn_answered(db->conn)) {
        PGresult *r = PQgetResult(db->conn);
        if (!r)
            return e;
        PQclear(r);
    }
    return e ? e : conn_failure(db, name, NULL);
}

err_t db_copy(struct db *db, struct arena *a, enum sql_id statement, struct db_in rows)
{
    const struct sql_text *s = &sql_texts[statement];
    assert(s->copies && rows.many && db->in_tx);
    TRY(conn_ensure(db));
    struct str all = written(a, &rows);
    if (PQsendQuery(db->conn, s->text) != 1)
        return conn_failure(db, s->name, NULL);
    err_t e = take(db, s->name, PGRES_COPY_IN);
    if (e)
        return db->conn ? (take_end(db, s->name), e) : e;
    if (PQputCopyData(db->conn, all.p, (int)all.n) != 1 || PQputCopyEnd(db->conn, NULL) != 1)
        return conn_failure(db, s->name, NULL);
    return take_end(db, s->name);
}
