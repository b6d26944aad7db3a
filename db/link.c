/* link.c: the statements of db/sql/link.sql as typed calls. It must not unseal anything or decide a state. */
#include "db/link.h"

#include "db/row.h"
#include "db/word.h"

void db_link_find_args(struct db_args *in, struct arena *a, struct str id_scope, struct str host)
{
    db_args_init(in, a);
    db_text(in, id_scope);
    db_text(in, host);
}

static struct db_link read_link(const struct rows *rows, size_t i, struct arena *a)
{
    return (struct db_link){
        .host = row_text(rows, i, 0, a),
        .host_name = row_text(rows, i, 1, a),
        .hub_key = row_text(rows, i, 2, a),
        .key_name = row_text(rows, i, 3, a),
        .primary_sealed = row_bytea(rows, i, 4, a),
        .policy_secondary_sealed = row_bytea(rows, i, 5, a),
        .secondary_key_name = row_text(rows, i, 6, a),
        .secondary_sealed = row_bytea(rows, i, 7, a),
        .weight = (int)row_i64(rows, i, 8),
        .apply = row_bool(rows, i, 9),
        .state = word_number(link_state_words, row_view(rows, i, 10)),
        .reason = row_text(rows, i, 11, a),
        .state_since_us = row_time(rows, i, 12),
        .slow_until_us = row_time(rows, i, 13),
        .credential_version = row_i64(rows, i, 14),
        .policy_found = row_bool(rows, i, 15),
        .only_policy_gone = row_bool(rows, i, 16),
    };
}

struct db_link *db_link_find_rows(const struct rows *rows, struct arena *a, size_t *ret_count)
{
    *ret_count = rows_count(rows);
    struct db_link *links = ARENA_NEW_ARRAY(a, *ret_count, struct db_link);
    for (size_t i = 0; i < *ret_count; i++)
        links[i] = read_link(rows, i, a);
    return links;
}

err_t db_link_find(struct db *db, struct arena *a, struct str id_scope, struct str host, struct db_link **ret,
                   size_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_link_find_args(&in, a, id_scope, host);
    TRY(db_call(db, SQL_LINK_FIND, &in, DB_REPEATABLE, &rows));
    *ret = db_link_find_rows(rows, a, ret_count);
    return NULL;
}

err_t db_link_validated(struct db *db, struct arena *a, const struct db_link_validated *v, bool *ret_taken)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, v->id_scope);
    db_text(&in, v->host);
    db_i64(&in, v->fence);
    db_i64(&in, v->credential_version);
    db_text(&in, word_text(link_state_words, v->state));
    db_text(&in, v->reason);
    db_bool(&in, v->good);
    db_i64(&in, v->next_ms);
    TRY(db_call(db, SQL_LINK_VALIDATED, &in, DB_ONCE, &rows));
    *ret_taken = rows_count(rows) == 1 && row_bool(rows, 0, 0);
    return NULL;
}

err_t db_link_trouble(struct db *db, struct arena *a, struct str id_scope, struct str host, int64_t slow_ms,
                      bool validate)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, host);
    db_i64(&in, slow_ms);
    db_bool(&in, validate);
    return db_call(db, SQL_LINK_TROUBLE, &in, DB_REPEATABLE, NULL);
}

err_t db_link_wake_assign(struct db *db, struct arena *a, struct str id_scope, struct str host)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, host);
    return db_call(db, SQL_LINK_WAKE_ASSIGN, &in, DB_REPEATABLE, NULL);
}

err_t db_latency_find(struct db *db, struct arena *a, struct str region, struct str host, int64_t young_ms,
                      int64_t **ret_samples, size_t *ret_count, bool *ret_young)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, region);
    db_text(&in, host);
    db_i64(&in, young_ms);
    TRY(db_call(db, SQL_LATENCY_FIND, &in, DB_REPEATABLE, &rows));
    bool there = rows_count(rows) == 1;
    *ret_samples = NULL;
    *ret_count = there ? row_i64_array(rows, 0, 0, a, ret_samples) : 0;
    *ret_young = there && row_bool(rows, 0, 2);
    return NULL;
}

err_t db_latency_write(struct db *db, struct arena *a, const struct db_latency *l)
{
    int32_t *samples = ARENA_NEW_ARRAY(a, l->sample_count, int32_t);
    for (size_t i = 0; i < l->sample_count; i++)
        samples[i] = (int32_t)l->samples_us[i];
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, l->region);
    db_text(&in, l->host);
    db_i32_array(&in, samples, l->sample_count);
    db_i32(&in, l->p50_us);
    db_i32(&in, l->p95_us);
    db_i32_opt(&in, l->tls_us > 0, l->tls_us);
    db_i32_opt(&in, l->http_us > 0, l->http_us);
    return db_call(db, SQL_LATENCY_WRITE, &in, DB_ONCE, NULL);
}

err_t db_latency_of_scope(struct db *db, struct arena *a, struct str id_scope, struct str region, int64_t fresh_s,
                          struct db_latency_of **ret, size_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, region);
    db_i64(&in, fresh_s);
    TRY(db_call(db, SQL_LATENCY_OF_SCOPE, &in, DB_REPEATABLE, &rows));
    size_t count = rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, count, struct db_latency_of);
    for (size_t i = 0; i < count; i++)
        (*ret)[i] = (struct db_latency_of){row_text(rows, i, 0, a), row_i64(rows, i, 1)};
    *ret_count = count;
    return NULL;
}
