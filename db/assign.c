/* assign.c: the statements of db/sql/assign.sql as typed calls: arrays in, arrays out. It must not decide anything
 * about a device. */
#include "db/assign.h"

#include "db/row.h"
#include "db/word.h"

static void read_scope(const struct rows *rows, struct db_assign_scope *ret)
{
    ret->alive = rows_count(rows) == 1;
    if (!ret->alive)
        return;
    ret->inputs_version = row_i64(rows, 0, 0);
    ret->policy = word_number(policy_words, row_view(rows, 0, 1));
    ret->now_us = row_time(rows, 0, 2);
}

err_t db_assign_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_job **ret_jobs,
                      size_t *ret_count, struct db_assign_scope *ret_scope)
{
    struct db_args claim, scope, links;
    db_job_claim_args(&claim, a, c);
    db_args_init(&scope, a);
    db_text(&scope, c->id_scope);
    db_link_find_args(&links, a, c->id_scope, (struct str){NULL, 0});
    const struct db_call calls[] = {{SQL_JOB_CLAIM, &claim}, {SQL_ASSIGN_SCOPE, &scope}, {SQL_LINK_FIND, &links}};
    struct rows *rows[3];
    TRY(db_run(db, calls, 3, DB_ONCE, rows));
    *ret_jobs = db_job_claim_rows(rows[0], a, ret_count);
    *ret_scope = (struct db_assign_scope){.alive = false};
    read_scope(rows[1], ret_scope);
    ret_scope->links = db_link_find_rows(rows[2], a, &ret_scope->link_count);
    for (size_t i = 0; i < 3; i++)
        rows_free(rows[i]);
    return NULL;
}

static void read_registration(const struct rows *rows, size_t i, struct arena *a, struct db_assign_found *ret)
{
    ret->registered = !row_null(rows, i, 1);
    ret->registration_id = row_text(rows, i, 1, a);
    ret->operation = row_uuid(rows, i, 2);
    ret->revision = row_i64(rows, i, 3);
    ret->status = word_number(registration_status_words, row_view(rows, i, 4));
    ret->assigned_hub = row_text(rows, i, 5, a);
    ret->device_id = row_text(rows, i, 6, a);
    ret->target_hub = row_text(rows, i, 7, a);
    ret->target_device_id = row_text(rows, i, 8, a);
    ret->region = row_text(rows, i, 9, a);
    ret->pushed_version = row_i64(rows, i, 10);
    ret->chosen_enrollment_inputs = row_i64(rows, i, 11);
    ret->chosen_scope_inputs = row_i64(rows, i, 12);
}

static void read_enrollment(const struct rows *rows, size_t i, struct arena *a, struct db_assign_found *ret)
{
    ret->enrolled = !row_null(rows, i, 13);
    ret->enrollment_version = row_i64(rows, i, 13);
    ret->enrollment_inputs = row_i64(rows, i, 14);
    ret->enabled = row_bool(rows, i, 15);
    ret->wanted_device_id = row_text(rows, i, 16, a);
    ret->attestation.type = word_number(attestation_type_words, row_view(rows, i, 17));
    ret->attestation.sealed = row_bytea(rows, i, 18, a);
    ret->policy = word_number(policy_words, row_view(rows, i, 19));
    ret->named.n = row_text_array(rows, i, 20, a, &ret->named.at);
    ret->named.set = ret->named.n > 0;
    ret->named_host = row_text(rows, i, 21, a);
    ret->update_hub_assignment = row_bool(rows, i, 22);
    ret->migrate_device_data = row_bool(rows, i, 23);
    ret->iot_edge = row_bool(rows, i, 24);
}

err_t db_assign_look(struct db *db, struct arena *a, struct str id_scope, const struct db_job *jobs, size_t count,
                     struct db_assign_found *ret)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct str *keys = ARENA_NEW_ARRAY(a, count, struct str);
    for (size_t i = 0; i < count; i++)
        keys[i] = jobs[i].subject;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text_array(&in, keys, count);
    TRY(db_call(db, SQL_ASSIGN_LOOK, &in, DB_ONCE, &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        struct db_assign_found *to = &ret[row_i64(rows, i, 0) - 1];
        *to = (struct db_assign_found){.registered = false};
        read_registration(rows, i, a, to);
        read_enrollment(rows, i, a, to);
    }
    return NULL;
}

err_t db_assign_inputs(struct db *db, struct arena *a, struct str id_scope, const struct db_assign_input *at,
                       size_t count)
{
    if (count == 0)
        return NULL;
    struct bytes *hashes = ARENA_NEW_ARRAY(a, count, struct bytes);
    struct str *texts = ARENA_NEW_ARRAY(a, count, struct str);
    for (size_t i = 0; i < count; i++) {
        hashes[i] = (struct bytes){at[i].hash.b, sizeof at[i].hash.b};
        texts[i] = at[i].text;
    }
    struct db_args renew, store;
    db_args_init(&renew, a);
    db_text(&renew, id_scope);
    db_bytea_array(&renew, hashes, count);
    db_args_init(&store, a);
    db_text(&store, id_scope);
    db_bytea_array(&store, hashes, count);
    db_text_array(&store, texts, count);
    const struct db_call calls[] = {{SQL_ASSIGN_INPUTS_RENEW, &renew}, {SQL_ASSIGN_INPUTS, &store}};
    return db_run(db, calls, 2, DB_ONCE, NULL);
}

static struct bytes hash_or_null(const struct sha256 *hash)
{
    return hash ? (struct bytes){hash->b, sizeof hash->b} : (struct bytes){NULL, 0};
}

/* The columns of an array statement, one array per member. */
struct choice_columns {
    struct str *keys, *hubs, *devices, *earlier_hubs, *earlier_devices;
    struct uuid *operations;
    struct bytes *inputs;
    int64_t *revisions, *scope_inputs, *enrollment_inputs;
};

static struct choice_columns choice_columns(struct arena *a, const struct db_assign_choice *at, size_t n)
{
    struct choice_columns c = {
        .keys = ARENA_NEW_ARRAY(a, n, struct str),
        .hubs = ARENA_NEW_ARRAY(a, n, struct str),
        .devices = ARENA_NEW_ARRAY(a, n, struct str),
        .earlier_hubs = ARENA_NEW_ARRAY(a, n, struct str),
        .earlier_devices = ARENA_NEW_ARRAY(a, n, struct str),
        .operations = ARENA_NEW_ARRAY(a, n, struct uuid),
        .inputs = ARENA_NEW_ARRAY(a, n, struct bytes),
        .revisions = ARENA_NEW_ARRAY(a, n, int64_t),
        .scope_inputs = ARENA_NEW_ARRAY(a, n, int64_t),
        .enrollment_inputs = ARENA_NEW_ARRAY(a, n, int64_t),
    };
    for (size_t i = 0; i < n; i++) {
        c.keys[i] = at[i].registration_key;
        c.hubs[i] = at[i].target.hub;
        c.devices[i] = at[i].target.device_id;
        c.earlier_hubs[i] = at[i].earlier.hub;
        c.earlier_devices[i] = at[i].earlier.device_id;
        c.operations[i] = at[i].operation;
        c.inputs[i] = hash_or_null(at[i].input);
        c.revisions[i] = at[i].revision;
        c.scope_inputs[i] = at[i].scope_inputs;
        c.enrollment_inputs[i] = at[i].enrollment_inputs;
    }
    return c;
}

err_t db_assign_choose(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_choice *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct rows *rows ROWS_CLEANUP = NULL;
    struct choice_columns c = choice_columns(a, at, count);
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text_array(&in, c.keys, count);
    db_uuid_array(&in, c.operations, count);
    db_i64_array(&in, c.revisions, count);
    db_text_array(&in, c.hubs, count);
    db_text_array(&in, c.devices, count);
    db_bytea_array(&in, c.inputs, count);
    db_i64_array(&in, c.scope_inputs, count);
    db_i64_array(&in, c.enrollment_inputs, count);
    db_i64(&in, remove_after_ms);
    db_text_array(&in, c.earlier_hubs, count);
    db_text_array(&in, c.earlier_devices, count);
    TRY(db_call(db, SQL_ASSIGN_CHOOSE, &in, DB_ONCE, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        for (size_t k = 0; k < count; k++)
            at[k].written |= str_same(at[k].registration_key, row_view(rows, i, 0));
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
    struct str *subjects = ARENA_NEW_ARRAY(a, count, struct str);
    struct str *waiting_for = ARENA_NEW_ARRAY(a, count, struct str);
    int64_t *fences = ARENA_NEW_ARRAY(a, count, int64_t);
    int64_t *delays = ARENA_NEW_ARRAY(a, count, int64_t);
    bool *failed = ARENA_NEW_ARRAY(a, count, bool);
    struct bytes *inputs = ARENA_NEW_ARRAY(a, count, struct bytes);
    for (size_t i = 0; i < count; i++) {
        subjects[i] = at[i].job.subject;
        inputs[i] = hash_or_null(at[i].input);
        fences[i] = at[i].job.fence;
        delays[i] = at[i].delay_ms;
        failed[i] = at[i].failed;
        waiting_for[i] = at[i].waiting_for;
    }
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text_array(&in, subjects, count);
    db_i64_array(&in, fences, count);
    db_i64_array(&in, delays, count);
    db_bool_array(&in, failed, count);
    db_text_array(&in, waiting_for, count);
    db_bytea_array(&in, inputs, count);
    wait_hubs(&in, a, at, count);
    return db_call(db, SQL_ASSIGN_WAIT, &in, DB_ONCE, NULL);
}

struct end_columns {
    struct str *keys, *statuses, *hubs, *devices, *messages;
    struct str *left_hubs, *left_devices, *orphan_hubs, *orphan_devices;
    struct uuid *operations;
    int64_t *fences, *revisions, *pushed;
    int32_t *codes;
    bool *migrate;
    struct bytes *inputs;
};

static struct end_columns end_columns_new(struct arena *a, size_t n)
{
    return (struct end_columns){
        .keys = ARENA_NEW_ARRAY(a, n, struct str),
        .statuses = ARENA_NEW_ARRAY(a, n, struct str),
        .hubs = ARENA_NEW_ARRAY(a, n, struct str),
        .devices = ARENA_NEW_ARRAY(a, n, struct str),
        .messages = ARENA_NEW_ARRAY(a, n, struct str),
        .left_hubs = ARENA_NEW_ARRAY(a, n, struct str),
        .left_devices = ARENA_NEW_ARRAY(a, n, struct str),
        .orphan_hubs = ARENA_NEW_ARRAY(a, n, struct str),
        .orphan_devices = ARENA_NEW_ARRAY(a, n, struct str),
        .operations = ARENA_NEW_ARRAY(a, n, struct uuid),
        .fences = ARENA_NEW_ARRAY(a, n, int64_t),
        .revisions = ARENA_NEW_ARRAY(a, n, int64_t),
        .pushed = ARENA_NEW_ARRAY(a, n, int64_t),
        .codes = ARENA_NEW_ARRAY(a, n, int32_t),
        .migrate = ARENA_NEW_ARRAY(a, n, bool),
        .inputs = ARENA_NEW_ARRAY(a, n, struct bytes),
    };
}

static struct end_columns end_columns(struct arena *a, const struct db_assign_end *at, size_t n)
{
    struct end_columns c = end_columns_new(a, n);
    for (size_t i = 0; i < n; i++) {
        c.keys[i] = at[i].job.subject;
        c.fences[i] = at[i].job.fence;
        c.operations[i] = at[i].operation;
        c.revisions[i] = at[i].revision;
        c.statuses[i] = word_text(registration_status_words, at[i].status);
        c.hubs[i] = at[i].made.hub;
        c.devices[i] = at[i].made.device_id;
        c.pushed[i] = at[i].pushed_version;
        c.codes[i] = at[i].error_code;
        c.messages[i] = at[i].error_message;
        c.migrate[i] = at[i].migrate;
        c.left_hubs[i] = at[i].left.hub;
        c.left_devices[i] = at[i].left.device_id;
        c.orphan_hubs[i] = at[i].orphan.hub;
        c.orphan_devices[i] = at[i].orphan.device_id;
        c.inputs[i] = hash_or_null(at[i].input);
    }
    return c;
}

static void end_args(struct db_args *in, struct arena *a, struct str id_scope, const struct end_columns *c, size_t n)
{
    db_args_init(in, a);
    db_text(in, id_scope);
    db_text_array(in, c->keys, n);
    db_i64_array(in, c->fences, n);
    db_uuid_array(in, c->operations, n);
    db_i64_array(in, c->revisions, n);
    db_text_array(in, c->statuses, n);
    db_text_array(in, c->hubs, n);
    db_text_array(in, c->devices, n);
    db_i64_array(in, c->pushed, n);
    db_i32_array(in, c->codes, n);
    db_text_array(in, c->messages, n);
    db_bool_array(in, c->migrate, n);
    db_bytea_array(in, c->inputs, n);
    db_text_array(in, c->left_hubs, n);
    db_text_array(in, c->left_devices, n);
    db_text_array(in, c->orphan_hubs, n);
    db_text_array(in, c->orphan_devices, n);
}

err_t db_assign_finish(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_end *at, size_t count)
{
    if (count == 0)
        return NULL;
    struct rows *rows ROWS_CLEANUP = NULL;
    struct end_columns c = end_columns(a, at, count);
    struct db_args in;
    end_args(&in, a, id_scope, &c, count);
    db_i64(&in, remove_after_ms);
    TRY(db_call(db, SQL_ASSIGN_FINISH, &in, DB_ONCE, &rows));
    for (size_t i = 0; i < rows_count(rows); i++)
        for (size_t k = 0; row_bool(rows, i, 1) && k < count; k++)
            at[k].written |= str_same(at[k].job.subject, row_view(rows, i, 0));
    return NULL;
}

err_t db_remove_is_named(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                         size_t count, struct str host, struct str device_id, bool *ret)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text_array(&in, registration_keys, count);
    db_text(&in, host);
    db_text(&in, device_id);
    TRY(db_call(db, SQL_REMOVE_IS_NAMED, &in, DB_REPEATABLE, &rows));
    *ret = row_bool(rows, 0, 0);
    return NULL;
}
