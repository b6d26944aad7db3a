/* test_verdict.c: when a verdict on a device's certificates is one that was given before. Whether it is remembered
 * shows in rows that open no more: what was asked before is answered, all else is refused. */
#include "core/attest/verdict.h"
#include "core/attest/x509_cert.h"

#include "x509_make.h"

#define ID "line7-unit042"
#define SECOND_US INT64_C(1000000)

static struct key_ring *ring, *other_ring;
static const struct made *root, *plant, *leaf;
static struct cache *verdicts;

static int up(void **state)
{
    (void)state;
    root = make((struct wish){.cn = "Root", .ca = true});
    plant = make((struct wish){.cn = "Plant", .ca = true, .by = root});
    leaf = make((struct wish){.cn = ID, .by = plant});
    return key_ring_parse(STR("7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), NULL, &ring) ||
           key_ring_parse(STR("7:HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHgA=\n"), NULL, &other_ring);
}

static int down(void **state)
{
    key_ring_free(ring);
    key_ring_free(other_ring);
    return made_down(state);
}

/* What is asked: bent by each test. */
struct question {
    struct attest_row groups[2];
    struct attest_ca cas[2];
    struct attest_cas all;
    struct presented presented;
    struct attest_claim claim;
};

static struct attest_row group_of(struct arena *a, const char *key, const struct made *signing)
{
    struct x509_entry entry = {x509_cert_pem(a, made_der(a, signing)), NULL};
    struct x509_pair pair = {&entry, NULL};
    struct x509_attestation x = {.signing = &pair};
    const struct attestation in = {.type = ATTEST_X509, .x509 = &x};
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = str_of(key), .of_group = true}};
    struct err_detail d;
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    return row;
}

static struct question *ask_of(struct arena *a)
{
    struct question *q = ARENA_NEW(a, struct question);
    q->groups[0] = group_of(a, "all", root);
    q->groups[1] = group_of(a, "hall", plant);
    q->cas[0] = (struct attest_ca){STR("root"), true, made_der(a, root), made_crl(a, root, NULL, 9)};
    q->all = (struct attest_cas){q->cas, 1};
    q->presented = (struct presented){.leaf = made_der(a, leaf), .chain = made_der(a, plant)};
    q->claim = (struct attest_claim){&q->presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, &q->all};
    return q;
}

static err_t ask(struct arena *a, const struct question *q, size_t *ret)
{
    struct err_detail d = {""};
    return verdict_nearest(verdicts, a, q->groups, 2, &q->claim, &d, NULL, ret);
}

/* From now on nothing opens. */
static struct question *closed(struct question *q)
{
    q->groups[0].ring = q->groups[1].ring = other_ring;
    return q;
}

/* A question that was answered, and then bent. */
static struct question *answered(struct arena *a)
{
    struct question *q = ask_of(a);
    size_t who = 9;
    cache_free(verdicts);
    verdicts = cache_new(VERDICTS_MOST, VERDICT_IS_GOOD_S * SECOND_US);
    assert_ok(ask(a, q, &who));
    assert_int_equal(who, 1);
    return closed(q);
}

static void what_was_asked_before_is_remembered_for_a_moment(void **state)
{
    struct question *q = answered(*state);
    size_t who = 9;
    q->claim.now_us += (VERDICT_IS_GOOD_S - 1) * SECOND_US;
    q->claim.registration_id = STR("LINE7-unit042");
    assert_ok(ask(*state, q, &who));
    assert_int_equal(who, 1);
    q->claim.now_us += 2 * SECOND_US;
    assert_err(ask(*state, q, &who), UNAUTHORIZED);
}

static void each_change_asks_anew(void **state)
{
    struct arena *a = *state;
    enum { SCOPE, DEVICE, LEAF, CHAIN, GROUP, GROUP_KEY, CA, CA_NAME, CA_VERIFIED, CRL, NO_CRL, MORE_CAS, CHANGES };
    for (int change = 0; change < CHANGES; change++) {
        struct question *q = answered(a);
        size_t who;
        switch (change) {
        case SCOPE:
            q->claim.id_scope = STR("0ne2");
            break;
        case DEVICE:
            q->claim.registration_id = STR("line7-unit043");
            break;
        case LEAF:
            q->presented.leaf = made_der(a, make((struct wish){.cn = ID, .by = plant}));
            break;
        case CHAIN:
            q->presented.chain = made_der(a, root);
            break;
        case GROUP:
            q->groups[1] = group_of(a, "hall", plant); /* the same once more */
            break;
        case GROUP_KEY:
            q->groups[1].stored.key = STR("hall2");
            break;
        case CA:
            q->cas[0].der = made_der(a, plant);
            break;
        case CA_NAME:
            q->cas[0].name_key = STR("boot");
            break;
        case CA_VERIFIED:
            q->cas[0].is_verified = false;
            break;
        case CRL:
            q->cas[0].crl = made_crl(a, root, plant, 9);
            break;
        case NO_CRL:
            q->cas[0].crl = (struct bytes){NULL, 0};
            break;
        default:
            q->cas[1] = q->cas[0];
            q->all.count = 2;
        }
        assert_err(ask(a, closed(q), &who), UNAUTHORIZED);
    }
}

static void nobody_is_good_beyond_the_end_of_a_certificate(void **state)
{
    struct question *q = ask_of(*state);
    const int64_t day = 86400 * SECOND_US;
    size_t who;
    q->presented.leaf = made_der(*state, make((struct wish){.cn = ID, .by = plant, .from_days = -1, .to_days = 1}));
    q->claim.now_us += day - 2 * SECOND_US;
    assert_ok(ask(*state, q, &who));
    q->claim.now_us += SECOND_US;
    assert_ok(ask(*state, closed(q), &who));
    q->claim.now_us += 2 * SECOND_US;
    assert_err(ask(*state, q, &who), UNAUTHORIZED);
}

static void refusals_are_not_remembered(void **state)
{
    struct question *q = closed(ask_of(*state));
    size_t who;
    q->presented.leaf = made_der(*state, make((struct wish){.cn = ID, .by = plant}));
    assert_err(ask(*state, q, &who), UNAUTHORIZED);
    q->groups[0].ring = q->groups[1].ring = ring;
    assert_ok(ask(*state, q, &who));
    assert_int_equal(who, 1);
}

/* An enrollment of its own that names the CA, in place of groups; `key` is whose. */
static struct attest_row naming(struct arena *a, const char *key)
{
    struct x509_references ca = {.primary = STR("root")};
    struct x509_attestation x = {.ca = &ca};
    const struct attestation in = {.type = ATTEST_X509, .x509 = &x};
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = str_of(key)}};
    struct err_detail d;
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    return row;
}

static err_t ask_own(struct arena *a, struct question *q, const struct attest_row *row)
{
    struct err_detail d = {""};
    size_t who;
    return verdict_nearest(verdicts, a, row, 1, &q->claim, &d, NULL, &who);
}

static void of_an_enrollment_that_names_a_ca_it_is_remembered_too(void **state)
{
    struct question *q = answered(*state);
    struct attest_row row = naming(*state, ID), again = naming(*state, ID);
    assert_ok(ask_own(*state, q, &row));
    row.ring = again.ring = other_ring;
    assert_ok(ask_own(*state, q, &row));
    assert_err(ask_own(*state, q, &again), UNAUTHORIZED); /* written once more */
    q->cas[0].crl = made_crl(*state, root, plant, 9);
    assert_err(ask_own(*state, q, &row), UNAUTHORIZED);
}

static int cache_down(void **state)
{
    cache_free(verdicts);
    return down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(what_was_asked_before_is_remembered_for_a_moment),      UNIT(each_change_asks_anew),
        UNIT(nobody_is_good_beyond_the_end_of_a_certificate),        UNIT(refusals_are_not_remembered),
        UNIT(of_an_enrollment_that_names_a_ca_it_is_remembered_too),
    };
    return cmocka_run_group_tests_name("verdict", tests, up, cache_down);
}
