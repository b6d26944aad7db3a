/* challenge.h: devices that are handed keys (core/attest): what of it is open and what was met, for those of a batch.
 * Which of them are told of, and when, their operations say (api/op/register.c). */
#ifndef IDSCOPE_OP_CHALLENGE_H
#define IDSCOPE_OP_CHALLENGE_H

#include "api/call.h"
#include "core/attest/attest.h"
#include "core/keypair.h"
#include "db/challenge.h"

/* Of one device. */
struct challenge {
    struct call *call; /* one of its calls */
    struct db_device device;
    struct attest_row row;
    struct db_challenge_found found;
    struct keypair open, met; /* the nonce, alone, in clear; p NULL: there is none */
    err_t error;              /* why nothing can be told of it */

    bool wanted;         /* a call is to be told the open nonce: without one, one is opened */
    struct call *prover; /* whose token is good by the open nonce */
    bool spent;          /* which is thereby met; from then on the proof stands here, and `open` is another one */
    struct keypair proof;
};

/* Has the device of this call challenges, and is this the place to ask for them? */
bool challenge_concerns(const struct call *r, const struct attest_stored *stored);
struct challenge *challenge_new(struct arena *a, struct call *r, const struct db_device *device,
                                const struct attest_stored *stored);

/* What a token of a register of this call must be signed with. */
const struct keypair *challenge_key(const struct challenge *c);

/* Finds what is open and what was met. */
err_t challenges_read(struct db *db, struct arena *a, struct challenge **at, size_t count);
/* Has each nonce that proved something met, once: whose is not `spent` then lost against another. Opens what is wanted
 * and not open. Devices are sorted. */
err_t challenges_write(struct db *db, struct arena *a, struct challenge **at, size_t count);

/* 401 with the open nonce, as only the device's TPM can take it in. */
err_t challenge_reply(struct call *r, const struct challenge *c);
/* The key that the device has at its hub, in the same way. */
err_t challenge_hub_key(struct call *r, const struct challenge *c, struct str *ret);

#endif
