/* x509_ca.c: certificates of CAs, read by OpenSSL. It must never take a name for a proof: what a certificate says of
 * its issuer counts when the issuer's key signed it. */
#include "core/attest/x509_ca.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

err_t x509_ca_read(struct arena *a, struct str text, const char *member, struct err_detail *d, struct bytes *ret_der)
{
    TRY(x509_cert_read(a, text, member, d, ret_der));
    X509 *x X509_CLEANUP = x509_cert_open(*ret_der);
    if (!x || !X509_check_ca(x))
        return err_say(d, E(BAD_FIELD), "%s is not a CA's, so it can have signed none.", member);
    return NULL;
}

static bool has_signed(X509 *ca, X509 *x)
{
    bool good = X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(ca)) == 0 &&
                X509_verify(x, X509_get0_pubkey(ca)) == 1;
    ERR_clear_error();
    return good;
}

err_t x509_ca_proved(struct arena *a, struct bytes ca, struct str code, struct str text, const char *member,
                     struct err_detail *d)
{
    struct bytes der;
    TRY(x509_cert_read(a, text, member, d, &der));
    X509 *by X509_CLEANUP = x509_cert_open(ca), *x X509_CLEANUP = x509_cert_open(der);
    if (!by || !x || !has_signed(by, x))
        return err_say(d, E(BAD_FIELD), "%s is not signed with the key of the CA's certificate.", member);
    if (!str_same_nocase(x509_cert_cn(a, x), code))
        return err_say(d, E(BAD_FIELD), "%s must have the verification code as its CN.", member);
    return NULL;
}
