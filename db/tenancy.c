/* tenancy.c: subscriptions of a tenant, and pages of lists. It must never look at a tenant that was not handed in. */
#include "db/tenancy.h"

DB_ROW(subscription, struct subscription_row, COL(struct subscription_row, subscription_id, UUID),
       COL(struct subscription_row, display_name, TEXT));

void db_page(const struct rows *rows, struct arena *a, void *ret_array, size_t size, size_t *ret_count, bool *ret_more)
{
    rows_read_all(rows, a, ret_array, size, ret_count);
    *ret_more = *ret_count > DB_PAGE;
    *ret_count -= *ret_more;
}

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
    db_page(rows, a, ret, sizeof **ret, ret_count, ret_more);
    return NULL;
}
