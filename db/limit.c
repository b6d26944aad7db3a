/* limit.c: the statements of db/sql/limit.sql as typed calls. It must not know which limits there are. */
#include "db/limit.h"

DB_PARAMS(limit_place, struct limit_place, COL(tenant), COL(name_key));
DB_ROW(limits_place, struct limits_place, COL(tenant), COL(instance));
DB_ROW(limit, struct limit_row, COL(name), COL(most), COL(of_instance));

err_t db_limits_place(struct db *db, struct arena *a, const struct limit_place *at, struct limits_place *ret)
{
    return db_one(db, a, DB_CALL(SQL_LIMITS_PLACE, DB_MEMBERS(limit_place, at)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_limits(struct db *db, struct arena *a, const struct limit_place *at, struct limit_row **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LIMITS, DB_MEMBERS(limit_place, at)), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_limit_put(struct db *db, struct arena *a, const struct limit_place *at, struct str name, struct str value)
{
    return db_do(db, a, DB_CALL(SQL_LIMIT_PUT, DB_MEMBERS(limit_place, at), db_text(name), db_text(value)), DB_ONCE);
}
