/* enrollment.c: the enrollment list, of devices and of groups. It must never open a key, nor write past a change of the
 * instance. */
#include "db/enrollment.h"

#include "core/limits.h"

/* Before a write of an entry goes what locks its name. */
enum {
    LOCKS = 3,
#define WAIT(name, ms, sentence) WAIT_##name##_MS = (ms),
#include "core/jobs.def"
};

DB_PARAMS(guard, struct enrollment_guard, COL(of.id_scope), COL(scope_version), COL(of.key));
DB_PARAMS(written, struct enrollment_row, ENROLLMENT_WRITTEN_COLS);
DB_PARAMS(named, struct enrollment_row, ENROLLMENT_NAMED_COLS);
DB_ROW(enrollment, struct enrollment_row, ENROLLMENT_WRITTEN_COLS, COL(attestation.id_scope), COL(attestation.key),
       COL(attestation.of_group), COL(etag), COL_TIME(enrollment.created_us, "created_at"),
       COL_TIME(enrollment.updated_us, "updated_at"), REGISTRATION_COLS(registration., "state_"));
DB_ROW(enrollment_outcome, struct enrollment_outcome, COL(live), COL(found), COL(matches), COL(unlinked), COL(retyped),
       COL(crowded), COL(taken_by), COL(unproved), COL(written));

#define FIND(at) DB_CALL(SQL_ENROLLMENT_FIND, db_text((at)->id_scope), db_text((at)->key), db_bool((at)->of_group))

err_t db_enrollment_find(struct db *db, struct arena *a, const struct enrollment_key *at, bool *ret_found,
                         struct enrollment_row *ret)
{
    return db_first(db, a, FIND(at), DB_REPEATABLE, ret_found, ret, sizeof *ret);
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

DB_PARAMS(stretch_by_text, struct enrollment_stretch, COL(id_scope), COL(value), COL(key), COL(last), COL(limit),
          COL(of_group));
DB_PARAMS(stretch_by_time, struct enrollment_stretch, COL(id_scope), COL_TIME(value_us, "value"), COL(key),
          COL_TIME(last_us, "last"), COL(limit), COL(of_group));

err_t db_enrollment_list(struct db *db, struct arena *a, const struct enrollment_stretch *s,
                         struct enrollment_row **ret, size_t *ret_count)
{
    bool by_time = s->by == ENROLLMENTS_BY_CREATED || s->by == ENROLLMENTS_BY_UPDATED;
    const struct db_in in = by_time ? DB_MEMBERS(stretch_by_time, s) : DB_MEMBERS(stretch_by_text, s);
    return db_all(db, a, DB_CALL(lists[s->by][s->down], in), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

/* What is written one after the other, since two at once would not see each other: those of a device id, and the groups
 * of an instance, which are counted. No id has a slash. */
static struct str name_of(struct arena *a, const struct enrollment_guard *g, const struct enrollment_row *e)
{
    if (g->of.of_group)
        return STR("/groups");
    return e->enrollment.device_id.p ? arena_lower(a, e->enrollment.device_id) : g->of.key;
}

/* What writes of entries lock before the first of them. */
struct locks {
    const struct enrollment_guard *guard; /* of any: they are of one instance */
    struct str *names, *certificates;
    size_t name_count, certificate_count;
};

static struct locks locks_new(struct arena *a, const struct enrollment_guard *guard, size_t count)
{
    return (struct locks){guard, ARENA_NEW_ARRAY(a, count, struct str), ARENA_NEW_ARRAY(a, count * 2, struct str), 0,
                          0};
}

static void lock_certificate(struct locks *l, struct str name)
{
    if (name.p)
        l->certificates[l->certificate_count++] = name;
}

static void lock_entry(struct arena *a, struct locks *l, const struct enrollment_guard *g,
                       const struct enrollment_row *e)
{
    l->names[l->name_count++] = name_of(a, g, e);
    lock_certificate(l, e->attestation.ca.primary);
    lock_certificate(l, e->attestation.ca.secondary);
}

/* Answers where the first write comes to stand. */
static size_t add_locks(struct pipeline *p, const struct locks *l)
{
    const struct enrollment_guard *g = l->guard;
    pipeline_add(p, DB_CALL(SQL_ENROLLMENT_TURN, db_text(g->of.id_scope), db_i64(WAIT_import_turn_MS)));
    pipeline_add(p, DB_CALL(SQL_ENROLLMENT_NAMES_LOCK, db_text(g->of.id_scope), db_texts(l->names, l->name_count)));
    if (l->certificate_count)
        pipeline_add(p, DB_CALL(SQL_ENROLLMENT_CERTIFICATES_LOCK, db_uuid(&g->tenant_id), db_text(g->of.id_scope),
                                db_texts(l->certificates, l->certificate_count)));
    return p->count;
}

static void add_write(struct pipeline *p, const struct enrollment_guard *g, const struct enrollment_row *e, bool update)
{
    if (update)
        pipeline_add(p, DB_CALL(SQL_ENROLLMENT_UPDATE, DB_MEMBERS(guard, g), DB_MEMBERS(written, e),
                                db_bool(g->of.of_group), db_uuid(g->etag), DB_MEMBERS(named, e)));
    else
        pipeline_add(p, DB_CALL(SQL_ENROLLMENT_INSERT, DB_MEMBERS(guard, g), DB_MEMBERS(written, e),
                                db_bool(g->of.of_group), db_i64(g->of.of_group ? GROUPS_MOST : g->most),
                                DB_MEMBERS(named, e)));
}

err_t db_enrollment_put(struct db *db, struct arena *a, const struct enrollment_guard *g,
                        const struct enrollment_row *e, bool update, struct enrollment_outcome *ret_outcome,
                        struct enrollment_row *ret)
{
    struct locks locks = locks_new(a, g, 1);
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, LOCKS + 2);
    lock_entry(a, &locks, g, e);
    size_t written = add_locks(&p, &locks);
    add_write(&p, g, e, update);
    pipeline_add(&p, FIND(&g->of));
    TRY(pipeline_run(db, &p, DB_ONCE));
    (void)rows_first(p.rows[written], a, ret_outcome, sizeof *ret_outcome);
    if (ret_outcome->written)
        (void)rows_first(p.rows[written + 1], a, ret, sizeof *ret);
    return NULL;
}

/* The outcomes are the first row of each `every`th result, from `first` on. */
static err_t run_changes(struct db *db, struct pipeline *p, size_t first, size_t every,
                         struct enrollment_change *changes, size_t count)
{
    TRY(pipeline_run(db, p, DB_ONCE));
    for (size_t i = 0; i < count; i++)
        (void)rows_first(p->rows[first + i * every], p->a, &changes[i].outcome, sizeof changes[i].outcome);
    return NULL;
}

err_t db_enrollment_put_all(struct db *db, struct arena *a, struct enrollment_change *changes, size_t count,
                            bool update)
{
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, LOCKS + count);
    struct locks locks = locks_new(a, &changes->guard, count);
    for (size_t i = 0; i < count; i++)
        lock_entry(a, &locks, &changes[i].guard, &changes[i].row);
    size_t first = add_locks(&p, &locks);
    for (size_t i = 0; i < count; i++)
        add_write(&p, &changes[i].guard, &changes[i].row, update);
    return run_changes(db, &p, first, 1, changes, count);
}

/* Of a device it goes behind what became of it; what became of a group's devices stays. */
static void add_delete(struct pipeline *p, const struct enrollment_guard *g, int64_t remove_after_ms)
{
    if (!g->of.of_group)
        pipeline_add(p, DB_CALL(SQL_REGISTRATION_DELETE, db_text(g->of.id_scope), db_i64(g->scope_version),
                                db_text(g->of.key), db_bool(true), db_uuid(NULL), db_i64(0), db_uuid(g->etag),
                                db_i64(remove_after_ms)));
    pipeline_add(p, DB_CALL(SQL_ENROLLMENT_DELETE, db_text(g->of.id_scope), db_i64(g->scope_version),
                            db_text(g->of.key), db_uuid(g->etag), db_bool(g->of.of_group)));
}

err_t db_enrollment_delete_all(struct db *db, struct arena *a, struct enrollment_change *changes, size_t count,
                               int64_t remove_after_ms)
{
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, 2 * count);
    bool groups = changes->guard.of.of_group;
    for (size_t i = 0; i < count; i++)
        add_delete(&p, &changes[i].guard, remove_after_ms);
    return run_changes(db, &p, groups ? 0 : 1, groups ? 1 : 2, changes, count);
}
