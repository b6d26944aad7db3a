/* role.h: role assignments of a tenant (db/sql/role.sql): which service principal may do what, and where. */
#ifndef IDSCOPE_DB_ROLE_H
#define IDSCOPE_DB_ROLE_H

#include "db/db.h"

struct role_row {
    struct uuid assignment_id, client_id;
    int role;                    /* enum role */
    struct str scope_key, scope; /* see core/role.h; the same as it was spelt */
    struct str description /* absent: none */, created_by;
    int64_t created_us;
};

/* Which are asked for. */
struct role_find {
    struct uuid tenant;
    struct str scope_key;      /* those for it, and for what it stands in */
    const struct uuid *id;     /* the one of this id, for this very scope; NULL: all */
    const struct uuid *client; /* NULL: of any */
    bool below;                /* those too that are for something in it */
    const struct uuid *after;  /* the last one of the page before; NULL: the first page */
    int64_t most;              /* see struct find */
};
/* A page of them, by id. */
err_t db_role_find(struct db *db, struct arena *a, const struct role_find *f, struct role_row **ret, size_t *ret_count,
                   bool *ret_more);

/* What a new assignment would be for. */
struct role_target {
    bool principal, resource; /* are they there? A scope of no resource has it. */
    int64_t held;             /* assignments of the client */
};

/* Inside of a transaction; other writers of the tenant's assignments wait from here to its end. *ret_there: there is
 * one of this id, and it is in *ret. */
err_t db_role_lock(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *id, bool *ret_there,
                   struct role_row *ret);
/* Behind db_role_lock. `name_key`: of the resource that the row's scope is of; absent. */
err_t db_role_target(struct db *db, struct arena *a, const struct uuid *tenant, const struct role_row *row,
                     struct str name_key, struct role_target *ret);
/* UNIQUE_VIOLATION: the client has that role there, or the id is taken. */
err_t db_role_insert(struct db *db, struct arena *a, const struct uuid *tenant, const struct role_row *row);
/* Behind db_role_lock. */
err_t db_role_delete(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *id);
/* Is there a subscription in the scope that nobody owns? */
err_t db_role_unowned(struct db *db, struct arena *a, const struct uuid *tenant, struct str scope_key, bool *ret);

#endif
