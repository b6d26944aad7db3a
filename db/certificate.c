/* certificate.c: CA certificates of an instance or a hub as the management plane sees them, and as devices are held
 * against those of instances. It must never judge one. */
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
DB_PARAMS(key, struct certificate_key, COL(tenant_id), COL(owner), COL(name_key));
DB_PARAMS(owner, struct certificate_key, COL(tenant_id), COL(owner));

/* The statements of each kind of owner take the same. */
static const struct statements {
    enum sql_id owner_find, find, lock, insert, update, delete;
} statements[] = {
    [CERTIFICATE_OF_INSTANCE] = {SQL_INSTANCE_FIND, SQL_CERTIFICATE_FIND, SQL_CERTIFICATE_LOCK, SQL_CERTIFICATE_INSERT,
                                 SQL_CERTIFICATE_UPDATE, SQL_CERTIFICATE_DELETE},
    [CERTIFICATE_OF_HUB] = {SQL_HUB_FIND, SQL_HUB_CERTIFICATE_FIND, SQL_HUB_CERTIFICATE_LOCK,
                            SQL_HUB_CERTIFICATE_INSERT, SQL_HUB_CERTIFICATE_UPDATE, SQL_HUB_CERTIFICATE_DELETE},
};

err_t db_certificate_find(struct db *db, struct arena *a, enum certificate_of of, const struct find *owner,
                          struct str name_key, struct place_found *ret_found, bool *ret_there,
                          struct certificate_row **ret, size_t *ret_count)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {
        DB_CALL(statements[of].owner_find, db_find_in(owner), db_i64(1)),
        DB_CALL(statements[of].find, db_named_in(owner), db_text(name_key)),
    };
    TRY(db_placed(db, a, &owner->at, calls, 2, ret_found, &r));
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
    if (at->of == CERTIFICATE_OF_INSTANCE)
        TRY(db_do(db, a, DB_CALL(SQL_ENROLLMENT_TURN, db_text(at->owner), db_i64(WAIT_import_turn_MS)), DB_ONCE));
    return db_first(db, a, DB_CALL(statements[at->of].lock, DB_MEMBERS(key, at)), DB_ONCE, ret_there, ret, sizeof *ret);
}

err_t db_certificate_insert(struct db *db, struct arena *a, const struct certificate_key *at,
                            struct certificate_row *row, bool *ret_written)
{
    return db_first(
        db, a,
        DB_CALL(statements[at->of].insert, DB_MEMBERS(owner, at), DB_MEMBERS(inserted, row), db_i64(CERTIFICATES_MOST)),
        DB_ONCE, ret_written, row, sizeof *row);
}

err_t db_certificate_update(struct db *db, struct arena *a, const struct certificate_key *at, const char *what,
                            struct certificate_row *row)
{
    return db_one(
        db, a, DB_CALL(statements[at->of].update, DB_MEMBERS(key, at), db_text(str_of(what)), DB_MEMBERS(changed, row)),
        DB_ONCE, row, sizeof *row);
}

err_t db_certificate_named_by(struct db *db, struct arena *a, const struct certificate_key *at,
                              struct certificate_named_by *ret)
{
    return db_first(db, a, DB_CALL(SQL_CERTIFICATE_NAMED_BY, db_text(at->owner), db_text(at->name_key)), DB_ONCE, NULL,
                    ret, sizeof *ret);
}

err_t db_certificate_delete(struct db *db, struct arena *a, const struct certificate_key *at)
{
    return db_do(db, a, DB_CALL(statements[at->of].delete, DB_MEMBERS(key, at)), DB_ONCE);
}
