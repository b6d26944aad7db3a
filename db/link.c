/* link.c: the statements of db/sql/link.sql as typed calls. It must not unseal anything or decide a state. */
#include "db/link.h"

DB_ROW(link, struct db_link, COL(struct db_link, host, TEXT), COL(struct db_link, host_name, TEXT),
       COL(struct db_link, hub_key, TEXT), COL(struct db_link, key_name, TEXT),
       COL(struct db_link, primary_sealed, BYTEA), COL(struct db_link, secondary_key_name, TEXT),
       COL(struct db_link, secondary_sealed, BYTEA), COL(struct db_link, weight, I32), COL(struct db_link, apply, BOOL),
       COL_WORD(struct db_link, state, link_state_words), COL(struct db_link, reason, TEXT),
       COL_AS(struct db_link, state_since_us, TIME, "state_since"),
       COL_AS(struct db_link, slow_until_us, TIME, "slow_until"), COL(struct db_link, credential_version, I64),
       COL(struct db_link, only_policy_gone, BOOL));

DB_PARAMS(validated, struct db_link_validated, COL(struct db_link_validated, id_scope, TEXT),
          COL(struct db_link_validated, host, TEXT), COL(struct db_link_validated, fence, I64),
          COL(struct db_link_validated, credential_version, I64),
          COL_WORD(struct db_link_validated, state, link_state_words), COL(struct db_link_validated, reason, TEXT),
          COL(struct db_link_validated, good, BOOL), COL(struct db_link_validated, next_ms, I64));

struct taken {
    bool taken;
};
DB_ROW(link_taken, struct taken, COL(struct taken, taken, BOOL));

struct latency_found {
    struct i64_list samples_us;
    bool young;
};
DB_ROW(latency_found, struct latency_found, COL(struct latency_found, samples_us, I64S),
       COL(struct latency_found, young, BOOL));
DB_ROW(latency_of, struct db_latency_of, COL(struct db_latency_of, host, TEXT), COL(struct db_latency_of, p50_us, I64));

DB_PARAMS(latency_times, struct db_latency, COL(struct db_latency, p50_us, I32), COL(struct db_latency, p95_us, I32),
          COL(struct db_latency, tls_us, I32), COL(struct db_latency, http_us, I32));

void db_link_find_args(struct db_args *in, struct arena *a, struct str id_scope, struct str host)
{
    db_args_init(in, a);
    db_text(in, id_scope);
    db_text(in, host);
}

err_t db_link_find(struct db *db, struct arena *a, struct str id_scope, struct str host, struct db_link **ret,
                   size_t *ret_count)
{
    struct db_args in;
    db_link_find_args(&in, a, id_scope, host);
    return db_all(db, SQL_LINK_FIND, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_link_validated(struct db *db, struct arena *a, const struct db_link_validated *v, bool *ret_taken)
{
    struct db_args in;
    struct taken t;
    bool found;
    db_args_init(&in, a);
    db_row_args(&in, &db_row_validated, v);
    TRY(db_first(db, SQL_LINK_VALIDATED, &in, DB_ONCE, &found, &t, sizeof t));
    *ret_taken = found && t.taken;
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
    return db_do(db, SQL_LINK_TROUBLE, &in, DB_REPEATABLE);
}

err_t db_link_wake_assign(struct db *db, struct arena *a, struct str id_scope, struct str host)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, host);
    return db_do(db, SQL_LINK_WAKE_ASSIGN, &in, DB_REPEATABLE);
}

err_t db_latency_find(struct db *db, struct arena *a, struct str region, struct str host, int64_t young_ms,
                      int64_t **ret_samples, size_t *ret_count, bool *ret_young)
{
    struct db_args in;
    struct latency_found l = {.young = false};
    bool found;
    db_args_init(&in, a);
    db_text(&in, region);
    db_text(&in, host);
    db_i64(&in, young_ms);
    TRY(db_first(db, SQL_LATENCY_FIND, &in, DB_REPEATABLE, &found, &l, sizeof l));
    *ret_samples = l.samples_us.at;
    *ret_count = l.samples_us.n;
    *ret_young = l.young;
    return NULL;
}

err_t db_latency_write(struct db *db, struct arena *a, const struct db_latency *l)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, l->region);
    db_text(&in, l->host);
    db_i64_array(&in, l->samples_us, l->sample_count);
    db_row_args(&in, &db_row_latency_times, l);
    return db_do(db, SQL_LATENCY_WRITE, &in, DB_ONCE);
}

err_t db_latency_of_scope(struct db *db, struct arena *a, struct str id_scope, struct str region, int64_t fresh_s,
                          struct db_latency_of **ret, size_t *ret_count)
{
    struct db_args in;
    db_args_init(&in, a);
    db_text(&in, id_scope);
    db_text(&in, region);
    db_i64(&in, fresh_s);
    return db_all(db, SQL_LATENCY_OF_SCOPE, &in, DB_REPEATABLE, ret, sizeof **ret, ret_count);
}
