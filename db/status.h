/* status.h: what the worker asks of blocked devices (db/sql/status.sql). */
#ifndef IDSCOPE_DB_STATUS_H
#define IDSCOPE_DB_STATUS_H

#include "core/codec.h"
#include "db/db.h"

struct status_wanted {
    bool assigning;   /* one of their registrations is */
    enum tri blocked; /* one of their enrollments is disabled; absent: none of them is enrolled */
};
err_t db_status_wanted(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                       size_t count, struct status_wanted *ret);

#endif
