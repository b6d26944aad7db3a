/* db/device.h: the statements of the device plane (db/sql/device.sql). Every call serves a batch: arrays in, one round
 * trip, and for the write one commit. Devices are named by their keys (lower case). */
#ifndef IDSCOPE_DB_DEVICE_H
#define IDSCOPE_DB_DEVICE_H

#include "db/enrollment.h"

struct db_device {
    struct str id_scope, registration_key;
};

/* By scope, then by key, byte for byte: the order of the tables' primary keys, in which rows are locked. */
int db_device_compare(const struct db_device *a, const struct db_device *b);

struct db_register_found {
    int64_t n;                        /* its place among those that were asked for, from 1 */
    struct attest_stored attestation; /* nothing: it is not enrolled, as far as is known without a group's key */
    int64_t enrollment_version, enrollment_inputs;
    bool enabled;
    int64_t now_us; /* the database's clock, which the times below are from */

    bool registered; /* false: nothing below is set */
    int64_t created_us;
    struct str enrollment_group; /* that admitted the device; absent: it has an enrollment of its own */
    struct str derived_from;     /* the id that its key derives from, in the spelling that fitted */
    bool same_credential;        /* set by who checks it: what is presented is what this registration is by */
    struct uuid operation;
    int64_t revision;
    int status;             /* enum registration_status */
    bool same_region;       /* as the api's own, or nobody knows: the hub was chosen by its distances */
    int64_t pushed_version; /* enrollment version that the hub holds; 0: none */
    int64_t chosen_enrollment_inputs, chosen_scope_inputs; /* of the last choice; 0: none, or to be chosen anew */
    int64_t checked_us, updated_us;                        /* 0: never */
    struct bytes evidence; /* of the credential that the hub is told of (attest_evidence) */
};

/* What a register in that region is checked against and decided on. ret[i] belongs to at[i]. */
err_t db_register_lookup(struct db *db, struct arena *a, struct str region, const struct db_device *at, size_t count,
                         struct db_register_found *ret);

/* An enrollment group whose keys a device's may be derived from. */
struct db_group_found {
    struct attest_stored attestation;
    struct str id; /* as it is spelled */
    int64_t enrollment_version, enrollment_inputs;
    bool enabled;
};
/* Those of the scopes with that type of attestation, at most so many of each. */
err_t db_group_lookup(struct db *db, struct arena *a, const struct str *id_scopes, size_t count, int type,
                      int64_t at_most, struct db_group_found **ret, size_t *ret_count);

/* What was decided for one device. */
struct db_register_row {
    struct db_device device;
    struct str registration_id;                /* as the device spells it */
    struct str enrollment_group, derived_from; /* as above */
    int64_t scope_version, enrollment_version; /* that it was checked against */
    bool enabled;
    struct uuid old_operation; /* the row that it was decided on; old_revision 0: there was none */
    int64_t old_revision;
    struct uuid operation;
    int status; /* assigning (gets a job), assigned (nothing changed) or disabled */
    struct str region;
    bool keep_inputs; /* false: the hub is to be chosen anew */
    struct bytes evidence;
    int64_t created_us; /* of the registration, set by the call; 0: the row lost against a change */
};

/* Writes the decisions, with the jobs that they bring, in one commit. `at` is sorted (db_device_compare) and without
 * duplicates. */
err_t db_register_write(struct db *db, struct arena *a, struct db_register_row *at, size_t count);

/* What a poll is checked against and answered from. */
struct db_poll_found {
    int64_t n;                        /* as above */
    struct attest_stored attestation; /* as above */
    int64_t now_us;
    bool registered; /* false: nothing below is set */
    struct uuid operation;
    int64_t revision;
    struct str registration_id, assigned_hub, device_id, error_message;
    struct str enrollment_group; /* as above */
    int status, substatus;       /* enum registration_status, registration_substatus */
    struct opt_i64 error_code;
    int64_t operation_us, created_us, updated_us;
};

/* ret[i] belongs to at[i]. */
err_t db_poll_lookup(struct db *db, struct arena *a, const struct db_device *at, size_t count,
                     struct db_poll_found *ret);

#endif
