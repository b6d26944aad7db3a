/* tenancy.h: subscriptions of a tenant, and pipelines that know their tenant. */
#ifndef IDSCOPE_DB_TENANCY_H
#define IDSCOPE_DB_TENANCY_H

#include "db/row.h"

/* Rows that one page of a management list holds. */
enum { DB_PAGE = 200 };

struct subscription_row {
    struct uuid subscription_id;
    struct str display_name;
};

/* One subscription, or with `wanted` NULL a page of them behind `after` (NULL: from the first). */
err_t db_subscription_find(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *wanted,
                           const struct uuid *after, struct subscription_row **ret, size_t *ret_count, bool *ret_more);

enum { DB_TENANT_CALLS_MAX = 6 };

/* `calls` as one transaction of the tenant in one round trip; ret_rows[i] belongs to calls[i]. A transaction that lost
 * against another one is run again. */
err_t db_tenant_pipeline(struct db *db, struct arena *a, const struct uuid *tenant, const struct db_batch_call *calls,
                         size_t count, struct rows **ret_rows);

#endif
