/* enrollment.h: the enrollment list, of devices and of groups (db/sql/enrollment.sql). Every write is checked against
 * what its caller saw. */
#ifndef IDSCOPE_DB_ENROLLMENT_H
#define IDSCOPE_DB_ENROLLMENT_H

#include "core/attest/attest.h"
#include "db/registration.h"

/* The columns of an attestation, in whichever row it stands. */
#define ATTESTATION_COLS                                                                                               \
    COL(attestation.id_scope), COL(attestation.key), COL(attestation.of_group),                                        \
        COL_WORD(attestation.type, attestation_type_words), COL(attestation.sealed)

/* Those of what it does at the hub: members of an enrollment that the assignment reads. */
#define EFFECT_COLS                                                                                                    \
    COL_WORD(enrollment.allocation_policy, policy_words), COL(enrollment.iot_hubs), COL(enrollment.iot_hub_host_name), \
        COL(enrollment.reprovision_policy.update_hub_assignment),                                                      \
        COL(enrollment.reprovision_policy.migrate_device_data), COL(enrollment.capabilities.iot_edge)

/* What a write says of an entry. */
#define ENROLLMENT_WRITTEN_COLS                                                                                        \
    COL_AS(enrollment.id, "registration_id"), COL(enrollment.device_id),                                               \
        COL_WORD(attestation.type, attestation_type_words), COL(attestation.sealed),                                   \
        COL_WORD(enrollment.provisioning_status, provisioning_status_words), EFFECT_COLS,                              \
        COL_JSON(enrollment.initial_twin), COL_JSON(enrollment.optional_device_information), COL(webhook_sealed)

/* … and of what it names. */
#define ENROLLMENT_NAMED_COLS                                                                                          \
    COL_AS(attestation.ca.primary, "ca_primary"), COL_AS(attestation.ca.secondary, "ca_secondary")

/* An enrollment as it is stored: keys sealed, everything else as the service plane names it. */
struct enrollment_row {
    struct enrollment enrollment;     /* without attestation, custom allocation, etag and registration state */
    struct attest_stored attestation; /* sealed.p NULL in an update: as it is */
    struct bytes webhook_sealed;      /* customAllocationDefinition (core/webhook.h); p NULL: there is none */
    struct uuid etag;
    struct registration_row registration; /* state.status is REG_ABSENT when the device never registered */
};

/* Which entry of the list. */
struct enrollment_key {
    struct str id_scope, key; /* registration id or group id, in lower case */
    bool of_group;
};

/* The entry and, if it is a device that ever registered, what became of it. *ret is zeroed when it is not found. */
err_t db_enrollment_find(struct db *db, struct arena *a, const struct enrollment_key *at, bool *ret_found,
                         struct enrollment_row *ret);

/* A stretch of the list, in the order of one member and then of the key, from behind a place up (or down) to the last
 * value. */
enum enrollment_order {
    ENROLLMENTS_BY_ID,
    ENROLLMENTS_BY_CREATED,
    ENROLLMENTS_BY_UPDATED,
    ENROLLMENTS_BY_STATUS,
    ENROLLMENTS_BY_POLICY,
    ENROLLMENTS_BY_ATTESTATION,
    ENROLLMENTS_BY_DEVICE /* of individual ones alone */
};
struct enrollment_stretch {
    struct str id_scope;
    bool of_group;
    enum enrollment_order by;
    bool down;                   /* by id, created and updated alone */
    struct str value, key, last; /* where the order is a time: */
    int64_t value_us, last_us;
    int64_t limit;
};
err_t db_enrollment_list(struct db *db, struct arena *a, const struct enrollment_stretch *s,
                         struct enrollment_row **ret, size_t *ret_count);

/* What a write is checked against. */
struct enrollment_guard {
    struct uuid tenant_id;
    struct enrollment_key of;
    int64_t scope_version;
    const struct uuid *etag; /* that it must have; NULL: any */
    int64_t most;            /* individual enrollments of the instance; 0: as many as one likes */
};

/* Why a write happened or not; read in this order. */
struct enrollment_outcome {
    bool live;           /* false: the instance is not what it was checked against */
    bool found, matches; /* there is an enrollment, with the etag */
    struct str unlinked; /* a named hub that is not linked; absent: none */
    struct str taken_by; /* the enrollment whose device has the device id already; absent: none */
    struct str unproved; /* a CA certificate that it names, and that is not there or not verified; absent: none */
    bool retyped;        /* what is stored is of another type than what was to be kept */
    bool crowded;        /* the instance has as many groups of this type as it may */
    bool written;
};

/* Insert, or with `update` change the one that is there. When it was written *ret is the row as it stands. */
err_t db_enrollment_put(struct db *db, struct arena *a, const struct enrollment_guard *g,
                        const struct enrollment_row *e, bool update, struct enrollment_outcome *ret_outcome,
                        struct enrollment_row *ret);
/* The same for many of different keys at once, one commit: each is written or not by itself. */
struct enrollment_change {
    struct enrollment_guard guard;
    struct enrollment_row row;         /* not for a delete */
    struct enrollment_outcome outcome; /* out */
};
enum { ENROLLMENT_CHANGES_MAX = 10 };
err_t db_enrollment_put_all(struct db *db, struct arena *a, struct enrollment_change *changes, size_t count,
                            bool update);
/* Deletes entries and forgets the registrations of those that are of devices; an identity that is being made in this
 * moment is taken off its hub after remove_after_ms, the lease of jobs. */
err_t db_enrollment_delete_all(struct db *db, struct arena *a, struct enrollment_change *changes, size_t count,
                               int64_t remove_after_ms);

#endif
