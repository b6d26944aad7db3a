/* registration.c: registrations as the service plane sees them. It must never change what a registration says, only
 * forget one. */
#include "db/enrollment.h"

enum {
#define WAIT(name, ms, sentence) WAIT_##name##_MS = (ms),
#include "core/jobs.def"
};

DB_ROW(registration, struct registration_row, REGISTRATION_COLS(, ""));
DB_ROW(registration_outcome, struct registration_outcome, COL(live), COL(gone));
DB_PARAMS(block, struct registration_block, COL(blocked), COL(registration_id), COL(keys_sealed));
DB_ROW(block_outcome, struct block_outcome, COL(live), COL(found), COL(written));
DB_ROW(registration_member, struct registration_member, COL(registration_id), ATTESTATION_COLS,
       COL(attestation.derived_from), COL(evidence));
DB_ROW(registration_input, struct registration_input, COL(registration_id), COL(hash), COL(input));

err_t db_registration_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                           bool *ret_found, struct registration_row *ret)
{
    return db_first(db, a, DB_CALL(SQL_REGISTRATION_FIND, db_text(id_scope), db_text(registration_key)), DB_REPEATABLE,
                    ret_found, ret, sizeof *ret);
}

err_t db_registration_list(struct db *db, struct arena *a, const struct registration_stretch *s,
                           struct registration_row **ret, size_t *ret_count)
{
    return db_all(db, a,
                  DB_CALL(SQL_REGISTRATION_LIST_OF_GROUP, db_text(s->id_scope), db_text(s->group), db_text(s->from),
                          db_text(s->last), db_i64(s->limit)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

DB_PARAMS(span, struct registration_span, COL(id_scope), COL(value), COL(key), COL(last), COL(limit));

err_t db_registration_list_all(struct db *db, struct arena *a, const struct registration_span *s,
                               struct registration_row **ret, size_t *ret_count)
{
    static const enum sql_id by_id[] = {SQL_REGISTRATION_LIST_BY_ID, SQL_REGISTRATION_LIST_BY_ID_DOWN};
    enum sql_id list = s->by == REGISTRATIONS_BY_GROUP ? SQL_REGISTRATION_LIST_BY_GROUP : by_id[s->down];
    if (s->by == REGISTRATIONS_FAILED)
        return db_all(db, a,
                      DB_CALL(SQL_REGISTRATION_LIST_FAILED, db_text(s->id_scope), db_text(s->key), db_i64(s->limit)),
                      DB_REPEATABLE, ret, sizeof **ret, ret_count);
    return db_all(db, a, DB_CALL(list, DB_MEMBERS(span, s)), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_registration_delete(struct db *db, struct arena *a, const struct registration_guard *g,
                             struct registration_outcome *ret)
{
    return db_one(db, a,
                  DB_CALL(SQL_REGISTRATION_DELETE, db_text(g->id_scope), db_i64(g->scope_version),
                          db_text(g->registration_key), db_bool(false), db_uuid(g->as ? &g->as->operation : NULL),
                          db_i64(g->as ? g->as->revision : 0), db_uuid(NULL), db_i64(g->remove_after_ms)),
                  DB_ONCE, ret, sizeof *ret);
}

err_t db_registration_member(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                             bool *ret_found, struct registration_member *ret)
{
    return db_first(db, a, DB_CALL(SQL_REGISTRATION_MEMBER, db_text(id_scope), db_text(registration_key)),
                    DB_REPEATABLE, ret_found, ret, sizeof *ret);
}

err_t db_registration_block(struct db *db, struct arena *a, const struct registration_guard *g,
                            const struct registration_block *b, struct block_outcome *ret)
{
    const struct db_call calls[] = {
        DB_CALL(SQL_ENROLLMENT_TURN, db_text(g->id_scope), db_i64(WAIT_import_turn_MS)),
        DB_CALL(SQL_REGISTRATION_BLOCK, db_text(g->id_scope), db_i64(g->scope_version), db_text(g->registration_key),
                DB_MEMBERS(block, b)),
    };
    const size_t without = b->keys_sealed.p ? 0 : 1; /* who adds no enrollment waits for no import */
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    TRY(db_run(db, a, calls + without, 2 - without, DB_ONCE, r.of));
    return rows_first(r.of[1 - without], a, ret, sizeof *ret) ? NULL : E(NO_ROW);
}

err_t db_registration_input(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                            bool *ret_found, struct registration_input *ret)
{
    return db_first(db, a, DB_CALL(SQL_REGISTRATION_INPUT, db_text(id_scope), db_text(registration_key)), DB_REPEATABLE,
                    ret_found, ret, sizeof *ret);
}
