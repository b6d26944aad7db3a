/* fuzz_crl.c: any bytes as a revocation list that a client uploads, and as one that a chain is held against. The CA's
 * key is known, so that the corpus has lists that it signed; what begins with "sign:" is signed here, so that what is
 * made of a list's content passes its signature. A list that is taken is one of this CA, and the same when it is read
 * again; no other CA of the name has it; and it refuses a device when it names its certificate, and then alone. */
#include "fuzz_issue.h"

#include <openssl/pem.h>

#include "core/attest/x509_chain.h"
#include "core/attest/x509_crl.h"
#include "core/limits.h"

#define ID "line7-unit042"

/* A P-256 key whose number is 0x11, 32 times. */
static const uint8_t known_key[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                    0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* The CA, another one of its name, the leaf of a device, and a list by which newer ones are judged. */
static struct run {
    EVP_PKEY *key;
    X509 *authority; /* `ca`, open */
    struct bytes ca, namesake, leaf, before;
} drawn;

static struct bytes signed_der(X509_CRL *crl)
{
    uint8_t *der = NULL;
    if (!X509_CRL_sign(crl, drawn.key, EVP_sha256()))
        return (struct bytes){NULL, 0};
    int n = i2d_X509_CRL(crl, &der);
    HOLDS(n > 0);
    return (struct bytes){der, (size_t)n};
}

/* Number 5, of the moment. */
static struct bytes make_before(void)
{
    X509_CRL *crl X509_CRL_CLEANUP = X509_CRL_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, FUZZ_NOW_S);
    HOLDS(X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
          X509_CRL_set_issuer_name(crl, X509_get_subject_name(drawn.authority)) && X509_CRL_set1_lastUpdate(crl, now) &&
          ASN1_INTEGER_set(number, 5) && X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0));
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(now);
    return signed_der(crl);
}

static void draw(void)
{
    const uint8_t *at = known_key;
    EVP_PKEY *device = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    drawn.key = d2i_AutoPrivateKey(NULL, &at, sizeof known_key);
    HOLDS(drawn.key && device && other);
    drawn.ca = fuzz_issue("Plant", "Plant", drawn.key, drawn.key);
    drawn.authority = x509_cert_open(drawn.ca);
    drawn.namesake = fuzz_issue("Plant", "Plant", other, other);
    drawn.leaf = fuzz_issue(ID, "Plant", device, drawn.key);
    drawn.before = make_before();
    EVP_PKEY_free(device);
    EVP_PKEY_free(other);
}

/* Signed by the CA, in its name; what is no list stays as it is. */
static struct bytes sign(struct arena *a, struct bytes in)
{
    X509_CRL *crl X509_CRL_CLEANUP = x509_crl_open(in);
    if (!crl || !X509_CRL_set_issuer_name(crl, X509_get_subject_name(drawn.authority)))
        return in;
    struct bytes der = signed_der(crl);
    struct bytes ret = {(const uint8_t *)arena_copy(a, (const char *)der.p, der.n).p, der.n};
    OPENSSL_free((void *)der.p);
    return der.n ? ret : in;
}

static struct str text_of(struct bytes b)
{
    return (struct str){(const char *)b.p, b.n};
}

static struct str pem_of(struct arena *a, X509_CRL *crl)
{
    char *p;
    BIO *out = BIO_new(BIO_s_mem());
    HOLDS(out && PEM_write_bio_X509_CRL(out, crl));
    long n = BIO_get_mem_data(out, &p);
    struct str ret = arena_copy(a, p, (size_t)n);
    BIO_free(out);
    return ret;
}

static void is_this_cas(struct arena *a, struct bytes der)
{
    X509_CRL *crl X509_CRL_CLEANUP = x509_crl_open(der);
    struct err_detail d = {""};
    struct x509_crl_info info;
    struct bytes again;
    HOLDS(crl && der.n <= CRL_MOST && x509_crl_is_of(crl, drawn.authority));
    HOLDS(x509_crl_info(a, der, &info) && str_same(info.issuer, STR("CN=Plant")) && info.revoked >= 0);
    HOLDS(!x509_crl_read(a, pem_of(a, crl), drawn.ca, der, &d, &again) && crypt_same(again, der));
}

static void is_taken_or_told_why(struct arena *a, struct bytes in)
{
    const struct bytes none = {NULL, 0};
    struct err_detail d = {""};
    struct bytes der;
    err_t e = x509_crl_read(a, text_of(in), drawn.ca, drawn.before, &d, &der);
    HOLDS(!e || ((e == E(BAD_FIELD) || e == E(CONFLICT)) && *d.text));
    if (e == E(BAD_FIELD))
        return;
    HOLDS(!e || !x509_crl_read(a, text_of(in), drawn.ca, none, &d, &der));
    is_this_cas(a, der);
    HOLDS(x509_crl_read(a, text_of(in), drawn.namesake, none, &d, &der) == E(BAD_FIELD));
}

/* Has it an entry with the leaf's number? What else the entry says may still leave the leaf alone. */
static bool names_leaf(X509_CRL *crl, bool *ret_plainly)
{
    X509 *leaf X509_CLEANUP = x509_cert_open(drawn.leaf);
    bool named = false;
    for (int i = 0; i < sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), i);
        if (ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(entry), X509_get0_serialNumber(leaf)) != 0)
            continue;
        named = true;
        *ret_plainly = !X509_REVOKED_get0_extensions(entry);
    }
    return named;
}

/* A list that opens; whose it is, it need not be told by. */
static void revokes_what_it_names(struct arena *a, struct bytes in)
{
    const struct presented presented = {.leaf = drawn.leaf};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), INT64_C(1000000) * FUZZ_NOW_S, NULL, NULL};
    const struct x509_trust trust = {.anchors = &drawn.ca, .anchor_count = 1, .crls = &in, .crl_count = 1};
    X509_CRL *crl X509_CRL_CLEANUP = x509_crl_open(in);
    struct err_detail d = {""};
    bool plainly = false;
    size_t who;
    if (!crl)
        return;
    bool named = names_leaf(crl, &plainly) && x509_crl_is_of(crl, drawn.authority);
    err_t e = x509_chain_check(a, &claim, &trust, 1, &d, NULL, &who, NULL);
    HOLDS(e ? named && *d.text : !named || !plainly);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    const struct str as_it_is = STR("sent:");
    struct bytes in = {data, size};
    if (!drawn.key)
        draw();
    in = str_starts(text_of(in), as_it_is) ? (struct bytes){data + as_it_is.n, size - as_it_is.n} : sign(a, in);
    is_taken_or_told_why(a, in);
    revokes_what_it_names(a, in);
    return 0;
}
