/* db/challenge.c: turns batches of challenges into array parameters and rows back into structs. It must never decide
 * anything. */
#include "db/challenge.h"

DB_ROW(challenge_found, struct db_challenge_found, COL(n), COL(device), COL(open_sealed), COL(lasts), COL(met_sealed),
       COL(met_root));

DB_PARAMS(challenge_fresh, struct db_challenge_fresh, COL(device.id_scope), COL(device.registration_key),
          COL(scope_version), COL(nonce.device), COL(nonce.sealed));

DB_PARAMS(challenge_proof, struct db_challenge_proof, COL(device.id_scope), COL(device.registration_key), COL(sealed),
          COL(root));

err_t db_challenge_look(struct db *db, struct arena *a, const struct db_device *at, size_t count, int64_t least_ms,
                        struct db_challenge_found *ret)
{
    return db_each(db, a, DB_CALL(SQL_CHALLENGE_LOOK, DB_ARRAYS(device, at, count), db_i64(least_ms)), DB_REPEATABLE,
                   ret, sizeof *ret, count);
}

/* Rows that were written come in any order, and each names its device. */
static bool is_among(const struct db_device *wanted, const struct db_device *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (db_device_compare(&at[i], wanted) == 0)
            return true;
    return false;
}

err_t db_challenge_open(struct db *db, struct arena *a, struct db_challenge_fresh *at, size_t count, int64_t lives_ms,
                        int64_t least_ms)
{
    struct db_device *opened;
    size_t opened_count;
    TRY(db_all(db, a,
               DB_CALL(SQL_CHALLENGE_OPEN, DB_ARRAYS(challenge_fresh, at, count), db_i64(lives_ms), db_i64(least_ms)),
               DB_ONCE, &opened, sizeof *opened, &opened_count));
    for (size_t i = 0; i < count; i++)
        at[i].opened = is_among(&at[i].device, opened, opened_count);
    return NULL;
}

err_t db_challenge_meet(struct db *db, struct arena *a, struct db_challenge_proof *at, size_t count, int64_t lives_ms)
{
    struct db_device *met;
    size_t met_count;
    TRY(db_all(db, a, DB_CALL(SQL_CHALLENGE_MEET, DB_ARRAYS(challenge_proof, at, count), db_i64(lives_ms)), DB_ONCE,
               &met, sizeof *met, &met_count));
    for (size_t i = 0; i < count; i++)
        at[i].met = is_among(&at[i].device, met, met_count);
    return NULL;
}
