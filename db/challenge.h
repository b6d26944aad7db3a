/* db/challenge.h: challenges of devices that are handed keys (db/sql/challenge.sql). Every call serves a batch;
 * those that write want it sorted by db_device_compare and without duplicates. */
#ifndef IDSCOPE_DB_CHALLENGE_H
#define IDSCOPE_DB_CHALLENGE_H

#include "db/device.h"

struct db_challenge_found {
    int64_t n;                /* its place among those that were asked for, from 1; 0: there is none */
    struct sha256 device;     /* that both were made for */
    struct bytes open_sealed; /* p NULL: none is open */
    bool lasts;               /* it lives for `least_ms` more */
    struct bytes met_sealed;  /* p NULL: none was met of late */
    struct bytes met_root;    /* what the device showed with it; p NULL: nothing */
};

/* ret[i] belongs to at[i]. */
err_t db_challenge_look(struct db *db, struct arena *a, const struct db_device *at, size_t count, int64_t least_ms,
                        struct db_challenge_found *ret);

struct db_challenge_fresh {
    struct db_device device;
    int64_t scope_version;
    struct attest_nonce nonce;
    bool opened; /* set by the call: false when another one was opened at the same time, or the instance changed */
};
err_t db_challenge_open(struct db *db, struct arena *a, struct db_challenge_fresh *at, size_t count, int64_t lives_ms,
                        int64_t least_ms);

struct db_challenge_proof {
    struct db_device device;
    struct bytes sealed, root; /* as they were found open, and as they were shown */
    bool met;                  /* set by the call: false when it was met already, or is over */
};
err_t db_challenge_meet(struct db *db, struct arena *a, struct db_challenge_proof *at, size_t count, int64_t lives_ms);

#endif
