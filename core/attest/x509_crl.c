/* x509_crl.c: certificate revocation lists, read by OpenSSL. It must never take one for a CA's by its name alone, nor
 * let an older one give back what a newer one took. */
#include "core/attest/x509_crl.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "core/limits.h"

X509_CRL *x509_crl_open(struct bytes der)
{
    const unsigned char *at = der.p;
    X509_CRL *crl = der.n && der.n <= CRL_MOST ? d2i_X509_CRL(NULL, &at, (long)der.n) : NULL;
    ERR_clear_error(); /* a queue that others read too */
    if (!crl || at == der.p + der.n)
        return crl;
    X509_CRL_free(crl);
    return NULL;
}

bool x509_crl_is_of(X509_CRL *crl, X509 *ca)
{
    bool good = X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0 &&
                X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
    ERR_clear_error();
    return good;
}

/* --- what comes --------------------------------------------------------------------------------------------------- */

static X509_CRL *from_pem(struct str body)
{
    BIO *in = BIO_new_mem_buf(body.p, (int)body.n);
    crypt_must(in, "BIO_new_mem_buf");
    X509_CRL *crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);
    BIO_free(in);
    ERR_clear_error();
    return crl;
}

static bool to_der(struct arena *a, X509_CRL *crl, struct bytes *ret)
{
    unsigned char *der = NULL;
    int n = i2d_X509_CRL(crl, &der);
    ERR_clear_error();
    if (n <= 0)
        return false;
    *ret = str_bytes(arena_copy(a, (const char *)der, (size_t)n));
    OPENSSL_free(der);
    return true;
}

/* The number that the CA gave it; NULL: none. To be freed. */
static ASN1_INTEGER *number_of(X509_CRL *crl)
{
    ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    ERR_clear_error();
    return n;
}

/* By their numbers, where both have one; else by when they were made. */
static bool is_older(X509_CRL *crl, X509_CRL *than)
{
    ASN1_INTEGER *n = number_of(crl), *before = number_of(than);
    bool older = n && before ? ASN1_INTEGER_cmp(n, before) < 0
                             : ASN1_TIME_compare(X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_lastUpdate(than)) < 0;
    ASN1_INTEGER_free(n);
    ASN1_INTEGER_free(before);
    return older;
}

/* A part of a list would pass for the whole. */
static bool is_partial(X509_CRL *crl)
{
    return X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0 ||
           X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1) >= 0;
}

static err_t check(X509_CRL *crl, struct bytes ca, struct bytes stored, struct err_detail *d)
{
    X509 *by X509_CLEANUP = x509_cert_open(ca);
    X509_CRL *before X509_CRL_CLEANUP = x509_crl_open(stored);
    if (is_partial(crl))
        return err_say(d, E(BAD_FIELD),
                       "The CRL is a part of one (delta, or of a distribution point); send the whole.");
    if (!by || !x509_crl_is_of(crl, by))
        return err_say(d, E(BAD_FIELD), "The CRL is not signed with the key of the CA's certificate.");
    if (!ASN1_TIME_check(X509_CRL_get0_lastUpdate(crl)))
        return err_say(d, E(BAD_FIELD), "The CRL does not say when it was made.");
    if (before && x509_crl_is_of(before, by) && is_older(crl, before))
        return err_say(d, E(CONFLICT), "The CRL is older than the one that is stored.");
    return NULL;
}

err_t x509_crl_read(struct arena *a, struct str body, struct bytes ca, struct bytes stored, struct err_detail *d,
                    struct bytes *ret_der)
{
    const struct bytes raw = str_bytes(body);
    bool is_pem = body.n && memmem(body.p, body.n, "-----BEGIN ", 11);
    X509_CRL *crl X509_CRL_CLEANUP = is_pem ? from_pem(body) : x509_crl_open(raw);
    if (!crl || !to_der(a, crl, ret_der))
        return err_say(d, E(BAD_FIELD), "The body must be a CRL, in DER or PEM, of at most %d bytes.", CRL_MOST);
    if (ret_der->n > CRL_MOST)
        return err_say(d, E(BAD_FIELD), "The CRL must have at most %d bytes.", CRL_MOST);
    return check(crl, ca, stored, d);
}

/* --- what is shown ------------------------------------------------------------------------------------------------ */

static int64_t time_us(const ASN1_TIME *t)
{
    struct tm tm;
    return t && ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) * 1000000 : 0;
}

bool x509_crl_info(struct arena *a, struct bytes der, struct x509_crl_info *ret)
{
    X509_CRL *crl X509_CRL_CLEANUP = x509_crl_open(der);
    if (!crl)
        return false;
    ASN1_INTEGER *number = number_of(crl);
    int revoked = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));
    *ret = (struct x509_crl_info){
        .issuer = x509_name_text(a, X509_CRL_get_issuer(crl)),
        .number = number ? x509_serial_text(a, number) : (struct str){NULL, 0},
        .this_us = time_us(X509_CRL_get0_lastUpdate(crl)),
        .next_us = time_us(X509_CRL_get0_nextUpdate(crl)),
        .revoked = revoked > 0 ? revoked : 0,
    };
    ASN1_INTEGER_free(number);
    return true;
}
