/* leaf.c: makes the certificates that devices of the benchmark present (leaf.h). It must never be linked into a
 * program of the service. */
#include "leaf.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { SERIAL_BYTES = 15, LIFE_S = 86400 };

static bool read_all(FILE *f, struct authority *a)
{
    X509 *one;
    a->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    a->chain = sk_X509_new_null();
    while (a->chain && (one = PEM_read_X509(f, NULL, NULL, NULL)))
        if (!sk_X509_push(a->chain, one))
            return false;
    a->certificate = a->chain ? sk_X509_value(a->chain, 0) : NULL;
    a->leaf_key = EVP_EC_gen("P-256");
    return a->key && a->certificate && a->leaf_key && X509_check_private_key(a->certificate, a->key) == 1;
}

bool authority_read(const char *path, struct authority *ret)
{
    FILE *f = fopen(path, "r");
    *ret = (struct authority){NULL, NULL, NULL, NULL};
    bool done = f && read_all(f, ret);
    if (f)
        fclose(f);
    return done;
}

void authority_free(struct authority *a)
{
    EVP_PKEY_free(a->key);
    EVP_PKEY_free(a->leaf_key);
    sk_X509_pop_free(a->chain, X509_free);
}

static bool set_serial(X509 *c)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool done = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
    BN_free(n);
    return done;
}

static bool add_extension(X509 *c, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool done = e && X509_add_ext(c, e, -1) == 1;
    X509_EXTENSION_free(e);
    return done;
}

static bool fill(X509 *c, const struct authority *a, struct str cn)
{
    X509_NAME *name = X509_get_subject_name(c);
    return X509_set_version(c, X509_VERSION_3) == 1 && set_serial(c) &&
           X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn.p, (int)cn.n, -1,
                                      0) == 1 &&
           X509_set_issuer_name(c, X509_get_subject_name(a->certificate)) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(c), -LIFE_S) && X509_gmtime_adj(X509_getm_notAfter(c), LIFE_S) &&
           X509_set_pubkey(c, a->leaf_key) == 1 && add_extension(c, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(c, NID_key_usage, "critical,digitalSignature") &&
           add_extension(c, NID_ext_key_usage, "clientAuth") && X509_sign(c, a->key, EVP_sha256()) > 0;
}

X509 *leaf_new(const struct authority *a, struct str cn)
{
    X509 *c = X509_new();
    if (c && !fill(c, a, cn)) {
        X509_free(c);
        return NULL;
    }
    return c;
}

bool leaf_present(SSL *ssl, const struct authority *a, X509 *leaf)
{
    return SSL_use_cert_and_key(ssl, leaf, a->leaf_key, a->chain, 1) == 1;
}
