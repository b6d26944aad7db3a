/* attest.h: does the credential that a device presents fit its enrollment? Pure. Individual enrollments with symmetric keys
 * (dps-wire 4.4); X.509 and TPM have their place beside this when they come. */
#ifndef IDSCOPE_ATTEST_H
#define IDSCOPE_ATTEST_H

#include "sas.h"

/* Key derivation of dps-wire 4.4: HMAC-SHA256(key, registration id). */
struct sha256 attest_derive(struct bytes group_key, struct str registration_id);

struct attest_keys { struct bytes primary, secondary; };   /* raw key bytes */

/* Checks an Authorization header against an individual enrollment's keys: well formed, resource
 * `{id_scope}/registrations/{registration_id}` (segments ignoring case), alive, skn absent or "registration", signed with either
 * key. UNAUTHORIZED otherwise; the reason goes to `d` for the log only (DECISIONS 24). */
err_t attest_symmetric(struct arena *a, struct str authorization, struct str id_scope, struct str registration_id,
                       const struct attest_keys *keys, int64_t now_us, struct err_detail *d);

#endif
