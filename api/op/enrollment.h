/* enrollment.h: what the operations on the enrollment list share. */
#ifndef IDSCOPE_OP_ENROLLMENT_H
#define IDSCOPE_OP_ENROLLMENT_H

#include "api/op/service.h"
#include "api/shared.h"
#include "db/enrollment.h"

/* A kind of entry: individual enrollments, or enrollment groups (enrollment_kind.c). */
struct enrollment_kind {
    bool of_group;
    const struct codec *codec;
    const char *id;        /* the member that names an entry */
    const char *all;       /* … and the one that holds many of them */
    err_t missing, exists; /* what is said of an entry */
};

extern const struct enrollment_kind kind_enrollment, kind_enrollment_group;

/* The operations, for either kind. */
err_t enrollment_get(struct call *r, const struct enrollment_kind *kind);
err_t enrollment_attestation(struct call *r, const struct enrollment_kind *kind);
err_t enrollment_put(struct call *r, const struct enrollment_kind *kind);
err_t enrollment_delete(struct call *r, const struct enrollment_kind *kind);
err_t enrollment_bulk(struct call *r, const struct enrollment_kind *kind);

/* What is stored and does not open is nothing that the client did: the operator has to know. */
err_t enrollment_unopened(err_t e);
/* Adds members of our own, which tell the keys that are stored without showing them, for who asked for such. */
void enrollment_extend(struct call *r, struct arena *a, const struct attest_row *stored, struct attestation *shown);
/* Opens the definition of its custom allocation, where it has one. SEAL_BROKEN. */
struct bytes enrollment_seal_webhook(struct call *r, const struct enrollment_key *of, const struct enrollment *e);
err_t enrollment_open_webhook(struct call *r, struct arena *a, struct enrollment_row *row);
/* The row as clients see it, its attestation as the caller has set it, with what became of its device. */
const struct enrollment *enrollment_shown(struct call *r, struct arena *a, struct enrollment_row *row);

/* Can it be written? Drops what clients send for nothing, and fills in what is left open. */
err_t enrollment_check(struct call *r, const struct enrollment_kind *kind, struct enrollment *e);

/* A write of one entry. */
struct enrollment_write {
    const struct enrollment_kind *kind;
    struct enrollment_guard guard; /* the key from the beginning; the rest by enrollment_set_guard */
    enum match match;              /* what it asks of the row that is there, whose etag is */
    struct uuid tag;
    struct uuid merged; /* etag of the row whose attestation a part was taken from */
    bool retyped;       /* the attestation that is there is of another type: nothing of it is kept */
    struct enrollment body;
};
/* What the write is checked against, as the gate has it now. */
void enrollment_set_guard(struct call *r, struct enrollment_write *w);
/* The same, and the row that is to be written. */
err_t enrollment_make_row(struct call *r, struct enrollment_write *w, struct enrollment_row *ret);
/* Why nothing was written, in the order of wire.md 3.2; NULL when it was. */
err_t enrollment_refusal(struct call *r, struct enrollment_write *w, const struct enrollment_outcome *o);

#endif
