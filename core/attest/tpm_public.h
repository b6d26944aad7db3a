/* tpm_public.h: public areas of a TPM 2.0's keys, as devices and operators send them. Only keys of the form that the
 * endorsement key and the storage root key of every TPM have by default are taken: what else a TPM can hold, nothing
 * can be wrapped for by the one recipe that clients know (tpm_wrap.h). */
#ifndef IDSCOPE_TPM_PUBLIC_H
#define IDSCOPE_TPM_PUBLIC_H

#include "core/crypt.h"

struct tpm_public {
    struct bytes area;    /* TPMT_PUBLIC: two keys are the same when these bytes are */
    struct bytes modulus; /* RSA2048_BYTES, odd, its first bit set */
};

/* Takes a TPM2B_PUBLIC, or a TPMT_PUBLIC as it is: a storage key of RSA-2048 with SHA-256 and AES-128-CFB. What it
 * gives points into `in`. NULL, or what is wrong as the rest of a sentence ("it is cut short"). */
const char *tpm_public_parse(struct bytes in, struct tpm_public *ret);

/* The same in base64. BAD_FIELD names the member. */
err_t tpm_public_read(struct arena *a, struct str base64, const char *member, struct err_detail *d,
                      struct tpm_public *ret);

#endif
