/* link.c: the statements of db/sql/link.sql as typed calls. It must not unseal anything or decide a state. */
#include "db/link.h"

enum { WAKE_BITE = 2000 };

DB_ROW(link, struct db_link, COL(host), COL(host_name), COL(hub_key), COL(key_name), COL(primary_sealed),
       COL(secondary_key_name), COL(secondary_sealed), COL(weight), COL(apply), COL_WORD(state, link_state_words),
       COL(reason), COL_TIME(state_since_us, "state_since"), COL_TIME(slow_until_us, "slow_until"),
       COL(credential_version), COL(only_policy_gone));
DB_PARAMS(validated, struct db_link_validated, COL(id_scope), COL(host), COL(fence), COL(credential_version),
          COL_WORD(state, link_state_words), COL(reason), COL(good), COL(next_ms));
DB_VALUE(link_taken, bool, taken);

DB_ROW(latency_found, struct db_latency_found, COL(samples_us), COL(young));
DB_ROW(latency_of, struct db_latency_of, COL(host), COL(p50_us));
DB_PARAMS(latency_times, struct db_latency, COL(p50_us), COL(p95_us), COL(tls_us), COL(http_us));

err_t db_link_find(struct db *db, struct arena *a, struct str id_scope, struct str host, struct db_link **ret,
                   size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LINK_FIND, db_text(id_scope), db_text(host)), DB_REPEATABLE, ret, sizeof **ret,
                  ret_count);
}

err_t db_link_validated(struct db *db, struct arena *a, const struct db_link_validated *v, bool *ret_taken)
{
    return db_first(db, a, DB_CALL(SQL_LINK_VALIDATED, DB_MEMBERS(validated, v)), DB_ONCE, NULL, ret_taken,
                    sizeof *ret_taken);
}

err_t db_link_trouble(struct db *db, struct arena *a, struct str id_scope, struct str host, int64_t slow_ms,
                      bool validate)
{
    return db_do(db, a, DB_CALL(SQL_LINK_TROUBLE, db_text(id_scope), db_text(host), db_i64(slow_ms), db_bool(validate)),
                 DB_REPEATABLE);
}

err_t db_link_wake_assign(struct db *db, struct arena *a, struct str id_scope, const struct str *hosts, size_t count)
{
    struct str at = {NULL, 0};
    do
        TRY(db_one(
            db, a,
            DB_CALL(SQL_LINK_WAKE_ASSIGN, db_text(id_scope), db_texts(hosts, count), db_text(at), db_i64(WAKE_BITE)),
            DB_REPEATABLE, &at, sizeof at));
    while (at.p);
    return NULL;
}

err_t db_latency_find(struct db *db, struct arena *a, struct str region, struct str host, int64_t young_ms,
                      struct db_latency_found *ret)
{
    return db_first(db, a, DB_CALL(SQL_LATENCY_FIND, db_text(region), db_text(host), db_i64(young_ms)), DB_REPEATABLE,
                    NULL, ret, sizeof *ret);
}

err_t db_latency_write(struct db *db, struct arena *a, const struct db_latency *l)
{
    return db_do(db, a,
                 DB_CALL(SQL_LATENCY_WRITE, db_text(l->region), db_text(l->host),
                         db_i64s(l->samples_us, l->sample_count), DB_MEMBERS(latency_times, l)),
                 DB_ONCE);
}

err_t db_latency_of_scope(struct db *db, struct arena *a, struct str id_scope, struct str region, int64_t fresh_s,
                          struct db_latency_of **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LATENCY_OF_SCOPE, db_text(id_scope), db_text(region), db_i64(fresh_s)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}
