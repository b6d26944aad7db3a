/* assign.h: what the assignment of devices reads and writes (db/sql/assign.sql). The order of the steps, and why a row
 * is never written that changed since it was looked at, stands there. */
#ifndef IDSCOPE_DB_ASSIGN_H
#define IDSCOPE_DB_ASSIGN_H

#include "db/enrollment.h"
#include "db/job.h"
#include "db/link.h"

/* The scope of the jobs, with its links in the order of their hosts. */
struct db_assign_scope {
    bool alive; /* false: the instance is gone, and but for the links nothing is set */
    int64_t inputs_version;
    int policy;     /* enum allocation_policy of the instance */
    int64_t now_us; /* the database's clock */
    struct db_link *links;
    size_t link_count;
};

/* Claims jobs of the scope and reads the scope and its links with them, in one round trip. Within a transaction. */
err_t db_assign_claim(struct db *db, struct arena *a, struct str id_scope, const struct db_job_claim *c,
                      struct db_job **ret_jobs, size_t *ret_count, struct db_assign_scope *ret_scope);

/* One device: its registration and its enrollment as they are now. */
struct db_assign_found {
    int64_t n;       /* its place among those that were asked for, from 1 */
    bool registered; /* false: nothing of the registration is set */
    struct str registration_id;
    struct uuid operation;
    int64_t revision;
    int status;                              /* enum registration_status */
    struct str assigned_hub, device_id;      /* absent: never assigned */
    struct str target_hub, target_device_id; /* absent: no choice is stored */
    struct str region;
    int64_t pushed_version;                                /* of the enrollment whose keys the hub holds; 0: none */
    int64_t chosen_enrollment_inputs, chosen_scope_inputs; /* of the last choice; 0: none, or to be chosen anew */

    bool enrolled; /* false: nothing below is set */
    int64_t enrollment_version, enrollment_inputs;
    bool enabled;
    struct str wanted_device_id; /* absent: the registration id */
    struct attest_stored attestation;
    struct enrollment enrollment; /* EFFECT_COLS of it */
};
/* ret[i] belongs to jobs[i]. */
err_t db_assign_look(struct db *db, struct arena *a, struct str id_scope, const struct db_job *jobs, size_t count,
                     struct db_assign_found *ret);

/* The inputs of a choice: a canonical text, stored once per scope under its hash. */
struct db_assign_input {
    struct sha256 hash;
    struct str text;
};
/* Stores inputs where they are not yet; those that stand there and are older than renew_after_ms become young, so that
 * the sweep leaves them alone. */
err_t db_assign_inputs(struct db *db, struct arena *a, struct str id_scope, int64_t renew_after_ms,
                       const struct db_assign_input *at, size_t count);

/* A device id on a hub. */
struct db_identity {
    struct str hub, device_id; /* hub as linked, absent: none */
};

/* A registration's new target. */
struct db_assign_choice {
    struct str registration_key;
    struct uuid operation; /* that was looked at */
    int64_t revision;
    struct db_identity target;
    const struct sha256 *input; /* NULL: chosen by the inputs of before */
    int64_t scope_inputs, enrollment_inputs;
    struct db_identity earlier; /* target, to be removed */
    bool written; /* set by the call; false: the row changed since it was looked at, or its identity is being removed */
};
/* Stores the choices, before any hub is called. Earlier targets are removed after remove_after_ms, when no worker that
 * believes in them has its lease any more. Within the transaction of the claim. */
err_t db_assign_choose(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_choice *at, size_t count);

/* An assignment that goes on later. */
struct db_assign_wait {
    struct db_job job;
    int64_t delay_ms;
    bool failed;                /* counts as an attempt */
    struct str waiting_for;     /* for people */
    struct str_list waits_for;  /* hosts whose return ends the wait, in lower case */
    const struct sha256 *input; /* by which no hub could be chosen; NULL: there was no new choice */
};
/* Puts the jobs back, and says on their registrations what they wait for. */
err_t db_assign_wait(struct db *db, struct arena *a, struct str id_scope, const struct db_assign_wait *at,
                     size_t count);

/* An assignment that is over. */
struct db_assign_end {
    struct db_job job;
    struct uuid operation;
    int64_t revision;
    int status; /* assigned, failed, disabled; 0: the job had nothing to do */
    struct db_identity made;
    int64_t pushed_version; /* 0: the hub was not asked */
    int error_code;         /* 0: none */
    struct str error_message;
    bool migrate;
    const struct sha256 *input; /* as above */
    struct db_identity left;    /* behind, to be removed */
    struct db_identity orphan;  /* that was made, to be removed should the registration have gone or changed */
    bool written; /* set by the call; false: the job is another's by now, the registration changed, or status is 0 */
};
/* Ends the jobs and writes what became of their registrations, in one statement; removals of orphans may run after
 * remove_after_ms (see above). */
err_t db_assign_finish(struct db *db, struct arena *a, struct str id_scope, int64_t remove_after_ms,
                       struct db_assign_end *at, size_t count);

/* Does one of these registrations stand on the identity, or is it about to? */
err_t db_remove_is_named(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                         size_t count, struct str host, struct str device_id, bool *ret);

#endif
