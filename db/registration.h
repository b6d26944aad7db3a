/* registration.h: registrations as the service plane sees them (db/sql/registration.sql). */
#ifndef IDSCOPE_DB_REGISTRATION_H
#define IDSCOPE_DB_REGISTRATION_H

#include "core/attest/attest.h"
#include "db/db.h"

/* A registration with what its etag is made from. */
struct registration_row {
    struct registration_state state; /* without its etag; while assigning, error_message is what it waits for */
    struct uuid operation;
    int64_t revision;
};

/* Its columns, in whichever row it stands as `at`, named with `as` before. */
#define REGISTRATION_COLS(at, as)                                                                                      \
    COL_AS(at state.registration_id, as "registration_id"), COL_AS(at operation, as "operation_id"),                   \
        COL_AS(at revision, as "revision"), COL_WORD_AS(at state.status, registration_status_words, as "status"),      \
        COL_WORD_AS(at state.substatus, registration_substatus_words, as "substatus"),                                 \
        COL_AS(at state.assigned_hub, as "assigned_hub"), COL_AS(at state.device_id, as "device_id"),                  \
        COL_AS(at state.enrollment_group_id, as "enrollment_group_id"), COL_AS(at state.error_code, as "error_code"),  \
        COL_AS(at state.error_message, as "error_message"), COL_TIME(at state.created_us, as "created_at"),            \
        COL_TIME(at state.updated_us, as "updated_at")

/* *ret is zeroed when it is not found. */
err_t db_registration_find(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                           bool *ret_found, struct registration_row *ret);

/* A stretch of the registrations of an enrollment group, in the order of their keys. */
struct registration_stretch {
    struct str id_scope, group; /* in lower case */
    struct str from, last;      /* from behind a key to another */
    int64_t limit;
};
err_t db_registration_list(struct db *db, struct arena *a, const struct registration_stretch *s,
                           struct registration_row **ret, size_t *ret_count);

/* A stretch of an instance's registrations, in the order of one member and then of the key, from behind a place up (or
 * down) to the last value. */
enum registration_order { REGISTRATIONS_BY_ID, REGISTRATIONS_FAILED, REGISTRATIONS_BY_GROUP };
struct registration_span {
    struct str id_scope;
    enum registration_order by;
    bool down; /* by id alone */
    struct str value, key, last;
    int64_t limit;
};
err_t db_registration_list_all(struct db *db, struct arena *a, const struct registration_span *s,
                               struct registration_row **ret, size_t *ret_count);

/* What a delete is checked against. */
struct registration_guard {
    struct str id_scope;
    int64_t scope_version;
    struct str registration_key;
    const struct registration_row *as; /* as it must be; NULL: whatever it is */
    int64_t remove_after_ms;           /* until then a worker may be making the identity (the lease of jobs) */
};
/* Forgets the registration and its running assignment. */
struct registration_outcome {
    bool live; /* false: the instance is not what it was checked against */
    bool gone; /* false: nothing was forgotten; the registration changed, went meanwhile, or never was */
};
err_t db_registration_delete(struct db *db, struct arena *a, const struct registration_guard *g,
                             struct registration_outcome *ret);

/* A device that registered, and the enrollment that admits it, nothing when that is gone. */
struct registration_member {
    struct str registration_id;
    struct attest_stored attestation;
    struct bytes evidence;
};
err_t db_registration_member(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                             bool *ret_found, struct registration_member *ret);

/* Blocks a device, or ends that. */
struct registration_block {
    bool blocked;
    struct str registration_id; /* of an enrollment that is added for a group's device, with its sealed keys; absent: */
    struct bytes keys_sealed;   /* none is */
};
struct block_outcome {
    bool live;    /* false: the instance is not what it was checked against */
    bool found;   /* there was an enrollment of its own */
    bool written; /* its, or the one that was added */
};
err_t db_registration_block(struct db *db, struct arena *a, const struct registration_guard *g,
                            const struct registration_block *b, struct block_outcome *ret);

/* The inputs of the last choice: their hash and canonical text; absent while there was none. */
struct registration_input {
    struct str registration_id;
    struct bytes hash;
    struct str input;
};
err_t db_registration_input(struct db *db, struct arena *a, struct str id_scope, struct str registration_key,
                            bool *ret_found, struct registration_input *ret);

#endif
