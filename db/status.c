/* status.c: whether devices are blocked. It must never write. */
#include "db/status.h"

DB_ROW(status_wanted, struct status_wanted, COL(assigning), COL(blocked));

err_t db_status_wanted(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                       size_t count, struct status_wanted *ret)
{
    return db_one(db, a, DB_CALL(SQL_STATUS_WANTED, db_text(id_scope), db_texts(registration_keys, count)),
                  DB_REPEATABLE, ret, sizeof *ret);
}
