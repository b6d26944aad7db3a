/* tenancy.h: subscriptions of a tenant (db/sql/tenancy.sql), and pages of lists. */
#ifndef IDSCOPE_DB_TENANCY_H
#define IDSCOPE_DB_TENANCY_H

#include "db/db.h"

/* Rows that one page of a management list holds. A statement is asked for one more, which only tells that there is
 * more: db_page leaves it out of the count, and says whether it was there. */
enum { DB_PAGE = 200 };
bool db_page(size_t *count);

struct subscription_row {
    struct uuid subscription_id;
    struct str display_name;
};

/* One subscription, or with `wanted` NULL a page of them behind `after` (NULL: from the first). */
err_t db_subscription_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *wanted,
                           const struct uuid *after, struct subscription_row **ret, size_t *ret_count, bool *ret_more);

#endif
