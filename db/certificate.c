/* certificate.c: CA certificates of an instance as the management plane sees them, and as devices are held against
 * them. It must never judge one. */
#include "db/certificate.h"

#include "core/limits.h"

enum {
#define WAIT(name, ms, sentence) WAIT_##name##_MS = (ms),
#include "core/jobs.def"
};

#define SENT_COLS COL(certificate), COL(der), COL(is_verified)
#define LATER_COLS COL(code), COL_TIME(code_until_us, "code_until"), COL(crl)

DB_ROW(certificate, struct certificate_row, COL(name), SENT_COLS, LATER_COLS, COL(etag),
       COL_TIME(created_us, "created_at"), COL_TIME(updated_us, "updated_at"));
DB_ROW(certificate_found, struct certificate_found, COL(id_scope), COL(ca.name_key), COL(ca.is_verified), COL(ca.der),
       COL(ca.crl));
DB_ROW(certificate_named_by, struct certificate_named_by, COL(registration_id), COL(of_group));
DB_PARAMS(inserted, struct certificate_row, COL(name), SENT_COLS);
DB_PARAMS(changed, struct certificate_row, SENT_COLS, LATER_COLS);
DB_PARAMS(key, struct certificate_key, COL(tenant_id), COL(id_scope), COL(name_key));
DB_PARAMS(scope, struct certificate_key, COL(tenant_id), COL(id_scope));

err_t db_certificate_find(struct db *db, struct arena *a, const struct find *instance, struct str name_key,
                          struct place_found *ret_found, bool *ret_there, struct certificate_row **ret,
                          size_t *ret_count)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(SQL_INSTANCE_FIND, db_find_in(instance), db_i64(1)),
        DB_CALL(SQL_CERTIFICATE_FIND, db_named_in(instance), db_text(name_key)),
    };
    TRY(db_placed(db, a, &instance->at, calls, 2, ret_found, &r));
    *ret_there = rows_count(r.of[1]) > 0;
    rows_all(r.of[2], a, ret, sizeof **ret, ret_count);
    return NULL;
}

err_t db_certificates_of(struct db *db, struct arena *a, const struct str *id_scopes, size_t count,
                         struct certificate_found **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_CERTIFICATES_OF, db_texts(id_scopes, count)), DB_REPEATABLE, ret, sizeof **ret,
                  ret_count);
}

err_t db_certificate_lock(struct db *db, struct arena *a, const struct certificate_key *at, bool *ret_there,
                          struct certificate_row *ret)
{
    const struct db_call calls[] = {
        DB_CALL(SQL_ENROLLMENT_TURN, db_text(at->id_scope), db_i64(WAIT_import_turn_MS)),
        DB_CALL(SQL_CERTIFICATE_LOCK, DB_MEMBERS(key, at)),
    };
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    TRY(db_run(db, a, calls, 2, DB_ONCE, r.of));
    *ret_there = rows_first(r.of[1], a, ret, sizeof *ret);
    return NULL;
}

err_t db_certificate_insert(struct db *db, struct arena *a, const struct certificate_key *at,
                            struct certificate_row *row, bool *ret_written)
{
    return db_first(
        db, a,
        DB_CALL(SQL_CERTIFICATE_INSERT, DB_MEMBERS(scope, at), DB_MEMBERS(inserted, row), db_i64(CERTIFICATES_MOST)),
        DB_ONCE, ret_written, row, sizeof *row);
}

err_t db_certificate_update(struct db *db, struct arena *a, const struct certificate_key *at, const char *what,
                            struct certificate_row *row)
{
    return db_one(db, a,
                  DB_CALL(SQL_CERTIFICATE_UPDATE, DB_MEMBERS(key, at), db_text(str_of(what)), DB_MEMBERS(changed, row)),
                  DB_ONCE, row, sizeof *row);
}

err_t db_certificate_named_by(struct db *db, struct arena *a, const struct certificate_key *at,
                              struct certificate_named_by *ret)
{
    return db_first(db, a, DB_CALL(SQL_CERTIFICATE_NAMED_BY, db_text(at->id_scope), db_text(at->name_key)), DB_ONCE,
                    NULL, ret, sizeof *ret);
}

err_t db_certificate_delete(struct db *db, struct arena *a, const struct certificate_key *at)
{
    return db_do(db, a, DB_CALL(SQL_CERTIFICATE_DELETE, DB_MEMBERS(key, at)), DB_ONCE);
}
