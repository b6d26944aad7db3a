/* import.c: the statements of db/sql/import.sql as typed calls. It must never open a key. */
#include "db/import.h"

#include "core/limits.h"

DB_ROW(import_begun, struct import_begun, COL(live), COL(begun));
DB_VALUE(import_alive, bool, alive);
DB_VALUE(import_step, int64_t, next_ms);
DB_ROW(import_bite, struct import_bite, COL(looked), COL(refused), COL_AS(to.key, "to_key"), COL_AS(to.line, "to_line"),
       COL_AS(to.digest, "to_digest"));
DB_ROW(import, struct import, COL(import_id), COL_WORD(kind, import_kind_words), COL(whole), COL(dry),
       COL_WORD(state, import_state_words), COL(received), COL(looked), COL(written), COL(refused), COL(message),
       COL_TIME(created_us, "created_at"), COL_TIME(updated_us, "updated_at"));
DB_ROW(import_error, struct import_error, COL(line), COL(id), COL(code), COL(message));

/* In the order of the statements' columns. */
#define STAGED_COLS COL(at.id_scope), COL(at.import_id), COL(line)
DB_PARAMS(staged_enrollment, struct import_row, STAGED_COLS, COL(of_group), COL(key), ENROLLMENT_WRITTEN_COLS,
          ENROLLMENT_NAMED_COLS);
DB_PARAMS(staged_registration, struct import_row, STAGED_COLS, COL(key), COL(state.registration_id),
          COL(state.assigned_hub), COL(state.device_id), COL(state.enrollment_group_id),
          COL_WORD(state.substatus, registration_substatus_words), COL_TIME(state.created_us, "created_at"),
          COL_TIME(state.updated_us, "updated_at"));
DB_PARAMS(wish, struct import_wish, COL(at.id_scope), COL(scope_version), COL(at.import_id),
          COL_WORD(kind, import_kind_words), COL(whole), COL(dry), COL(most));

DB_PARAMS(import_place, struct import_place, COL(key), COL(line), COL(digest));
DB_PARAMS(move, struct import_move, COL(id_scope), COL(subject), COL(fence), COL_WORD(state, import_state_words),
          COL(written), COL(digest), COL(next_ms));

err_t db_import_begin(struct db *db, struct arena *a, const struct import_wish *wish, struct import_begun *ret)
{
    return db_one(db, a, DB_CALL(SQL_IMPORT_BEGIN, DB_MEMBERS(wish, wish), db_i64(IMPORTS_MOST), db_i64(wish->body_ms)),
                  DB_ONCE, ret, sizeof *ret);
}

/* --- pieces ------------------------------------------------------------------------------------------------------- */

struct receiving {
    struct arena *a;
    const struct import_piece *piece;
    bool alive;
};

static err_t copy_rows(struct db *db, struct arena *a, const struct import_piece *p)
{
    if (p->kind == IMPORT_REGISTRATIONS)
        return db_copy(db, a, SQL_IMPORT_REGISTRATION_ROWS, DB_ARRAYS(staged_registration, p->rows, p->row_count));
    return db_copy(db, a, SQL_IMPORT_ENROLLMENT_ROWS, DB_ARRAYS(staged_enrollment, p->rows, p->row_count));
}

static err_t note_errors(struct db *db, struct arena *a, const struct import_piece *p)
{
    return db_do(db, a,
                 DB_CALL(SQL_IMPORT_REFUSE, db_text(p->at.id_scope), db_uuid(&p->at.import_id),
                         DB_ARRAYS(import_error, p->errors, p->error_count), db_i64(IMPORT_ERRORS_MOST)),
                 DB_ONCE);
}

static err_t receive(struct db *db, void *context)
{
    struct receiving *x = context;
    const struct import_piece *p = x->piece;
    TRY(db_first(db, x->a,
                 DB_CALL(SQL_IMPORT_RECEIVE, db_text(p->at.id_scope), db_uuid(&p->at.import_id),
                         db_i64((int64_t)(p->row_count + p->error_count)), db_i64((int64_t)p->error_count),
                         db_bool(p->last), db_i64(p->before)),
                 DB_ONCE, NULL, &x->alive, sizeof x->alive));
    if (x->alive && p->error_count)
        TRY(note_errors(db, x->a, p));
    return x->alive && p->row_count ? copy_rows(db, x->a, p) : NULL;
}

err_t db_import_receive(struct db *db, struct arena *a, const struct import_piece *piece, bool *ret_alive)
{
    struct receiving x = {.a = a, .piece = piece};
    TRY(db_tx(db, receive, &x));
    *ret_alive = x.alive;
    return NULL;
}

/* --- how it goes -------------------------------------------------------------------------------------------------- */

err_t db_import_find(struct db *db, struct arena *a, const struct import_key *at, bool *ret_found, struct import *ret)
{
    return db_first(db, a, DB_CALL(SQL_IMPORT_FIND, db_text(at->id_scope), db_uuid(&at->import_id)), DB_REPEATABLE,
                    ret_found, ret, sizeof *ret);
}

err_t db_import_errors(struct db *db, struct arena *a, const struct import_key *at, struct import_error **ret,
                       size_t *ret_count)
{
    return db_all(
        db, a, DB_CALL(SQL_IMPORT_ERRORS, db_text(at->id_scope), db_uuid(&at->import_id), db_i64(IMPORT_ERRORS_MOST)),
        DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_import_cancel(struct db *db, struct arena *a, const struct import_key *at, bool *ret_cancelled)
{
    return db_one(db, a, DB_CALL(SQL_IMPORT_CANCEL, db_text(at->id_scope), db_uuid(&at->import_id)), DB_ONCE,
                  ret_cancelled, sizeof *ret_cancelled);
}

err_t db_import_step(struct db *db, struct arena *a, const struct import_step *step, int64_t *ret_next_ms)
{
    return db_one(db, a,
                  DB_CALL(SQL_IMPORT_STEP, db_text(step->id_scope), db_text(step->subject), db_i32(step->at_most),
                          db_i64(GROUPS_MOST), db_i64(IMPORT_ERRORS_MOST), db_i64(step->body_ms), db_i64(step->keep_ms),
                          db_i64(step->settle_ms)),
                  DB_ONCE, ret_next_ms, sizeof *ret_next_ms);
}

err_t db_import_write(struct db *db, struct arena *a, const struct import_step *step, const struct import_place *behind,
                      struct import_bite *ret)
{
    return db_one(db, a,
                  DB_CALL(SQL_IMPORT_WRITE, db_text(step->id_scope), db_text(step->subject),
                          DB_MEMBERS(import_place, behind), db_i32(step->at_most), db_i64(GROUPS_MOST)),
                  DB_ONCE, ret, sizeof *ret);
}

err_t db_import_move(struct db *db, struct arena *a, const struct import_move *move, bool *ret_held)
{
    return db_one(db, a, DB_CALL(SQL_IMPORT_MOVE, DB_MEMBERS(move, move)), DB_ONCE, ret_held, sizeof *ret_held);
}
