/* type.h: what a type of attestation is made of, for the files of core/attest alone. */
#ifndef IDSCOPE_ATTEST_TYPE_H
#define IDSCOPE_ATTEST_TYPE_H

#include "core/attest/attest.h"
#include "core/keypair.h"

/* Seals an attestation in its row. */
struct attest_stored attest_sealed(struct arena *a, const struct attest_row *row, int type, struct bytes packed);
/* Opens one. SEAL_BROKEN, with the reason in `d`. */
err_t attest_open(struct arena *a, const struct attest_row *row, struct err_detail *d, struct bytes *ret_packed);

/* Canonical bytes: a version, then each part behind its length. Unpacking gives exactly `count` parts, which point into
 * `packed`, or false: what is unpacked and packed again is the same bytes. */
struct bytes attest_pack(struct arena *a, const struct bytes *parts, size_t count);
bool attest_unpack(struct bytes packed, struct bytes *ret_parts, size_t count);

/* The token that was presented is well formed, for this registration, alive, and signed with one of the keys (p NULL or
 * no bytes: there is no such key). UNAUTHORIZED otherwise. */
err_t attest_check_token(struct arena *a, const struct attest_claim *c, const struct keypair *keys,
                         struct err_detail *d);

/* The functions of a type, each for the one of attest.h with its name. */
struct attest_type {
    bool takes_tpm;  /* `tpm` of a register's body is part of the proof */
    bool for_groups; /* a group can have it */
    err_t (*fits)(const struct attestation *in, bool of_group,
                  struct err_detail *d); /* NULL: whatever it has is good */
    enum attest_kept (*kept)(const struct attestation *in);
    /* `old`: where secrets that were left out are taken from; NULL: they are made new. */
    err_t (*pack)(struct arena *a, const struct attestation *in, const struct attest_row *old, struct err_detail *d,
                  struct bytes *ret_packed);
    /* Of types that name CA certificates: those that the bytes name; NULL for others. */
    struct x509_references (*named)(struct arena *a, struct bytes packed);
    err_t (*show)(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret);
    err_t (*mask)(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret);
    /* When the row stores nothing: the same work, then UNAUTHORIZED. */
    err_t (*check)(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                   struct err_detail *d);
    struct bytes (*evidence)(struct arena *a, const struct presented *presented); /* NULL: the row says all */
    err_t (*hub)(struct arena *a, const struct attest_row *row, struct bytes evidence, struct err_detail *d,
                 struct hub_authentication *ret);
    /* The part of a dear check that is cheap and refuses strangers; NULL: there is none. */
    err_t (*refuse)(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                    struct err_detail *d);
    /* Where its devices are told by what they were admitted; NULL, or gives NULL: nowhere. */
    struct admitted_by **(*told)(const struct attest_stored *stored, struct registration_state *to);
    /* Of types whose devices are handed keys; NULL for others. `key` p NULL: that for the hub. */
    err_t (*device)(struct arena *a, const struct attest_row *row, struct err_detail *d, struct sha256 *ret);
    err_t (*hand)(struct arena *a, const struct attest_row *row, struct bytes root, struct bytes key,
                  struct err_detail *d, struct str *ret);
};

#define ATTEST(type, functions, cost) extern const struct attest_type attest_##functions;
#include "core/attest/attest.def"
#undef ATTEST

#endif
