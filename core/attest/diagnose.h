/* diagnose.h: which mistake a device made whose SAS token was refused, for the log of its tenant. Tried are the
 * mistakes that are made: for thousands of hashes, so never on a lane. Pure; it judges nobody (symmetric.c does), and
 * its words hold no secret: keys are told by their check words. */
#ifndef IDSCOPE_ATTEST_DIAGNOSE_H
#define IDSCOPE_ATTEST_DIAGNOSE_H

#include "core/attest/attest.h"
#include "core/keypair.h"

/* Keys that a device may have been given in the place of its own. */
struct attest_suspect {
    struct str whose; /* in words: `policy "x" of the instance`; of a group, its id */
    struct keypair keys;
};

/* What the token of a device is held against. */
struct attest_suspects {
    bool enrolled;             /* it has an enrollment of its own */
    const struct keypair *own; /* whose keys are these; NULL: it has none, or is of another type */
    struct attest_suspect *others, *groups;
    size_t other_count, group_count;
    struct str_list ids; /* of devices that are near it */
};

/* The symmetric keys of a row. False: it stores none, or does not open. */
bool attest_keys(struct arena *a, const struct attest_row *row, struct keypair *ret);

/* Those that a device of the row has for its hub alone. False: there are none. */
bool attest_hub_keys(struct arena *a, const struct attest_row *row, struct keypair *ret);

/* What tells those of a row without showing them. False: as above. */
bool attest_check_words(struct arena *a, const struct attest_row *row, struct check_words *ret);

/* What is wrong with the token; absent when that is not known, or when there is no token to read. */
struct str attest_diagnose(struct arena *a, const struct attest_claim *claim, const struct attest_suspects *all);

#endif
