/* fuzz_issue.h: certificates that fuzz drivers issue, for a moment of their own. */
#ifndef IDSCOPE_FUZZ_ISSUE_H
#define IDSCOPE_FUZZ_ISSUE_H

#include "fuzz.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "core/attest/x509_cert.h"

enum { FUZZ_NOW_S = 1800000000, FUZZ_SERIAL = 7 };

static inline void fuzz_extend(X509 *x, int which, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, which, value);
    HOLDS(e && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

/* For a device, or, signed with its own key, for a CA; good for half an hour. */
static inline struct bytes fuzz_issue(const char *name, const char *issuer, EVP_PKEY *key, EVP_PKEY *by)
{
    uint8_t *der = NULL;
    time_t now = FUZZ_NOW_S;
    X509 *x X509_CLEANUP = X509_new();
    HOLDS(X509_set_version(x, X509_VERSION_3) && X509_set_pubkey(x, key) &&
          ASN1_INTEGER_set(X509_get_serialNumber(x), FUZZ_SERIAL));
    HOLDS(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                                     0) &&
          X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)issuer, -1,
                                     -1, 0));
    HOLDS(X509_time_adj_ex(X509_getm_notBefore(x), -900, 0, &now) &&
          X509_time_adj_ex(X509_getm_notAfter(x), 900, 0, &now));
    fuzz_extend(x, NID_basic_constraints, key == by ? "critical,CA:TRUE" : "critical,CA:FALSE");
    HOLDS(X509_sign(x, by, EVP_sha256()));
    int n = i2d_X509(x, &der);
    HOLDS(n > 0);
    return (struct bytes){der, (size_t)n};
}

#endif
