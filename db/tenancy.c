/* tenancy.c: subscriptions of a tenant, and pages of lists. It must never look at a tenant that was not handed in. */
#include "db/tenancy.h"

struct some {
    struct str_list ids;
};
DB_PARAMS(some, struct some, COL(ids));
DB_ROW(subscription, struct subscription_row, COL(subscription_id), COL(display_name), COL(disabled), COL_JSON(tags));
DB_PARAMS(subscription_tags, struct subscription_row, COL_JSON(tags));

int64_t db_page_rows(int64_t most)
{
    return most && most < DB_PAGE ? most : DB_PAGE;
}

bool db_page(int64_t most, size_t *count)
{
    bool more = *count > (size_t)db_page_rows(most);
    *count -= more;
    return more;
}

err_t db_subscription_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *wanted,
                           const struct subscription_page *page, struct subscription_row **ret, size_t *ret_count,
                           bool *ret_more)
{
    const struct some some = {page->ids};
    TRY(db_all(db, a,
               DB_CALL(SQL_SUBSCRIPTION_FIND, db_uuid(tenant), db_uuid(wanted), db_uuid(page->after),
                       db_i64(db_page_rows(page->most) + 1), DB_MEMBERS(some, &some)),
               DB_REPEATABLE, ret, sizeof **ret, ret_count));
    *ret_more = db_page(page->most, ret_count);
    return NULL;
}

err_t db_subscription_retag(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *subscription,
                            struct str was, struct str tags, bool *ret_done)
{
    int64_t rows;
    const struct subscription_row written = {.tags = tags};
    TRY(db_count(db, a,
                 DB_CALL(SQL_SUBSCRIPTION_RETAG, db_uuid(tenant), db_uuid(subscription),
                         DB_MEMBERS(subscription_tags, &written), db_text(was)),
                 DB_ONCE, &rows));
    *ret_done = rows > 0;
    return NULL;
}
