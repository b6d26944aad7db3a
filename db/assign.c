/* assign.c: the statements of db/sql/assign.sql as typed calls: arrays in, arrays out. It must not decide anything
 * about a device. */
#include "db/assign.h"

DB_ROW(assign_scope, struct db_assign_scope, COL(struct db_assign_scope, inputs_version, I64),
       COL_WORD(struct db_assign_scope, policy, policy_words), COL_AS(struct db_assign_scope, now_us, TIME, "now"));

DB_ROW(assign_found, struct db_assign_found, COL(struct db_assign_found, n, I64),
       COL_AS(struct db_assign_found, registered, PRESENT, "registration_id"),
       COL(struct db_assign_found, registration_id, TEXT),
       COL_AS(struct db_assign_found, operation, UUID, "operation_id"), COL(struct db_assign_found, revision, I64),
       COL_WORD(struct db_assign_found, status, registration_status_words),
       COL(struct db_assign_found, assigned_hub, TEXT), COL(struct db_assign_found, device_id, TEXT),
       COL(struct db_assign_found, target_hub, TEXT), COL(struct db_assign_found, target_device_id, TEXT),
       COL(struct db_assign_found, region, TEXT), COL(struct db_assign_found, pushed_version, I64),
       COL(struct db_assign_found, chosen_enrollment_inputs, I64),
       COL(struct db_assign_found, chosen_scope_inputs, I64),
       COL_AS(struct db_assign_found, enrolled, PRESENT, "enrollment_version"),
       COL(struct db_assign_found, enrollment_version, I64), COL(struct db_assign_found, enrollment_inputs, I64),
       COL(struct db_assign_found, enabled, BOOL), COL(struct db_assign_found, wanted_device_id, TEXT),
       COL_WORD_AS(struct db_assign_found, attestation.type, attestation_type_words, "attestation_type"),
       COL_AS(struct db_assign_found, attestation.sealed, BYTEA, "attestation_sealed"),
       COL_WORD(struct db_assign_found, policy, policy_words), COL(struct db_assign_found, named, TEXTS),
       COL(struct db_assign_found, named_host, TEXT), COL(struct db_assign_found, update_hub_assignment, BOOL),
       COL(struct db_assign_found, migrate_device_data, BOOL), COL(struct db_assign_found, iot_edge, BOOL));

DB_PARAMS(job_subject, struct db_job, COL(struct db_job, subject, TEXT));
DB_PARAMS(hash, struct db_assign_input, COL(struct db_assign_input, hash, HASH));
DB_PARAMS(input, struct db_assign_input, COL(struct db_assign_input, hash, HASH),
          COL(struct db_assign_input, text, TEXT));

DB_PARAMS(choice, struct db_assign_choice, COL(struct db_assign_choice, registration_key, TEXT),
          COL(struct db_assign_choice, operation, UUID), COL(struct db_assign_choice, revision, I64),
          COL(struct db_assign_choice, target.hub, TEXT), COL(struct db_assign_choice, target.device_id, TEXT),
          COL(struct db_assign_choice, input, HASH_AT), COL(struct db_assign_choice, scope_inputs, I64),
          COL(struct db_assign_choice, enrollment_inputs, I64));
DB_PARAMS(choice_earlier, struct db_assign_choice, COL(struct db_assign_choice, earlier.hub, TEXT),
          COL(struct db_assign_choice, earlier.device_id, TEXT));

DB_PARAMS(wait, struct db_assign_wait, COL(struct db_assign_wait, job.subject, TEXT),
          COL(struct db_assign_wait, job.fence, I64), COL(struct db_assign_wait, delay_ms, I64),
          COL(struct db_assign_wait, failed, BOOL), COL(struct db_assign_wait, waiting_for, TEXT),
          COL(struct db_assign_wait, input, HASH_AT));

DB_PARAMS(end, struct db_assign_end, COL(struct db_assign_end, job.subject, TEXT),
          COL(struct db_assign_end, job.fence, I64), COL(struct db_assign_end, operation, UUID),
          COL(struct db_assign_end, revision, I64), COL_WORD(struct db_assign_end, status, registration_status_words),
          COL(struct db_assign_end, made.hub, TEXT), COL(struct db_assign_end, made.device_id, TEXT),
          COL(struct db_assign_end, pushed_version, I64), COL(struct db_assign_end, error_code, I32),
          COL(struct db_assign_end, error_message, TEXT), COL(struct db_assign_end, migrate, BOOL),
          COL(struct db_assign_end, input, HASH_AT), COL(struct db_assign_end, left.hub, TEXT),
          COL(struct db_assign_end, left.device_id, TEXT), COL(struct db_assign_end, orphan.hub, TEXT),
          COL(struct db_assign_end, orphan.device_id, TEXT));

/* The registrations that a statement has written. */
struct key {
    struct str registration_key;
};
DB_ROW(registration_key, struct key, COL(struct key, registration_key, TEXT));

struct answer {
    bool yes;
};
DB_ROW(yes_or_no, struct answer, COL(struct answer, yes, BOOL));

static void scope_args(struct db_args *in, struct arena *a, struct str id_scope)
{
    db_args_init(in, a);
    db_text(in, id_scope);
}

err_t db_assign_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_job **ret_jobs,
                      size_t *ret_count, struct db_assign_scope *ret_scope)
{
    struct db_args claim, scope, links;
    struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
    db_job_claim_args(&claim, a, c);
    scope_args(&scope, a, c->id_scope);
    db_link_find_args(&links, a, c->id_scope, (struct str){NULL, 0});
    const struct db_call calls[] = {{SQL_JOB_CLAIM, &claim}, {SQL_ASSIGN_SCOPE, &scope}, {SQL_LINK_FIND, &links}};
    TRY(db_run(db, calls, 3, DB_ONCE, r.of));
    *ret_scope = (struct db_assign_scope){.alive = rows_count(r.of[1]) == 1};
    if (ret_scope->alive)
        rows_read(r.of[1], 0, a, ret_scope, sizeof *ret_scope);
    rows_read_all(r.of[0], a, ret_jobs, sizeof **ret_jobs, ret_count);
    rows_read_all(r.of[2], a, &ret_scope->links, sizeof *ret_scope->links, &ret_scope->link_count);
    return NULL;
}

err_t db_assign_look(struct db *db, struct arena *a, struct str id_scope, const struct db_job *jobs, size_t count,
                     struct db_assign_found *ret)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    scope_args(&in, a, id_scope);
    db_array_args(&in, &db_row_job_subject, jobs, count);
    TRY(db_call(db, SQL_ASSIGN_LOOK, &in, DB_ONCE, &rows));
    rows_read_placed(rows, a, ret, sizeof *ret, count);
    return NULL;
}

err_t db_assign_inputs(struct db *db, struct arena *a, struct str id_scope, int64_t renew_after_ms,
                       const struct db_assign_input *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct db_args renew, store;
    scope_args(&renew, a, id_scope);
    db_array_args(&renew, &db_row_hash, at, count);
    db_i64(&renew, renew_after_ms);
    scope_args(&store, a, id_scope);
    db_array_args(&store, &db_row_input, at, count);
    const struct db_call calls[] = {{SQL_ASSIGN_INPUTS_RENEW, &renew}, {SQL_ASSIGN_INPUTS, &store}};
    return db_run(db, calls, 2, DB_ONCE, NULL);
}

err_t db_assign_choose(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_choice *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct db_args in;
    struct key *written;
    size_t written_count;
    scope_args(&in, a, id_scope);
    db_array_args(&in, &db_row_choice, at, count);
    db_i64(&in, remove_after_ms);
    db_array_args(&in, &db_row_choice_earlier, at, count);
    TRY(db_all(db, SQL_ASSIGN_CHOOSE, &in, DB_ONCE, &written, sizeof *written, &written_count));
    for (size_t i = 0; i < written_count; i++)
        for (size_t k = 0; k < count; k++)
            at[k].written |= str_same(at[k].registration_key, written[i].registration_key);
    return NULL;
}

/* Which row waits for which hub, as two parallel arrays: rows may wait for any number. */
static void wait_hubs(struct db_args *in, struct arena *a, const struct db_assign_wait *at, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += at[i].waits_for.n;
    struct str *subjects = ARENA_NEW_ARRAY(a, n, struct str);
    struct str *hosts = ARENA_NEW_ARRAY(a, n, struct str);
    for (size_t i = count, k = n; i-- > 0;)
        for (size_t h = at[i].waits_for.n; h-- > 0;) {
            subjects[--k] = at[i].job.subject;
            hosts[k] = at[i].waits_for.at[h];
        }
    db_text_array(in, subjects, n);
    db_text_array(in, hosts, n);
}

err_t db_assign_wait(struct db *db, struct arena *a, struct str id_scope, const struct db_assign_wait *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct db_args in;
    scope_args(&in, a, id_scope);
    db_array_args(&in, &db_row_wait, at, count);
    wait_hubs(&in, a, at, count);
    return db_do(db, SQL_ASSIGN_WAIT, &in, DB_ONCE);
}

err_t db_assign_finish(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_end *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct db_args in;
    struct key *written;
    size_t written_count;
    scope_args(&in, a, id_scope);
    db_array_args(&in, &db_row_end, at, count);
    db_i64(&in, remove_after_ms);
    TRY(db_all(db, SQL_ASSIGN_FINISH, &in, DB_ONCE, &written, sizeof *written, &written_count));
    for (size_t i = 0; i < written_count; i++)
        for (size_t k = 0; k < count; k++)
            at[k].written |= str_same(at[k].job.subject, written[i].registration_key);
    return NULL;
}

err_t db_remove_is_named(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                         size_t count, struct str host, struct str device_id, bool *ret)
{
    struct db_args in;
    struct answer answer;
    bool found;
    scope_args(&in, a, id_scope);
    db_text_array(&in, registration_keys, count);
    db_text(&in, host);
    db_text(&in, device_id);
    TRY(db_first(db, SQL_REMOVE_IS_NAMED, &in, DB_REPEATABLE, &found, &answer, sizeof answer));
    *ret = answer.yes;
    return NULL;
}
