/* tenancy.c: subscriptions of a tenant, and pipelines that know their tenant. It must never look at a tenant that was
 * not handed in. */
#include "db/tenancy.h"

#include <string.h>

enum { PIPELINE_TRIES = 3 };

err_t db_subscription_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *wanted,
                           const struct uuid *after, struct subscription_row **ret, size_t *ret_count, bool *ret_more)
{
    struct db_args in;
    struct rows *rows ROWS_CLEANUP = NULL;
    db_args_init(&in, a);
    db_uuid(&in, tenant);
    db_uuid(&in, wanted);
    db_uuid(&in, after);
    db_i64(&in, DB_PAGE + 1);
    TRY(db_call(db, SQL_SUBSCRIPTION_FIND, &in, DB_REPEATABLE, &rows));
    *ret_more = rows_count(rows) > DB_PAGE;
    *ret_count = *ret_more ? DB_PAGE : rows_count(rows);
    *ret = ARENA_NEW_ARRAY(a, *ret_count, struct subscription_row);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = (struct subscription_row){row_uuid(rows, i, 0), row_text(rows, i, 1, a)};
    return NULL;
}
