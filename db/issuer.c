/* issuer.c: the statements of db/sql/issuer.sql as typed calls. It must not decide which keys are good. */
#include "db/issuer.h"

#include "core/model.h"

DB_ROW(issuer, struct db_issuer, COL(issuer), COL(keys_url));
DB_PARAMS(issuer_key, struct jwks_key, COL(kid), COL_WORD(algorithm, key_algorithm_words), COL(public));

err_t db_issuer_find(struct db *db, struct arena *a, struct str issuer, struct db_issuer *ret)
{
    return db_one(db, a, DB_CALL(SQL_ISSUER_FIND, db_text(issuer)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_issuer_keys_put(struct db *db, struct arena *a, struct str issuer, const struct jwks_key *keys, size_t count)
{
    return db_do(db, a, DB_CALL(SQL_ISSUER_KEYS_PUT, db_text(issuer), DB_ARRAYS(issuer_key, keys, count)),
                 DB_REPEATABLE);
}

err_t db_issuer_failed(struct db *db, struct arena *a, struct str issuer, struct str why)
{
    return db_do(db, a, DB_CALL(SQL_ISSUER_FAILED, db_text(issuer), db_text(why)), DB_REPEATABLE);
}
