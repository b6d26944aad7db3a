/* misuse.h: was a refused token signed with the right key, but used in one of the ways in which devices use keys
 * wrongly? Each way is tried by making the token as the mistaken device would have: for a hundred hashes. */
#ifndef IDSCOPE_ATTEST_MISUSE_H
#define IDSCOPE_ATTEST_MISUSE_H

#include "core/attest/attest.h"
#include "core/sas.h"

/* A token that is looked into. */
struct suspicion {
    struct arena *a;
    const struct sas *token;
    const struct attest_claim *claim;
};

/* The key that the device should have signed with, or derived its own from. */
struct right_key {
    const char *name; /* in words: `the primary key` */
    struct bytes key; /* n 0: there is none */
    bool derives;     /* it is a group's */
};

/* Is it signed as it should be: with the key itself, or with what derives from it for the device's id as it was sent or
 * in small letters? */
bool misuse_absent(const struct suspicion *s, const struct right_key *right);

/* What was done wrongly with the key, as a sentence; absent: nothing that is known. */
struct str misuse_of(const struct suspicion *s, const struct right_key *right);
/* The same of what derives from a group's key: derived for another text, which may be one of `ids`, or used wrongly
 * itself. */
struct str misuse_of_derived(const struct suspicion *s, const struct right_key *of, struct str_list ids);

/* What a device sent, fit for a sentence. */
struct str misuse_quoted(struct arena *a, struct str s);

#endif
