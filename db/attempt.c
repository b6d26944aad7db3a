/* attempt.c: the log of refused attempts. It must never say what a device was refused for to anybody but its callers.
 */
#include "db/attempt.h"

#include "core/limits.h"
#include "db/enrollment.h"

#define SHOWN_COLS                                                                                                     \
    COL(enrolled), COL_TIME(at_us, "at"), COL_AS(tracking, "tracking_id"), COL(registration_id), COL(error_code),      \
        COL(reason), COL(address)

DB_ROW(attempt, struct attempt_row, SHOWN_COLS);
DB_PARAMS(attempt_written, struct attempt_row, COL(id_scope), COL(enrolled), COL_TIME(at_us, "at"),
          COL_AS(tracking, "tracking_id"), COL(registration_key), COL(registration_id), COL(error_code), COL(reason),
          COL(address));
DB_PARAMS(attempt_wanted, struct attempt_wanted, COL(id_scope), COL(registration_key), COL(tracking),
          COL_TIME(from_us, "from"), COL_TIME(before_us, "before"), COL_TIME(after_us, "after"),
          COL_AS(after, "after_id"), COL(limit));

DB_VALUE(registrations_near, struct str_list, ids);
DB_ROW(enrollment_near, struct enrollment_near, ATTESTATION_COLS, COL(registration_id), COL(enabled));

err_t db_enrollment_near(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                         struct enrollment_near **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_ENROLLMENT_NEAR, db_text(id_scope), db_text(registration_key), db_i64(NEAR_MAX)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_registration_near(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                           struct str_list *ret)
{
    return db_one(db, a, DB_CALL(SQL_REGISTRATION_NEAR, db_text(id_scope), db_text(registration_key), db_i64(NEAR_MAX)),
                  DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_attempt_write(struct db *db, struct arena *a, const struct attempt_row *at, size_t count)
{
    return db_do(db, a,
                 DB_CALL(SQL_ATTEMPT_WRITE, DB_ARRAYS(attempt_written, at, count), db_i64(ATTEMPT_SLOT_MOST + 1)),
                 DB_ONCE);
}

err_t db_attempt_list(struct db *db, struct arena *a, const struct attempt_wanted *w, struct attempt_row **ret,
                      size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_ATTEMPT_LIST, DB_MEMBERS(attempt_wanted, w)), DB_REPEATABLE, ret, sizeof **ret,
                  ret_count);
}
