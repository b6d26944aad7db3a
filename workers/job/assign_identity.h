/* assign_identity.h: identities of devices and their twins as a hub's API writes them: what an assignment tells a hub,
 * and what it reads off one. What belongs to the hub's operator stays theirs (decisions.md 27): a change writes
 * credentials alone, a move takes status and reason along, and capabilities and twin as the enrollment says (wire.md
 * 7.3). No calls are made here. */
#ifndef IDSCOPE_JOB_ASSIGN_IDENTITY_H
#define IDSCOPE_JOB_ASSIGN_IDENTITY_H

#include "core/seal.h"
#include "workers/job/assign.h"

/* Does the device leave another hub, and do its data go along? */
bool identity_moves(const struct assign_item *item);
bool identity_takes_data(const struct assign_item *item);

/* Adds the members of an identity that is to be made; `twin`: with what its twin begins with, as bulk calls may say.
 * SEAL_BROKEN: the stored attestation does not open. */
err_t identity_create(struct arena *a, const struct key_ring *ring, const struct assign_item *item, bool twin,
                      struct text *out);
/* The same of one that is there: what is read back whole when it was read, else only what is to change. */
err_t identity_change(struct arena *a, const struct key_ring *ring, const struct assign_item *item, struct text *out);

/* Does the identity on the hub, as it was read, need no change? */
bool identity_is_current(struct arena *a, const struct key_ring *ring, const struct assign_item *item);

/* Keeps what goes along of the identity that the device moves from. */
void identity_carry(struct arena *a, struct str document, struct assign_item *item);
void identity_carry_twin(struct arena *a, struct str document, struct assign_item *item);

/* What becomes of the twin of an identity that was made by a call of its own, or was there. */
enum assign_twin identity_twin_of_made(const struct assign_item *item);
enum assign_twin identity_twin_of_found(const struct assign_item *item);
/* The body that writes it. */
struct str identity_twin(struct arena *a, const struct assign_item *item);
/* Did nobody write to this twin yet? */
bool identity_twin_is_blank(struct str document);

#endif
