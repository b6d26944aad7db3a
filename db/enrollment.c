/* enrollment.c: individual enrollments. It must never open a key, nor write past a change of the instance. */
#include "db/enrollment.h"

#include <string.h>

/* What a write says of it. */
#define WRITTEN_COLS                                                                                                   \
    COL(enrollment.registration_id), COL(enrollment.device_id), COL_WORD(attestation.type, attestation_type_words),    \
        COL(attestation.sealed), COL_WORD(enrollment.provisioning_status, provisioning_status_words), EFFECT_COLS,     \
        COL_JSON(enrollment.initial_twin), COL_JSON(enrollment.optional_device_information)

DB_PARAMS(guard, struct enrollment_guard, COL(id_scope), COL(scope_version), COL(tenant_id), COL(registration_key));
DB_PARAMS(written, struct enrollment_row, WRITTEN_COLS);
DB_ROW(enrollment, struct enrollment_row, WRITTEN_COLS, COL(attestation.id_scope), COL(attestation.key), COL(etag),
       COL_TIME(enrollment.created_us, "created_at"), COL_TIME(enrollment.updated_us, "updated_at"),
       REGISTRATION_COLS(registration., "state_"));
DB_ROW(enrollment_outcome, struct enrollment_outcome, COL(live), COL(found), COL(matches), COL(unlinked), COL(taken_by),
       COL(retyped), COL(written));

err_t db_enrollment_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                         bool *ret_found, struct enrollment_row *ret)
{
    return db_first(db, a, DB_CALL(SQL_ENROLLMENT_FIND, db_text(id_scope), db_text(registration_key)), DB_REPEATABLE,
                    ret_found, ret, sizeof *ret);
}

/* By the order of the list: the statement, and the one that goes down (0: there is none). */
static const enum sql_id lists[][2] = {
    [ENROLLMENTS_BY_ID] = {SQL_ENROLLMENT_LIST_BY_ID, SQL_ENROLLMENT_LIST_BY_ID_DOWN},
    [ENROLLMENTS_BY_DEVICE] = {SQL_ENROLLMENT_LIST_BY_DEVICE},
    [ENROLLMENTS_BY_CREATED] = {SQL_ENROLLMENT_LIST_BY_CREATED, SQL_ENROLLMENT_LIST_BY_CREATED_DOWN},
    [ENROLLMENTS_BY_UPDATED] = {SQL_ENROLLMENT_LIST_BY_UPDATED, SQL_ENROLLMENT_LIST_BY_UPDATED_DOWN},
    [ENROLLMENTS_BY_STATUS] = {SQL_ENROLLMENT_LIST_BY_STATUS},
    [ENROLLMENTS_BY_POLICY] = {SQL_ENROLLMENT_LIST_BY_POLICY},
    [ENROLLMENTS_BY_ATTESTATION] = {SQL_ENROLLMENT_LIST_BY_ATTESTATION},
};

DB_PARAMS(stretch_by_text, struct enrollment_stretch, COL(id_scope), COL(value), COL(key), COL(last), COL(limit));
DB_PARAMS(stretch_by_time, struct enrollment_stretch, COL(id_scope), COL_TIME(value_us, "value"), COL(key),
          COL_TIME(last_us, "last"), COL(limit));

err_t db_enrollment_list(struct db *db, struct arena *a, const struct enrollment_stretch *s,
                         struct enrollment_row **ret, size_t *ret_count)
{
    bool by_time = s->by == ENROLLMENTS_BY_CREATED || s->by == ENROLLMENTS_BY_UPDATED;
    const struct db_in in = by_time ? DB_MEMBERS(stretch_by_time, s) : DB_MEMBERS(stretch_by_text, s);
    return db_all(db, a, DB_CALL(lists[s->by][s->down], in), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

/* Two of a device id that are written at once would not see each other. */
static struct str name_of(struct arena *a, const struct enrollment_guard *g, const struct enrollment_row *e)
{
    return e->enrollment.device_id.p ? arena_lower(a, e->enrollment.device_id) : g->registration_key;
}

err_t db_enrollment_put(struct db *db, struct arena *a, const struct enrollment_guard *g,
                        const struct enrollment_row *e, bool update, struct enrollment_outcome *ret_outcome,
                        struct enrollment_row *ret)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct str name = name_of(a, g, e);
    const struct db_call calls[] = {
        DB_CALL(SQL_ENROLLMENT_NAMES_LOCK, db_text(g->id_scope), db_texts(&name, 1)),
        update ? DB_CALL(SQL_ENROLLMENT_UPDATE, DB_MEMBERS(guard, g), DB_MEMBERS(written, e), db_uuid(g->etag))
               : DB_CALL(SQL_ENROLLMENT_INSERT, DB_MEMBERS(guard, g), DB_MEMBERS(written, e)),
        DB_CALL(SQL_ENROLLMENT_FIND, db_text(g->id_scope), db_text(g->registration_key)),
    };
    TRY(db_run(db, a, calls, 3, DB_ONCE, r.of));
    (void)rows_first(r.of[1], a, ret_outcome, sizeof *ret_outcome);
    if (ret_outcome->written)
        (void)rows_first(r.of[2], a, ret, sizeof *ret);
    return NULL;
}

/* The outcomes are the first row of each `every`th result, from `first` on. */
static err_t run_changes(struct db *db, struct arena *a, const struct db_call *calls, size_t first, size_t every,
                         struct enrollment_change *changes, size_t count)
{
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    TRY(db_run(db, a, calls, first + (count - 1) * every + 1, DB_ONCE, r.of));
    for (size_t i = 0; i < count; i++)
        (void)rows_first(r.of[first + i * every], a, &changes[i].outcome, sizeof changes[i].outcome);
    return NULL;
}

err_t db_enrollment_put_all(struct db *db, struct arena *a, struct enrollment_change *changes, size_t count,
                            bool update)
{
    struct db_call calls[1 + ENROLLMENT_CHANGES_MAX] = {0};
    struct db_in in[ENROLLMENT_CHANGES_MAX][3];
    struct str names[ENROLLMENT_CHANGES_MAX];
    for (size_t i = 0; i < count; i++) {
        names[i] = name_of(a, &changes[i].guard, &changes[i].row);
        in[i][0] = DB_MEMBERS(guard, &changes[i].guard);
        in[i][1] = DB_MEMBERS(written, &changes[i].row);
        in[i][2] = db_uuid(changes[i].guard.etag);
        calls[1 + i] = (struct db_call){update ? SQL_ENROLLMENT_UPDATE : SQL_ENROLLMENT_INSERT, in[i], update ? 3 : 2};
    }
    calls[0] = DB_CALL(SQL_ENROLLMENT_NAMES_LOCK, db_text(changes->guard.id_scope), db_texts(names, count));
    return run_changes(db, a, calls, 1, 1, changes, count);
}

err_t db_enrollment_delete_all(struct db *db, struct arena *a, struct enrollment_change *changes, size_t count,
                               int64_t remove_after_ms)
{
    struct db_call calls[ENROLLMENT_CHANGES_MAX * 2] = {0};
    struct db_in forget[ENROLLMENT_CHANGES_MAX][8], delete[ENROLLMENT_CHANGES_MAX][4];
    for (size_t i = 0; i < count; i++) {
        const struct enrollment_guard *g = &changes[i].guard;
        const struct db_in of[] = {db_text(g->id_scope),
                                   db_i64(g->scope_version),
                                   db_text(g->registration_key),
                                   db_bool(true),
                                   db_uuid(NULL),
                                   db_i64(0),
                                   db_uuid(g->etag),
                                   db_i64(remove_after_ms)};
        memcpy(forget[i], of, sizeof of);
        memcpy(delete[i], of, 3 * sizeof *of);
        delete[i][3] = db_uuid(g->etag);
        calls[2 * i] = (struct db_call){SQL_REGISTRATION_DELETE, forget[i], 8};
        calls[2 * i + 1] = (struct db_call){SQL_ENROLLMENT_DELETE, delete[i], 4};
    }
    return run_changes(db, a, calls, 1, 2, changes, count);
}
