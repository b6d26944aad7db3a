/* limit.h: the limits that operators set for tenants and instances (db/sql/limit.sql), by the names of core/quota.def.
 * Used by idscope-admin. */
#ifndef IDSCOPE_DB_LIMIT_H
#define IDSCOPE_DB_LIMIT_H

#include "db/db.h"

/* Whose they are: a tenant, or an instance of it by its name in lower case (absent: the tenant). */
struct limit_place {
    struct uuid tenant;
    struct str name_key;
};
struct limits_place {
    bool tenant, instance;
};
/* What of the two there is. */
err_t db_limits_place(struct db *db, struct arena *a, const struct limit_place *at, struct limits_place *ret);

struct limit_row {
    struct str name;
    int64_t most;     /* 0: none */
    bool of_instance; /* else of its tenant */
};
/* Those of the tenant, and of the instance where one is named. */
err_t db_limits(struct db *db, struct arena *a, const struct limit_place *at, struct limit_row **ret,
                size_t *ret_count);
/* `value` is a JSON object with nothing but the limit's number by its name, or empty: the next one up decides. */
err_t db_limit_put(struct db *db, struct arena *a, const struct limit_place *at, struct str name, struct str value);

#endif
