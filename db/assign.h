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
    int policy;          /* enum allocation_policy of the instance */
    int existing_device; /* enum existing_device of the instance */
    int64_t now_us;      /* the database's clock */
    struct db_link *links;
    size_t link_count;
};

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
    struct bytes evidence;                                 /* of the credential that the device showed */

    bool enrolled; /* false: nothing below is set */
    int64_t enrollment_version, enrollment_inputs;
    bool enabled;
    struct str wanted_device_id; /* absent: the registration id */
    struct str taken_by;         /* the other registration id that has it; absent: nobody */
    struct str_list stands_on;   /* hosts where it was found, in their order; of a device that never had a hub */
    struct attest_stored attestation;
    struct enrollment enrollment; /* EFFECT_COLS of it, and initial_twin */
};
/* The inputs of a choice: a canonical text, stored once per scope under its hash. */
struct db_assign_input {
    struct sha256 hash;
    struct str text;
};
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
/* An assignment that goes on later. */
struct db_assign_wait {
    struct db_job job;
    int64_t delay_ms;
    bool failed;                /* counts as an attempt */
    struct str waiting_for;     /* for people */
    struct str_list waits_for;  /* hosts whose return ends the wait, in lower case */
    const struct sha256 *input; /* by which no hub could be chosen; NULL: there was no new choice */
    bool missing;               /* what it was to adopt is not there: it has no target any more */
};
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
    bool adopted;               /* the identity stood there */
    bool again;                 /* the hub is to be chosen anew the next time */
    struct db_identity orphan;  /* that was made, to be removed should the registration have gone or changed */
    bool written; /* set by the call; false: the job is another's by now, the registration changed, or status is 0 */
};
/* The jobs of a scope on their way through the statements. Each of these is of one scope; for any number of scopes they
 * are sent in one pipeline, so all is done or nothing. */
struct db_assign_part {
    struct str id_scope;

    struct db_assign_scope scope; /* from here on, as they were claimed */
    struct db_job *jobs;
    size_t count;
    struct db_assign_found *found; /* of jobs[i], what was found */

    struct db_assign_input *inputs; /* to be stored */
    size_t input_count;
    struct db_assign_choice *choices;
    size_t choice_count;

    struct db_assign_wait *waits; /* to be written */
    size_t wait_count;
    struct db_assign_end *ends;
    size_t end_count;
};

/* Claims jobs and reads their scopes with their links. Within a transaction, as the next two. */
err_t db_assign_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_assign_part *at,
                      size_t count);
/* Finds what stands of the jobs' devices. */
err_t db_assign_look(struct db *db, struct arena *a, struct db_assign_part *at, size_t count);

/* Milliseconds: stored inputs that are in use and so old become young, so that the sweep leaves them alone; removals of
 * targets may run when no worker that believes in them has its lease any more. */
struct db_assign_times {
    int64_t renew_after_ms, remove_after_ms;
};
/* Stores inputs where they are not yet, and the choices, before any hub is called. */
err_t db_assign_choose(struct db *db, struct arena *a, const struct db_assign_times *times, struct db_assign_part *at,
                       size_t count);
/* Puts jobs back and says on their registrations what they wait for; ends jobs and writes what became of their
 * registrations, in one statement. */
err_t db_assign_write(struct db *db, struct arena *a, const struct db_assign_times *times, struct db_assign_part *at,
                      size_t count);

/* Does one of these registrations stand on the identity, or is it about to; or did it stand there before? */
err_t db_remove_is_named(struct db *db, struct arena *a, struct str id_scope, const struct str *registration_keys,
                         size_t count, struct str host, struct str device_id, bool *ret);

#endif
