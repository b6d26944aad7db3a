/* fuzz_x509.c: any bytes as the text of a certificate, as a certificate with a chain, and as a stored certificate. What
 * is read is one certificate, written again byte for byte; no chain leads to a CA whose key was drawn for this run; and
 * who is admitted by a stored certificate showed one that can be read. */
#include "fuzz_issue.h"

#include "core/attest/type.h"
#include "core/attest/x509_chain.h"

enum { STORED_PARTS = 4 /* two certificates, two names */ };

/* Keys and certificates of the run: a CA of the commonest name in the corpus, so that chains get as far as its
 * signature, and the leaf of a device that it signed. */
static struct run {
    struct bytes ca, leaf;
} drawn;

static const struct run *run(void)
{
    if (!drawn.ca.p) {
        EVP_PKEY *ca = EVP_EC_gen("P-256"), *device = EVP_EC_gen("P-256");
        drawn.ca = fuzz_issue("Plant", "Plant", ca, ca);
        drawn.leaf = fuzz_issue("line7-unit042", "Plant", device, ca);
        EVP_PKEY_free(ca);
        EVP_PKEY_free(device);
    }
    return &drawn;
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
    struct bytes rest = in, ca = run()->ca;
    X509 *leaf X509_CLEANUP = x509_cert_take(&rest);
    const struct presented presented = {.leaf = {in.p, in.n - (leaf ? rest.n : 0)}, .chain = rest};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("line7-unit042"), INT64_C(1000000) * FUZZ_NOW_S,
                                       NULL,       NULL};
    const struct x509_trust trust = {.anchors = &ca, .anchor_count = 1};
    struct err_detail d = {""};
    size_t who;
    HOLDS(x509_chain_check(a, &claim, &trust, 1, &d, NULL, &who, NULL) == E(UNAUTHORIZED) && *d.text);
}

static err_t checked(struct arena *a, struct bytes chain, const struct x509_trust *trusts, size_t count)
{
    const struct presented presented = {.leaf = run()->leaf, .chain = chain};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("line7-unit042"), INT64_C(1000000) * FUZZ_NOW_S,
                                       NULL,       NULL};
    struct err_detail d = {""};
    size_t who;
    struct err_detail *reasons = ARENA_NEW_ARRAY(a, count, struct err_detail);
    err_t e = x509_chain_check(a, &claim, trusts, count, &d, reasons, &who, NULL);
    HOLDS(!e == !*d.text && who <= count - !e);
    return e;
}

static bool is_for(struct bytes *in, struct str what)
{
    if (!str_starts((struct str){(const char *)in->p, in->n}, what))
        return false;
    *in = (struct bytes){in->p + what.n, in->n - what.n};
    return true;
}

/* A good leaf, with any bytes for what it brings along, for what is trusted, or for what is revoked. False: the input
 * is for none of these. */
static bool leads_home(struct arena *a, struct bytes in)
{
    const struct bytes nothing = {NULL, 0};
    const struct x509_trust home = {.anchors = &run()->ca, .anchor_count = 1};
    const struct x509_trust revoking = {.anchors = &run()->ca, .anchor_count = 1, .crls = &in, .crl_count = 1};
    const struct x509_trust both[] = {{.anchors = &in, .anchor_count = 1}, home};
    if (is_for(&in, STR("chain:")))
        (void)checked(a, in, &home, 1);
    else if (is_for(&in, STR("crl:")))
        (void)checked(a, nothing, &revoking, 1);
    else if (is_for(&in, STR("trust:")))
        HOLDS(checked(a, nothing, both, 1) && !checked(a, nothing, both, 2));
    else
        return false;
    return true;
}

static void admits_by_itself_alone(struct arena *a, struct bytes in)
{
    const struct bytes parts[STORED_PARTS] = {in};
    struct attest_row row = {fuzz_ring(), {.id_scope = STR("0ne1"), .key = STR("line7-unit042")}};
    row.stored = attest_sealed(a, &row, ATTEST_X509, attest_pack(a, parts, STORED_PARTS));
    struct presented presented = {.leaf = in};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("line7-unit042"), INT64_C(1000000) * FUZZ_NOW_S,
                                       NULL,       NULL};
    struct attestation shown;
    struct err_detail d = {""};
    X509 *x X509_CLEANUP = x509_cert_open(in);
    HOLDS(!attest_show(a, &row, &d, &shown) == (in.n > 0));
    HOLDS(attest_check(a, &row, &claim, &d) || x);
    presented.leaf = run()->ca;
    HOLDS(attest_check(a, &row, &claim, &d));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    if (leads_home(a, (struct bytes){data, size}))
        return 0;
    is_read_one_way(a, (struct str){(const char *)data, size});
    leads_nowhere(a, (struct bytes){data, size});
    admits_by_itself_alone(a, (struct bytes){data, size});
    return 0;
}
