/* list_count.h: how many entries the lists of an ID scope have, as they were counted last (db/sql/list_count.sql). */
#ifndef IDSCOPE_DB_LIST_COUNT_H
#define IDSCOPE_DB_LIST_COUNT_H

#include "db/conn.h"

/* Entries that have a value of a member, as clients know both; member and value empty: all. */
struct list_count {
    struct str member, value;
    int64_t entries, counted_us;
};
/* Of `list` of the scope, which is counted in the rounds of that name (count_round), by member and value; all come
 * first. None: they were never counted. */
err_t db_list_counts(struct db *db, struct arena *a, struct str id_scope, struct str list, struct str round,
                     struct list_count **ret, size_t *ret_count);

/* Individual enrollments and registrations of the scope. */
struct list_totals {
    int64_t enrollments, registrations;
};
err_t db_list_totals(struct db *db, struct arena *a, struct str id_scope, struct list_totals *ret);

#endif
