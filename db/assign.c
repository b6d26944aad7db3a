/* assign.c: the statements of db/sql/assign.sql as typed calls: arrays in, arrays out. It must not decide anything
 * about a device. */
#include "db/assign.h"

DB_ROW(assign_scope, struct db_assign_scope, COL(inputs_version), COL_WORD(policy, policy_words),
       COL_TIME(now_us, "now"));

DB_ROW(assign_found, struct db_assign_found, COL(n), COL_PRESENT(registered, "registration_id"), COL(registration_id),
       COL_AS(operation, "operation_id"), COL(revision), COL_WORD(status, registration_status_words), COL(assigned_hub),
       COL(device_id), COL(target_hub), COL(target_device_id), COL(region), COL(pushed_version),
       COL(chosen_enrollment_inputs), COL(chosen_scope_inputs), COL_PRESENT(enrolled, "enrollment_version"),
       COL(enrollment_version), COL(enrollment_inputs), COL(enabled), COL(wanted_device_id), ATTESTATION_COLS,
       EFFECT_COLS);

DB_PARAMS(job_subject, struct db_job, COL(subject));
DB_PARAMS(hash, struct db_assign_input, COL(hash));
DB_PARAMS(input, struct db_assign_input, COL(hash), COL(text));
DB_PARAMS(choice, struct db_assign_choice, COL(registration_key), COL(operation), COL(revision), COL(target.hub),
          COL(target.device_id), COL(input), COL(scope_inputs), COL(enrollment_inputs));
DB_PARAMS(choice_earlier, struct db_assign_choice, COL(earlier.hub), COL(earlier.device_id));
DB_PARAMS(wait, struct db_assign_wait, COL(job.subject), COL(job.fence), COL(delay_ms), COL(failed), COL(waiting_for),
          COL(input));
DB_PARAMS(end, struct db_assign_end, COL(job.subject), COL(job.fence), COL(operation), COL(revision),
          COL_WORD(status, registration_status_words), COL(made.hub), COL(made.device_id), COL(pushed_version),
          COL(error_code), COL(error_message), COL(migrate), COL(input), COL(left.hub), COL(left.device_id),
          COL(orphan.hub), COL(orphan.device_id));

DB_VALUE(registration_key, struct str, registration_key);
DB_VALUE(yes_or_no, bool, yes);

err_t db_assign_claim(struct db *db, struct arena *a, struct str id_scope, const struct db_job_claim *c,
                      struct db_job **ret_jobs, size_t *ret_count, struct db_assign_scope *ret_scope)
{
    const struct str all = {NULL, 0};
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    const struct db_call calls[] = {DB_CALL(SQL_JOB_CLAIM, db_text(id_scope), db_job_claim_in(c)),
                                    DB_CALL(SQL_ASSIGN_SCOPE, db_text(id_scope)),
                                    DB_CALL(SQL_LINK_FIND, db_text(id_scope), db_text(all))};
    TRY(db_run(db, a, calls, 3, DB_ONCE, r.of));
    bool alive = rows_first(r.of[1], a, ret_scope, sizeof *ret_scope);
    ret_scope->alive = alive;
    rows_all(r.of[0], a, ret_jobs, sizeof **ret_jobs, ret_count);
    rows_all(r.of[2], a, &ret_scope->links, sizeof *ret_scope->links, &ret_scope->link_count);
    return NULL;
}

err_t db_assign_look(struct db *db, struct arena *a, struct str id_scope, const struct db_job *jobs, size_t count,
                     struct db_assign_found *ret)
{
    return db_each(db, a, DB_CALL(SQL_ASSIGN_LOOK, db_text(id_scope), DB_ARRAYS(job_subject, jobs, count)), DB_ONCE,
                   ret, sizeof *ret, count);
}

err_t db_assign_inputs(struct db *db, struct arena *a, struct str id_scope, int64_t renew_after_ms,
                       const struct db_assign_input *at, size_t count)
{
    const struct db_call calls[] = {
        DB_CALL(SQL_ASSIGN_INPUTS_RENEW, db_text(id_scope), DB_ARRAYS(hash, at, count), db_i64(renew_after_ms)),
        DB_CALL(SQL_ASSIGN_INPUTS, db_text(id_scope), DB_ARRAYS(input, at, count)),
    };
    return count ? db_run(db, a, calls, 2, DB_ONCE, NULL) : NULL;
}

static bool is_among(const struct str *keys, size_t count, struct str key)
{
    size_t i = 0;
    while (i < count && !str_same(keys[i], key))
        i++;
    return i < count;
}

err_t db_assign_choose(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_choice *at, size_t count)
{
    struct str *written;
    size_t written_count;
    if (count == 0)
        return NULL;
    TRY(db_all(db, a,
               DB_CALL(SQL_ASSIGN_CHOOSE, db_text(id_scope), DB_ARRAYS(choice, at, count), db_i64(remove_after_ms),
                       DB_ARRAYS(choice_earlier, at, count)),
               DB_ONCE, &written, sizeof *written, &written_count));
    for (size_t i = 0; i < count; i++)
        at[i].written = is_among(written, written_count, at[i].registration_key);
    return NULL;
}

/* A row that waits for a hub; it may wait for any number. */
struct waits {
    struct str subject, host;
};
DB_PARAMS(waits, struct waits, COL(subject), COL(host));

static struct db_in all_waits(struct arena *a, const struct db_assign_wait *at, size_t count)
{
    size_t n = 0, k = 0;
    for (size_t i = 0; i < count; i++)
        n += at[i].waits_for.n;
    struct waits *all = ARENA_NEW_ARRAY(a, n, struct waits);
    for (size_t i = 0; i < count; i++)
        for (size_t h = 0; h < at[i].waits_for.n; h++)
            all[k++] = (struct waits){at[i].job.subject, at[i].waits_for.at[h]};
    return DB_ARRAYS(waits, all, n);
}

err_t db_assign_wait(struct db *db, struct arena *a, struct str id_scope, const struct db_assign_wait *at, size_t count)
{
    if (count == 0)
        return NULL;
    return db_do(db, a,
                 DB_CALL(SQL_ASSIGN_WAIT, db_text(id_scope), DB_ARRAYS(wait, at, count), all_waits(a, at, count)),
                 DB_ONCE);
}

err_t db_assign_finish(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_end *at, size_t count)
{
    struct str *written;
    size_t written_count;
    if (count == 0)
        return NULL;
    TRY(db_all(db, a, DB_CALL(SQL_ASSIGN_FINISH, db_text(id_scope), DB_ARRAYS(end, at, count), db_i64(remove_after_ms)),
               DB_ONCE, &written, sizeof *written, &written_count));
    for (size_t i = 0; i < count; i++)
        at[i].written = is_among(written, written_count, at[i].job.subject);
    return NULL;
}

err_t db_remove_is_named(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                         size_t count, struct str host, struct str device_id, bool *ret)
{
    return db_one(db, a,
                  DB_CALL(SQL_REMOVE_IS_NAMED, db_text(id_scope), db_texts(registration_keys, count), db_text(host),
                          db_text(device_id)),
                  DB_REPEATABLE, ret, sizeof *ret);
}
