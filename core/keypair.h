/* keypair.h: a primary and a secondary key: of a device, of a policy, of a link to a hub. Two, so that one can be
 * renewed while the other works. Read from what clients send, sealed for their row, opened again; the only place that
 * knows that they are sealed apart, as the parts "primary" and "secondary" of their row (core/seal.h). */
#ifndef IDSCOPE_KEYPAIR_H
#define IDSCOPE_KEYPAIR_H

#include "model.h"
#include "seal.h"

struct keypair {
    struct bytes primary, secondary; /* raw key bytes; p NULL: there is no such key */
};

/* Nobody's keys: what is signed in a name that does not exist is checked with them, and refused whatever comes out, so
 * that time does not tell which names exist. */
extern const struct keypair keypair_of_nobody;

struct keypair_sealed {
    struct bytes primary, secondary; /* p NULL: there is no such key */
};

/* Keys as clients send them (base64, KEY_BYTES in limits.def, pasted with white space around them or not); one that is
 * absent or empty is made new, of `new_bytes`. BAD_FIELD names `member`.primaryKey or `member`.secondaryKey in `d`. */
err_t keypair_read(struct arena *a, const struct symmetric_key *in, const char *member, size_t new_bytes,
                   struct err_detail *d, struct keypair *ret);
/* The other way: base64, an absent key stays absent. */
struct symmetric_key keypair_text(struct arena *a, const struct keypair *k);

/* The first eight hex digits of the key's SHA-256: two sides that each have a key can compare them without telling
 * them.
 */
struct str keypair_check_word(struct arena *a, struct bytes key);

/* Absent keys stay absent in both directions. */
struct keypair_sealed keypair_seal(struct arena *a, const struct key_ring *ring, const struct seal_id *row,
                                   const struct keypair *k);
/* SEAL_BROKEN when one of them does not open (core/seal.h). */
err_t keypair_open(struct arena *a, const struct key_ring *ring, const struct seal_id *row,
                   const struct keypair_sealed *sealed, struct keypair *ret);

#endif
