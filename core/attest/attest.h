/* attest.h: attestation, that is how a device proves who it is: one value with a type, sealed as one in its row.
 * What differs between the types stands in attest.def and one file per type; everybody else calls these functions and
 * knows of no type. Pure; everything that is opened lives in the arena of the caller. */
#ifndef IDSCOPE_ATTEST_H
#define IDSCOPE_ATTEST_H

#include "core/attest/presented.h"
#include "core/model.h"
#include "core/seal.h"

/* An attestation as its row holds it. */
struct attest_stored {
    struct str id_scope, key; /* its row's, both in lower case */
    bool of_group;            /* the row is an enrollment group */
    struct str derived_from;  /* of a group's device: the spelling of its id that its keys are derived from; absent: the
                                 row's own keys */
    int type;                 /* enum attestation_type; ATTEST_ABSENT: a word that this program does not know */
    struct bytes sealed;      /* its canonical bytes, sealed for the row and the type; p NULL: there is none */
    struct x509_references ca; /* of one that is to be written: the CA certificates of its instance that it names, in
                                  lower case; absent: none */
};

/* The same with what opens it. */
struct attest_row {
    const struct key_ring *ring;
    struct attest_stored stored;
};

/* --- what a client of the service plane sends and is shown -------------------------------------------------------- */

/* Can it be stored: is its type one of attest.def, has it members of its own type only? BAD_FIELD names the member. */
err_t attest_form(struct arena *a, const struct attestation *in, struct err_detail *d);

/* Can an enrollment group, or else a device's own enrollment, have it? BAD_FIELD names the member; `in` has passed
 * attest_form. */
err_t attest_fits(const struct attestation *in, bool of_group, struct err_detail *d);

/* How much of the stored attestation an update leaves as it is: clients send back what a GET gave them, and it gives no
 * secrets. `in` has passed attest_form. */
enum attest_kept { ATTEST_KEEPS_NOTHING, ATTEST_KEEPS_SOME, ATTEST_KEEPS_ALL };
enum attest_kept attest_kept(const struct attestation *in);

/* Makes what is to be stored in the row out of what was sent. Secrets that were left out are those of row->stored, or
 * new when it holds none; `in` has passed attest_form. BAD_FIELD names the member; SEAL_BROKEN when row->stored is
 * needed and does not open. */
err_t attest_seal(struct arena *a, const struct attest_row *row, const struct attestation *in, struct err_detail *d,
                  struct attest_stored *ret);

/* The attestation with its secrets in clear. SEAL_BROKEN, with the reason in `d` for the log, when its type is unknown
 * or it does not open. */
err_t attest_show(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret);
/* The same with its secrets left out, as everybody sees it who may read the enrollment. */
err_t attest_mask(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret);

/* --- a device registers ------------------------------------------------------------------------------------------- */

/* The CA certificates of an instance, which its enrollments may name. */
struct attest_ca {
    struct str name_key;   /* in lower case */
    bool is_verified;      /* others are nobody's anchors */
    struct bytes der, crl; /* crl: what it has revoked; p NULL: nothing is known of that */
};
struct attest_cas {
    const struct attest_ca *at;
    size_t count;
};

/* What a device says of itself, and when. */
struct keypair;
struct attest_claim {
    const struct presented *presented;
    struct str id_scope, registration_id; /* as they were sent */
    int64_t now_us;
    const struct keypair *handed; /* keys that its TPM was handed and may sign with (nonces); NULL: none */
    const struct attest_cas *cas; /* of its instance; NULL: none */
};

/* Does what the device presented prove that it is the enrollment's? UNAUTHORIZED otherwise, for whatever reason; the
 * reason goes to `d` for the log only. CHALLENGE: it proves nothing yet, and is to be handed a nonce to sign with. A
 * row that stores nothing stands for an id that is not enrolled: what was presented is checked all the same, and
 * refused whatever comes out. SEAL_BROKEN as above. */
err_t attest_check(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                   struct err_detail *d);

/* The same of whichever row. A group's device proves that it has a key that is derived from one of the group's and from
 * its id, as it sent it or in lower case (decisions.md 5): *ret_derived_from is what fitted, absent where the
 * enrollment is the device's own. */
err_t attest_admit(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                   struct err_detail *d, struct str *ret_derived_from);

/* Of which type would be a group that makes good what was presented? ATTEST_ABSENT: none could. */
int attest_group_type(struct arena *a, const struct attest_claim *claim);
/* Could a key that is not known yet make good the token that was presented? */
bool attest_may_be_signed(struct arena *a, const struct attest_claim *claim);

/* Is it a device's own enrollment, and admits whom CA certificates of the instance vouch for that it names? */
bool attest_names_cas(struct arena *a, const struct attest_row *row);

/* Of an instance's groups that trust certificates, or of one enrollment that names CAs, the one whose CA stands nearest
 * to the leaf that was presented decides: *ret is its place. UNAUTHORIZED, with the reason in `d`, when it refuses or
 * there is none; of groups that do not open none decides. Then *ret is whose reason that is (`count`: nobody's), and
 * ret_reasons has that of each. Otherwise it holds until *ret_until_us, if that is not NULL. */
err_t attest_nearest(struct arena *a, const struct attest_row *rows, size_t count, const struct attest_claim *claim,
                     struct err_detail *d, struct err_detail *ret_reasons, size_t *ret, int64_t *ret_until_us);

/* A device whose credential is good may have sent a member that its enrollment's type has no use for: BAD_FIELD, and
 * `d` names it, for the device. */
err_t attest_body(const struct attest_stored *stored, const struct presented *p, struct err_detail *d);

/* The part of the check that is cheap, for who leaves a dear one to others: UNAUTHORIZED when it refuses already, so
 * that a stranger's refusal takes no longer than that of an id that is not enrolled. NULL does not admit. */
err_t attest_refuse(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                    struct err_detail *d);

/* What the check of such a row costs: no more than a few hashes, so that whole batches of them wait for nobody; or
 * signatures and chains, which must not hold up the cheap ones. What the lanes make of it: api/lane.c. A row that
 * stores nothing, or what is not known, is cheap. */
enum attest_cost { ATTEST_CHEAP, ATTEST_DEAR };
enum attest_cost attest_cost(const struct attest_stored *stored);

/* What a good check leaves for the hub's identity that the row does not say: which of the certificates it was, as its
 * SHA-256. The registration keeps it; p NULL: the row says all. */
struct bytes attest_evidence(struct arena *a, const struct attest_stored *stored, const struct presented *presented);

/* What an assigned device is told of that by which it was admitted; `group` is the enrollment group's id, if it was
 * one.
 */
void attest_tell(struct arena *a, const struct attest_stored *stored, struct str group, struct registration_state *to);

/* Are its devices handed keys that only they can take in? */
bool attest_is_handed(const struct attest_stored *stored);
/* What a device of such an enrollment is handed, as text: the key, or with `key` p NULL the one that it has at its hub.
 * `root`: the public area of the storage root key that it showed, for enrollments without one. UNAUTHORIZED when it is
 * of no use; SEAL_BROKEN as above. */
err_t attest_hand(struct arena *a, const struct attest_row *row, struct bytes root, struct bytes key,
                  struct err_detail *d, struct str *ret);

/* A nonce: a key that was made for one device and one time, sealed for its row and for that device. */
struct attest_nonce {
    struct sha256 device; /* of what tells the device from others */
    struct bytes sealed;
};
err_t attest_nonce_new(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attest_nonce *ret);
/* *ret p NULL: it was made for a device that the enrollment had before. SEAL_BROKEN as above. */
err_t attest_nonce_open(struct arena *a, const struct attest_row *row, const struct attest_nonce *nonce,
                        struct err_detail *d, struct bytes *ret);

/* What the hub that gets the device is told: how the device will prove there who it is. SEAL_BROKEN as above. */
err_t attest_hub_identity(struct arena *a, const struct attest_row *row, struct bytes evidence, struct err_detail *d,
                          struct hub_authentication *ret);

#endif
