/* test_x509_ca.c: which certificates can be those of a CA, and what proves that somebody has its key. All certificates
 * are made here, by OpenSSL. */
#include "core/attest/x509_ca.h"

#include "x509_make.h"

#define CODE "7F3A0E11C2D4"

static const struct made *root, *twin, *leaf; /* the twin has the root's name and another key */

static int up(void **state)
{
    (void)state;
    root = make((struct wish){.cn = "Root CA", .ca = true});
    twin = make((struct wish){.cn = "Root CA", .ca = true});
    leaf = make((struct wish){.cn = "leaf", .by = root});
    return 0;
}

static struct str pem(struct arena *a, const struct made *m)
{
    return x509_cert_pem(a, made_der(a, m));
}

static err_t read(struct arena *a, const struct made *m, struct err_detail *d)
{
    struct bytes der;
    return x509_ca_read(a, pem(a, m), "certificate", d, &der);
}

static err_t prove(struct arena *a, const struct made *proof, struct err_detail *d)
{
    return x509_ca_proved(a, made_der(a, root), STR(CODE), pem(a, proof), "certificate", d);
}

static void a_ca_is_one_that_may_sign(void **state)
{
    struct err_detail d;
    assert_ok(read(*state, root, &d));
    assert_ok(read(*state, make((struct wish){.cn = "Lower CA", .by = root, .ca = true}), &d));
    assert_err(read(*state, leaf, &d), BAD_FIELD);
    assert_string_equal(d.text, "certificate is not a CA's, so it can have signed none.");
}

static void the_code_signed_with_the_key_proves(void **state)
{
    struct err_detail d;
    assert_ok(prove(*state, make((struct wish){.cn = CODE, .by = root}), &d));
    assert_ok(prove(*state, make((struct wish){.cn = "7f3a0e11c2d4", .by = root}), &d));
}

static void nothing_else_proves(void **state)
{
    const struct {
        struct wish wish;
        const char *words;
    } cases[] = {
        {{.cn = "7F3A0E11C2D5", .by = root}, "certificate must have the verification code as its CN."},
        {{.cn = CODE, .second_cn = CODE, .by = root}, "certificate must have the verification code as its CN."},
        {{.by = root}, "certificate must have the verification code as its CN."},
        {{.cn = CODE, .by = twin}, "certificate is not signed with the key of the CA's certificate."},
        {{.cn = CODE, .by = leaf}, "certificate is not signed with the key of the CA's certificate."},
        {{.cn = CODE}, "certificate is not signed with the key of the CA's certificate."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err_detail d;
        assert_err(prove(*state, make(cases[i].wish), &d), BAD_FIELD);
        assert_string_equal(d.text, cases[i].words);
    }
}

static void a_proof_is_a_certificate(void **state)
{
    struct err_detail d;
    assert_err(x509_ca_proved(*state, made_der(*state, root), STR(CODE), STR("x"), "certificate", &d), BAD_FIELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_ca_is_one_that_may_sign),
        UNIT(the_code_signed_with_the_key_proves),
        UNIT(nothing_else_proves),
        UNIT(a_proof_is_a_certificate),
    };
    return cmocka_run_group_tests_name("x509_ca", tests, up, made_down);
}
