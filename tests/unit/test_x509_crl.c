/* test_x509_crl.c: which revocation lists are a CA's, and may take the place of the one that is there. All are made
 * here, by OpenSSL. */
#include <openssl/pem.h>

#include "core/attest/x509_crl.h"

#include "x509_make.h"

static const struct made *root, *twin, *leaf; /* the twin has the root's name and another key */
static const struct bytes NONE = {NULL, 0};

static int up(void **state)
{
    (void)state;
    root = make((struct wish){.cn = "Root CA", .ca = true});
    twin = make((struct wish){.cn = "Root CA", .ca = true});
    leaf = make((struct wish){.cn = "leaf", .by = root});
    return 0;
}

static struct str text_of(struct bytes b)
{
    return (struct str){(const char *)b.p, b.n};
}

static err_t read(struct arena *a, struct bytes crl, struct bytes stored, struct err_detail *d)
{
    struct bytes der;
    err_t e = x509_crl_read(a, text_of(crl), made_der(a, root), stored, d, &der);
    if (!e)
        assert_true(der.n == crl.n && !memcmp(der.p, crl.p, crl.n));
    return e;
}

/* By number, 0: none; made so many days ago. */
static struct bytes numbered(struct arena *a, long number, int days)
{
    return make_crl(a, (struct crl_wish){.ca = root, .from_days = -days, .to_days = 9, .number = number});
}

static struct str pem_of(struct arena *a, struct bytes der)
{
    const unsigned char *at = der.p;
    X509_CRL *crl X509_CRL_CLEANUP = d2i_X509_CRL(NULL, &at, (long)der.n);
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    assert_true(crl && out && PEM_write_bio_X509_CRL(out, crl));
    long n = BIO_get_mem_data(out, &p);
    struct str text = arena_copy(a, p, (size_t)n);
    BIO_free(out);
    return text;
}

static void der_and_pem_are_read(void **state)
{
    struct bytes crl = made_crl(*state, root, leaf, 9), der;
    struct err_detail d = {""};
    assert_ok(read(*state, crl, NONE, &d));
    assert_ok(x509_crl_read(*state, pem_of(*state, crl), made_der(*state, root), NONE, &d, &der));
    assert_true(der.n == crl.n && !memcmp(der.p, crl.p, crl.n));
}

static void what_is_none_of_the_ca_s_is_refused(void **state)
{
    struct arena *a = *state;
    const struct bytes whole = made_crl(a, root, leaf, 9);
    const struct {
        struct bytes body;
        const char *words;
    } cases[] = {
        {made_crl(a, twin, leaf, 9), "not signed with the key of the CA's certificate"},
        {made_crl(a, leaf, NULL, 9), "not signed with the key"},
        {{whole.p, whole.n - 1}, "must be a CRL, in DER or PEM"},
        {made_der(a, root), "must be a CRL"},
        {NONE, "must be a CRL"},
        {{(const uint8_t *)"-----BEGIN X509 CRL-----\n", 25}, "must be a CRL"},
        {make_crl(a, (struct crl_wish){.ca = root, .from_days = -1, .to_days = 9, .is_partial = true}),
         "is a part of one"},
        {make_crl(a, (struct crl_wish){.ca = root, .to_days = 9, .is_undated = true}), "does not say when it was made"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err_detail d = {""};
        assert_err(read(a, cases[i].body, NONE, &d), BAD_FIELD);
        assert_says(d, cases[i].words);
    }
}

static void an_older_one_is_refused(void **state)
{
    struct arena *a = *state;
    struct err_detail d = {""};
    assert_ok(read(a, numbered(a, 256, 3), numbered(a, 255, 1), &d));
    assert_ok(read(a, numbered(a, 255, 3), numbered(a, 255, 1), &d));
    assert_err(read(a, numbered(a, 255, 1), numbered(a, 256, 3), &d), CONFLICT);
    assert_says(d, "older than the one that is stored");
    assert_ok(read(a, numbered(a, 0, 1), numbered(a, 9, 2), &d));
    assert_err(read(a, numbered(a, 0, 2), numbered(a, 9, 1), &d), CONFLICT);
    assert_err(read(a, numbered(a, 9, 2), numbered(a, 0, 1), &d), CONFLICT);
    assert_ok(read(a, numbered(a, 1, 9), made_crl(a, twin, NULL, 9), &d)); /* of another CA, which was there before */
}

static void it_is_told_what_a_crl_says(void **state)
{
    struct x509_crl_info info;
    struct bytes crl =
        make_crl(*state, (struct crl_wish){.ca = root, .revoked = leaf, .from_days = -1, .to_days = 9, .number = 255});
    assert_true(x509_crl_info(*state, crl, &info));
    assert_text(info.issuer, "CN=Root CA");
    assert_text(info.number, "FF");
    assert_int_equal(info.this_us, MADE_AT_US - INT64_C(86400000000));
    assert_int_equal(info.next_us, MADE_AT_US + 9 * INT64_C(86400000000));
    assert_int_equal(info.revoked, 1);
    assert_true(x509_crl_info(*state, made_crl(*state, root, NULL, 9), &info));
    assert_null(info.number.p);
    assert_int_equal(info.revoked, 0);
    assert_false(x509_crl_info(*state, NONE, &info));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(der_and_pem_are_read),
        UNIT(what_is_none_of_the_ca_s_is_refused),
        UNIT(an_older_one_is_refused),
        UNIT(it_is_told_what_a_crl_says),
    };
    return cmocka_run_group_tests_name("x509_crl", tests, up, made_down);
}
