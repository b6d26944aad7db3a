/* diagnose.h: which mistake a device made whose SAS token was refused, for the log of its tenant. Tried are the
 * mistakes that are made: for hundreds of hashes, so never on a lane. Pure; it judges nobody (symmetric.c does), and
 * its words hold no secret: keys are told by their check words. */
#ifndef IDSCOPE_ATTEST_DIAGNOSE_H
#define IDSCOPE_ATTEST_DIAGNOSE_H

#include "core/attest/attest.h"
#include "core/keypair.h"

/* Keys that a device may have been given in the place of its own. */
struct attest_suspect {
    struct str whose; /* in words: `policy "x" of the instance` */
    struct keypair keys;
};

/* The symmetric keys of a row. False: it stores none, or does not open. */
bool attest_keys(struct arena *a, const struct attest_row *row, struct keypair *ret);

/* What tells them without showing them. False: as above. */
bool attest_check_words(struct arena *a, const struct attest_row *row, struct check_words *ret);

/* What is wrong with the token of a device whose enrollment has the keys `own`; absent when that is not known, or when
 * there is no token to read. */
struct str attest_diagnose(struct arena *a, const struct keypair *own, const struct attest_claim *claim,
                           const struct attest_suspect *suspects, size_t count);
/* The same of a device without an enrollment of its own: what it asked for, or whose key it signed with. */
struct str attest_diagnose_stranger(struct arena *a, const struct attest_claim *claim,
                                    const struct attest_suspect *suspects, size_t count);

#endif
