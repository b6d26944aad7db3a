/* assign.c: the statements of db/sql/assign.sql as typed calls: arrays in, arrays out. It must not decide anything
 * about a device. */
#include "db/assign.h"

DB_ROW(assign_scope, struct db_assign_scope, COL(inputs_version), COL_WORD(policy, policy_words),
       COL_WORD(existing_device, existing_device_words), COL_TIME(now_us, "now"));

DB_ROW(assign_found, struct db_assign_found, COL(n), COL_PRESENT(registered, "registration_id"), COL(registration_id),
       COL_AS(operation, "operation_id"), COL(revision), COL_WORD(status, registration_status_words), COL(assigned_hub),
       COL(device_id), COL(target_hub), COL(target_device_id), COL(region), COL(pushed_version),
       COL(chosen_enrollment_inputs), COL(chosen_scope_inputs), COL(evidence),
       COL_PRESENT(enrolled, "enrollment_version"), COL(enrollment_version), COL(enrollment_inputs), COL(enabled),
       COL(wanted_device_id), COL(taken_by), COL(stands_on), ATTESTATION_COLS, COL(attestation.derived_from),
       EFFECT_COLS, COL_JSON(enrollment.initial_twin));

DB_PARAMS(job_subject, struct db_job, COL(subject));
DB_PARAMS(hash, struct db_assign_input, COL(hash));
DB_PARAMS(input, struct db_assign_input, COL(hash), COL(text));
DB_PARAMS(choice, struct db_assign_choice, COL(registration_key), COL(operation), COL(revision), COL(target.hub),
          COL(target.device_id), COL(input), COL(scope_inputs), COL(enrollment_inputs));
DB_PARAMS(choice_earlier, struct db_assign_choice, COL(earlier.hub), COL(earlier.device_id));
DB_PARAMS(wait, struct db_assign_wait, COL(job.subject), COL(job.fence), COL(delay_ms), COL(failed), COL(waiting_for),
          COL(input), COL(missing));
DB_PARAMS(end, struct db_assign_end, COL(job.subject), COL(job.fence), COL(operation), COL(revision),
          COL_WORD(status, registration_status_words), COL(made.hub), COL(made.device_id), COL(pushed_version),
          COL(error_code), COL(error_message), COL(migrate), COL(input), COL(left.hub), COL(left.device_id),
          COL(orphan.hub), COL(orphan.device_id), COL(again), COL(adopted));

DB_VALUE(registration_key, struct str, registration_key);
DB_VALUE(yes_or_no, bool, yes);

static void read_claimed(struct rows *const *rows, struct arena *a, struct db_assign_part *ret)
{
    bool alive = rows_first(rows[1], a, &ret->scope, sizeof ret->scope);
    ret->scope.alive = alive;
    rows_all(rows[0], a, &ret->jobs, sizeof *ret->jobs, &ret->count);
    rows_all(rows[2], a, &ret->scope.links, sizeof *ret->scope.links, &ret->scope.link_count);
}

err_t db_assign_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_assign_part *at,
                      size_t count)
{
    enum { CALLS = 3 };
    const struct str all = {NULL, 0};
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, CALLS * count);
    for (size_t i = 0; i < count; i++) {
        pipeline_add(&p, DB_CALL(SQL_JOB_CLAIM, db_text(at[i].id_scope), db_job_claim_in(c)));
        pipeline_add(&p, DB_CALL(SQL_ASSIGN_SCOPE, db_text(at[i].id_scope)));
        pipeline_add(&p, DB_CALL(SQL_LINK_FIND, db_text(at[i].id_scope), db_text(all)));
    }
    TRY(pipeline_run(db, &p, DB_ONCE));
    for (size_t i = 0; i < count; i++)
        read_claimed(&p.rows[CALLS * i], a, &at[i]);
    return NULL;
}

err_t db_assign_look(struct db *db, struct arena *a, struct db_assign_part *at, size_t count)
{
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, count);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (at[i].count > 0)
            pipeline_add(
                &p, DB_CALL(SQL_ASSIGN_LOOK, db_text(at[i].id_scope), DB_ARRAYS(job_subject, at[i].jobs, at[i].count)));
    TRY(pipeline_run(db, &p, DB_ONCE));
    for (size_t i = 0; i < count; i++) {
        at[i].found = ARENA_NEW_ARRAY(a, at[i].count, struct db_assign_found);
        if (at[i].count > 0)
            rows_each(p.rows[n++], a, at[i].found, sizeof *at[i].found, at[i].count);
    }
    return NULL;
}

static bool is_among(const struct str *keys, size_t count, struct str key)
{
    size_t i = 0;
    while (i < count && !str_same(keys[i], key))
        i++;
    return i < count;
}

static struct str *keys_of(struct rows *rows, struct arena *a, size_t *ret_count)
{
    struct str *keys;
    rows_all(rows, a, &keys, sizeof *keys, ret_count);
    return keys;
}

static void add_inputs(struct pipeline *p, const struct db_assign_part *at, int64_t renew_after_ms)
{
    pipeline_add(p, DB_CALL(SQL_ASSIGN_INPUTS_RENEW, db_text(at->id_scope),
                            DB_ARRAYS(hash, at->inputs, at->input_count), db_i64(renew_after_ms)));
    pipeline_add(p, DB_CALL(SQL_ASSIGN_INPUTS, db_text(at->id_scope), DB_ARRAYS(input, at->inputs, at->input_count)));
}

static void add_choices(struct pipeline *p, const struct db_assign_part *at, int64_t remove_after_ms)
{
    pipeline_add(p, DB_CALL(SQL_ASSIGN_CHOOSE, db_text(at->id_scope), DB_ARRAYS(choice, at->choices, at->choice_count),
                            db_i64(remove_after_ms), DB_ARRAYS(choice_earlier, at->choices, at->choice_count)));
}

static void read_choices(struct rows *rows, struct arena *a, struct db_assign_part *at)
{
    size_t count;
    const struct str *written = keys_of(rows, a, &count);
    for (size_t i = 0; i < at->choice_count; i++)
        at->choices[i].written = is_among(written, count, at->choices[i].registration_key);
}

err_t db_assign_choose(struct db *db, struct arena *a, const struct db_assign_times *times, struct db_assign_part *at,
                       size_t count)
{
    enum { CALLS = 3 };
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, CALLS * count);
    for (size_t i = 0; i < count; i++)
        if (at[i].input_count > 0)
            add_inputs(&p, &at[i], times->renew_after_ms);
    size_t n = p.count;
    for (size_t i = 0; i < count; i++)
        if (at[i].choice_count > 0)
            add_choices(&p, &at[i], times->remove_after_ms);
    TRY(pipeline_run(db, &p, DB_ONCE));
    for (size_t i = 0; i < count; i++)
        if (at[i].choice_count > 0)
            read_choices(p.rows[n++], a, &at[i]);
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

static void add_waits(struct pipeline *p, const struct db_assign_part *at)
{
    pipeline_add(p, DB_CALL(SQL_ASSIGN_WAIT, db_text(at->id_scope), DB_ARRAYS(wait, at->waits, at->wait_count),
                            all_waits(p->a, at->waits, at->wait_count)));
}

static void add_ends(struct pipeline *p, const struct db_assign_part *at, int64_t remove_after_ms)
{
    pipeline_add(p, DB_CALL(SQL_ASSIGN_FINISH, db_text(at->id_scope), DB_ARRAYS(end, at->ends, at->end_count),
                            db_i64(remove_after_ms)));
}

static void read_ends(struct rows *rows, struct arena *a, struct db_assign_part *at)
{
    size_t count;
    const struct str *written = keys_of(rows, a, &count);
    for (size_t i = 0; i < at->end_count; i++)
        at->ends[i].written = is_among(written, count, at->ends[i].job.subject);
}

err_t db_assign_write(struct db *db, struct arena *a, const struct db_assign_times *times, struct db_assign_part *at,
                      size_t count)
{
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, 2 * count);
    for (size_t i = 0; i < count; i++)
        if (at[i].wait_count > 0)
            add_waits(&p, &at[i]);
    size_t n = p.count;
    for (size_t i = 0; i < count; i++)
        if (at[i].end_count > 0)
            add_ends(&p, &at[i], times->remove_after_ms);
    TRY(pipeline_run(db, &p, DB_ONCE));
    for (size_t i = 0; i < count; i++)
        if (at[i].end_count > 0)
            read_ends(p.rows[n++], a, &at[i]);
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
