/* x509_chain.h: does the chain that a device presented lead to a certificate that somebody trusts for it? Pure: what is
 * trusted is an argument, and nothing else is. */
#ifndef IDSCOPE_X509_CHAIN_H
#define IDSCOPE_X509_CHAIN_H

#include "core/attest/attest.h"

/* What one group trusts, in DER: its signing certificates, roots or intermediates; and what the CAs below them, or they
 * themselves, have revoked. */
struct x509_trust {
    const struct bytes *anchors, *crls;
    size_t anchor_count, crl_count;
};

enum { X509_CHAIN_MOST = 8 }; /* certificates above the leaf that are looked at */

/* Of those who trust the chain, *ret is the one whose signing certificate stands nearest to the leaf (wire.md 7.4): it
 * alone decides. UNAUTHORIZED, with the reason in `d` for the log, when there is none, or when the leaf and what leads
 * to that certificate are not good at this moment, not for this purpose, or not of the registration id. Then *ret is
 * whose reason that is (`count`: nobody's), and ret_reasons, if it is not NULL, has that of each. Otherwise it holds
 * until *ret_until_us, if that is not NULL: until then no certificate of the chain expires. */
err_t x509_chain_check(struct arena *a, const struct attest_claim *claim, const struct x509_trust *trusts, size_t count,
                       struct err_detail *d, struct err_detail *ret_reasons, size_t *ret, int64_t *ret_until_us);

#endif
