/* attempt.h: the log of refused attempts (db/sql/attempt.sql): bounded rings for each ID scope; and what
 * tells why a device was refused. */
#ifndef IDSCOPE_DB_ATTEMPT_H
#define IDSCOPE_DB_ATTEMPT_H

#include "core/attest/attest.h"
#include "db/db.h"

/* One call of a device that was refused. */
struct attempt_row {
    struct str id_scope;
    bool enrolled; /* was there an enrollment of the id? It says in which ring the attempt stands */
    int64_t at_us;
    struct uuid tracking;
    struct str registration_key, registration_id;
    int error_code;
    struct str reason, address;
};

/* Writes them over the oldest ones of their rings; of a scope that is gone, none. */
err_t db_attempt_write(struct db *db, struct arena *a, const struct attempt_row *at, size_t count);

/* An enrollment whose id is near another one, or that id's own. */
struct enrollment_near {
    struct attest_stored attestation;
    struct str registration_id;
    bool enabled;
};
enum { NEAR_MAX = 8 }; /* on a side */
/* Ids near another one that have registered, by whatever enrollment. */
err_t db_registration_near(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                           struct str_list *ret);
err_t db_enrollment_near(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                         struct enrollment_near **ret, size_t *ret_count);

/* What is asked of the log. */
struct attempt_wanted {
    struct str id_scope;
    struct str registration_key; /* absent: any */
    const struct uuid *tracking; /* NULL: any */
    int64_t from_us, before_us;  /* from the one on, before the other */
    int64_t after_us;            /* behind the attempt of that time, and */
    const struct uuid *after;    /* that tracking id; NULL: from the newest on */
    int64_t limit;
};
err_t db_attempt_list(struct db *db, struct arena *a, const struct attempt_wanted *w, struct attempt_row **ret,
                      size_t *ret_count);

#endif
