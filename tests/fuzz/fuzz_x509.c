/* fuzz_x509.c: any bytes as the text of a certificate, as a certificate with a chain, and as a stored certificate. What
 * is read is one certificate, written again byte for byte; no chain leads to a CA whose key was drawn for this run; and
 * who is admitted by a stored certificate showed one that can be read. */
#include "fuzz.h"

#include <openssl/ec.h>

#include "core/attest/type.h"
#include "core/attest/x509_cert.h"
#include "core/attest/x509_chain.h"

enum { NOW_S = 1800000000 };

/* A CA of the commonest name in the corpus, so that chains get as far as its signature. */
static struct bytes unknown_ca(void)
{
    static uint8_t *der;
    static int n;
    if (!der) {
        X509 *x = X509_new();
        EVP_PKEY *key = EVP_EC_gen("P-256");
        time_t now = NOW_S;
        X509_NAME *name = X509_get_subject_name(x);
        HOLDS(X509_set_version(x, X509_VERSION_3) && X509_set_pubkey(x, key));
        HOLDS(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"Plant", -1, -1, 0));
        HOLDS(X509_set_issuer_name(x, name) && X509_time_adj_ex(X509_getm_notBefore(x), -900, 0, &now) &&
              X509_time_adj_ex(X509_getm_notAfter(x), 900, 0, &now) && X509_sign(x, key, EVP_sha256()));
        n = i2d_X509(x, &der);
        X509_free(x);
        EVP_PKEY_free(key);
    }
    return (struct bytes){der, (size_t)n};
}

static void is_read_one_way(struct arena *a, struct str text)
{
    struct bytes der, again;
    struct err_detail d = {""};
    if (x509_cert_read(a, text, "member", &d, &der)) {
        HOLDS(*d.text);
        return;
    }
    X509 *x X509_CLEANUP = x509_cert_open(der);
    HOLDS(x && der.n <= X509_PRESENTED_MOST);
    const struct x509_info *info = x509_cert_info(a, x, der);
    HOLDS(info->sha256.n == 64 && info->sha1.n == 40 && info->subject.p && info->issuer.p && info->serial.p);
    HOLDS(!x509_cert_read(a, x509_cert_pem(a, der), "member", &d, &again) && crypt_same(again, der));
    HOLDS(!x509_cert_read(a, enc_base64(a, der), "member", &d, &again) && crypt_same(again, der));
}

static void leads_nowhere(struct arena *a, struct bytes in)
{
    struct bytes rest = in, ca = unknown_ca();
    X509 *leaf X509_CLEANUP = x509_cert_take(&rest);
    const struct presented presented = {.leaf = {in.p, in.n - (leaf ? rest.n : 0)}, .chain = rest};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("line7-unit042"), INT64_C(1000000) * NOW_S,
                                       NULL,       NULL};
    const struct x509_trust trust = {.anchors = &ca, .anchor_count = 1};
    struct err_detail d = {""};
    size_t who;
    HOLDS(x509_chain_check(a, &claim, &trust, 1, &d, NULL, &who) == E(UNAUTHORIZED) && *d.text);
}

static void admits_by_itself_alone(struct arena *a, struct bytes in)
{
    const struct bytes parts[2] = {in, {NULL, 0}};
    struct attest_row row = {fuzz_ring(), {.id_scope = STR("0ne1"), .key = STR("line7-unit042")}};
    row.stored = attest_sealed(a, &row, ATTEST_X509, attest_pack(a, parts, 2));
    struct presented presented = {.leaf = in};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("line7-unit042"), INT64_C(1000000) * NOW_S,
                                       NULL,       NULL};
    struct attestation shown;
    struct err_detail d = {""};
    X509 *x X509_CLEANUP = x509_cert_open(in);
    HOLDS(!attest_show(a, &row, &d, &shown) == (in.n > 0));
    HOLDS(attest_check(a, &row, &claim, &d) || x);
    presented.leaf = unknown_ca();
    HOLDS(attest_check(a, &row, &claim, &d));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    is_read_one_way(a, (struct str){(const char *)data, size});
    leads_nowhere(a, (struct bytes){data, size});
    admits_by_itself_alone(a, (struct bytes){data, size});
    return 0;
}
