/* import.h: lists on their way in (db/sql/import.sql). */
#ifndef IDSCOPE_DB_IMPORT_H
#define IDSCOPE_DB_IMPORT_H

#include "db/enrollment.h"

enum import_kind { IMPORT_KIND_ABSENT, IMPORT_ENROLLMENTS, IMPORT_GROUPS, IMPORT_REGISTRATIONS };
enum import_state {
    IMPORT_STATE_ABSENT,
    IMPORT_RECEIVING,
    IMPORT_RUNNING,
    IMPORT_WRITING, /* as a whole */
    IMPORT_SUCCEEDED,
    IMPORT_FAILED,
    IMPORT_CANCELLED
};

struct import_key {
    struct str id_scope;
    struct uuid import_id;
};

/* What was asked for. */
struct import_wish {
    struct import_key at;
    int64_t scope_version;
    int kind; /* enum import_kind */
    bool whole, dry;
    int64_t most;    /* entries of the list, with those that are there; 0: as many as one likes */
    int64_t body_ms; /* it is over when its body does not go on for so long */
};
struct import_begun {
    bool live;  /* false: the instance is not what it was checked against */
    bool begun; /* false: it has as many imports as it may */
};
err_t db_import_begin(struct db *db, struct arena *a, const struct import_wish *wish, struct import_begun *ret);

/* A row that waits to be written: an enrollment or a group, sealed for its entry; or a registration. */
struct import_row {
    struct import_key at;
    int64_t line;
    bool of_group;
    struct str key;
    struct enrollment enrollment;
    struct attest_stored attestation;
    struct bytes webhook_sealed;
    struct registration_state state;
};
/* A line that was refused. */
struct import_error {
    int64_t line;
    struct str id;
    int code;
    struct str message;
};
/* What came of one piece of the body. */
struct import_piece {
    struct import_key at;
    int kind;
    struct import_row *rows;
    struct import_error *errors;
    size_t row_count, error_count;
    int64_t before; /* rows that came in earlier pieces */
    bool last;
};
/* One commit. *ret_alive false: it was cancelled, or has lost rows that came before, and nothing is written. */
err_t db_import_receive(struct db *db, struct arena *a, const struct import_piece *piece, bool *ret_alive);

struct import {
    struct uuid import_id;
    int kind, state;
    bool whole, dry;
    int64_t received, looked, written, refused;
    struct str message;
    int64_t created_us, updated_us;
};
err_t db_import_find(struct db *db, struct arena *a, const struct import_key *at, bool *ret_found, struct import *ret);
/* The first ones, by line. */
err_t db_import_errors(struct db *db, struct arena *a, const struct import_key *at, struct import_error **ret,
                       size_t *ret_count);
/* False: it has ended, or is just being written as a whole. */
err_t db_import_cancel(struct db *db, struct arena *a, const struct import_key *at, bool *ret_cancelled);

/* --- for the worker ----------------------------------------------------------------------------------------------- */

/* One bounded step of the import that a job names. */
struct import_step {
    struct str id_scope, subject;
    int at_most;
    int64_t body_ms, keep_ms;
    int64_t settle_ms; /* between the last look at a list that is all or nothing and its being written */
};
/* *ret_next_ms: when the next is due, or one of these. */
enum { IMPORT_IS_GONE = -1, IMPORT_IS_TO_BE_WRITTEN = -2 };
err_t db_import_step(struct db *db, struct arena *a, const struct import_step *step, int64_t *ret_next_ms);

/* The next rows of one that is written as a whole: within the one transaction in which all are. */
struct import_place {
    struct str key; /* the last of them, and its line; at first "" and 0 */
    int64_t line;
    struct bytes digest; /* over all up to it; at first empty */
};
struct import_bite {
    int64_t looked, refused;
    struct import_place to;
};
err_t db_import_write(struct db *db, struct arena *a, const struct import_step *step, const struct import_place *behind,
                      struct import_bite *ret);

/* Of one that is written as a whole: its job, whose lease is next_ms from now on; what its state is or becomes, and how
 * many rows are written, with the digest over them. *ret_held false: it, its instance or the lease is gone, and nothing
 * is changed. */
struct import_move {
    struct str id_scope, subject;
    int64_t fence;
    int state; /* enum import_state */
    int64_t written;
    struct bytes digest;
    int64_t next_ms;
};
err_t db_import_move(struct db *db, struct arena *a, const struct import_move *move, bool *ret_held);

#endif
