/* x509_crl.h: what a CA says that it has revoked (a CRL): whose it is, and whether it may take another one's place.
 * Pure. */
#ifndef IDSCOPE_X509_CRL_H
#define IDSCOPE_X509_CRL_H

#include "core/attest/x509_cert.h"

#define X509_CRL_CLEANUP __attribute__((cleanup(x509_crl_cleanup)))
static inline void x509_crl_cleanup(X509_CRL **crl)
{
    X509_CRL_free(*crl);
}

/* NULL: it is none, or more than one. */
X509_CRL *x509_crl_open(struct bytes der);
/* Is it of this CA's name, and signed with its key? */
bool x509_crl_is_of(X509_CRL *crl, X509 *ca);

/* The CRL in a body, DER or PEM, which is to be one of the CA's, and no older than the one that is stored (p NULL:
 * none). BAD_FIELD, or for an older one CONFLICT, with the rule. */
err_t x509_crl_read(struct arena *a, struct str body, struct bytes ca, struct bytes stored, struct err_detail *d,
                    struct bytes *ret_der);

/* What is shown of it. */
struct x509_crl_info {
    struct str issuer, number; /* number: in hex; absent: it has none */
    int64_t this_us, next_us;  /* next 0: it does not say */
    int64_t revoked;
};
/* False: it cannot be read. */
bool x509_crl_info(struct arena *a, struct bytes der, struct x509_crl_info *ret);

#endif
