/* sealed.c: the statements of db/sql/sealed.sql as typed calls. It must not know of any table, nor open a value. */
#include "db/sealed.h"

enum { ROWS_LOOKED_AT = 20000 };

DB_ROW(sealed_column, struct db_sealed_column, COL(tab), COL(col));
DB_ROW(sealed, struct db_sealed, COL(place), COL(kind), COL(owner), COL(name), COL(part), COL(sealed));
DB_VALUE(sealed_written, int64_t, written);
DB_VALUE(sealed_mark, int64_t, mark);
DB_VALUE(sealed_settled, bool, settled);
DB_PARAMS(sealed_of, struct db_sealed_column, COL(tab), COL(col), COL(head));
DB_PARAMS(sealed_in, struct db_sealed_column, COL(tab), COL(col));
DB_PARAMS(sealed_anew, struct db_sealed, COL(place), COL(sealed), COL(fresh));

err_t db_sealed_columns(struct db *db, struct arena *a, struct db_sealed_column **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_SEALED_COLUMNS), DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_sealed_page(struct db *db, struct arena *a, const struct db_sealed_column *of, struct str after,
                     int64_t at_most, struct db_sealed **ret, size_t *ret_count)
{
    return db_all(
        db, a,
        DB_CALL(SQL_SEALED_PAGE, DB_MEMBERS(sealed_of, of), db_text(after), db_i64(ROWS_LOOKED_AT), db_i64(at_most)),
        DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_sealed_write(struct db *db, struct arena *a, const struct db_sealed_column *of, const struct db_sealed *at,
                      size_t count, int64_t *ret_written)
{
    return db_one(db, a, DB_CALL(SQL_SEALED_WRITE, DB_MEMBERS(sealed_in, of), DB_ARRAYS(sealed_anew, at, count)),
                  DB_REPEATABLE, ret_written, sizeof *ret_written);
}

err_t db_sealed_mark(struct db *db, struct arena *a, int64_t *ret_mark)
{
    return db_one(db, a, DB_CALL(SQL_SEALED_MARK), DB_REPEATABLE, ret_mark, sizeof *ret_mark);
}

err_t db_sealed_settled(struct db *db, struct arena *a, int64_t mark, bool *ret)
{
    return db_one(db, a, DB_CALL(SQL_SEALED_SETTLED, db_i64(mark)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_sealed_note(struct db *db, struct arena *a, int64_t key_id, int64_t count)
{
    return db_do(db, a, DB_CALL(SQL_SEALED_NOTE, db_i64(key_id), db_i64(count)), DB_ONCE);
}
