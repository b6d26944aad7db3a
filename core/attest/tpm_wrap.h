/* tpm_wrap.h: hands a key to a TPM so that no other can take it in: TPM2_MakeCredential for its endorsement key and the
 * name of its storage root key, and a duplicate of the key for that storage root key, which the device activates and
 * imports. It needs no TPM of our own, and the answer of none. */
#ifndef IDSCOPE_TPM_WRAP_H
#define IDSCOPE_TPM_WRAP_H

#include "core/attest/tpm_public.h"

enum { TPM_KEY_BYTES = 32 };

/* The blob of wire.md 4.6 for an HMAC key of at most 64 bytes; each call gives another one. False: one of the public
 * areas is of no key that RSA can be done with. */
bool tpm_wrap(struct arena *a, const struct tpm_public *endorsement, const struct tpm_public *root, struct bytes key,
              struct bytes *ret);

#endif
