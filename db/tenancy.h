/* tenancy.h: subscriptions of a tenant (db/sql/tenancy.sql), and pages of lists. */
#ifndef IDSCOPE_DB_TENANCY_H
#define IDSCOPE_DB_TENANCY_H

#include "db/db.h"

/* Rows that one page of a management list holds at most. A statement is asked for one more than `most` (db_page_rows),
 * which only tells that there is more: db_page leaves it out of the count, and says whether it was there. */
enum { DB_PAGE = 200 };
int64_t db_page_rows(int64_t most);
bool db_page(int64_t most, size_t *count);

struct subscription_row {
    struct uuid subscription_id;
    struct str display_name;
    bool disabled;
    struct str tags; /* JSON */
};

/* So many (0: DB_PAGE) behind `after` (NULL: from the first); of those with `ids`, unless that is not set. */
struct subscription_page {
    const struct uuid *after;
    int64_t most;
    struct str_list ids;
};
/* One subscription, or with `wanted` NULL a page of them. */
err_t db_subscription_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *wanted,
                           const struct subscription_page *page, struct subscription_row **ret, size_t *ret_count,
                           bool *ret_more);
/* Replaces the tags of the subscription; *ret_done is false when they are not what they were any more, or it is gone.
 */
err_t db_subscription_retag(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *subscription,
                            struct str was, struct str tags, bool *ret_done);

#endif
