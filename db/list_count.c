/* list_count.c: how many entries the lists of an ID scope have. */
#include "db/list_count.h"

DB_ROW(list_count, struct list_count, COL(member), COL(value), COL(entries), COL_TIME(counted_us, "counted_at"));
DB_ROW(list_totals, struct list_totals, COL(enrollments), COL(registrations));

err_t db_list_counts(struct db *db, struct arena *a, struct str id_scope, struct str list, struct str round,
                     struct list_count **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_LIST_COUNTS, db_text(id_scope), db_text(list), db_text(round)), DB_REPEATABLE, ret,
                  sizeof **ret, ret_count);
}

err_t db_list_totals(struct db *db, struct arena *a, struct str id_scope, struct list_totals *ret)
{
    return db_one(db, a, DB_CALL(SQL_LIST_TOTALS, db_text(id_scope)), DB_REPEATABLE, ret, sizeof *ret);
}
