/* attest.h: does the credential that a device presents fit its enrollment? Pure. Individual enrollments with symmetric
 * keys; X.509 and TPM have their place beside this when they come. */
#ifndef IDSCOPE_ATTEST_H
#define IDSCOPE_ATTEST_H

#include "core/keypair.h"
#include "core/sas.h"

/* A group device's key: HMAC-SHA256(key of the group, registration id). */
struct sha256 attest_derive(struct bytes group_key, struct str registration_id);

/* Checks an Authorization header against an individual enrollment's keys: well formed, resource
 * `{id_scope}/registrations/{registration_id}` (segments ignoring case), alive, skn absent or "registration", signed
 * with either key. UNAUTHORIZED otherwise; the reason goes to `d` for the log only: a device is
 * told the same for an unknown id, a wrong key and a wrong resource. */
err_t attest_symmetric(struct arena *a, struct str authorization, struct str id_scope, struct str registration_id,
                       const struct keypair *keys, int64_t now_us, struct err_detail *d);

#endif
