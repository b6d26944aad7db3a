/* test_keypair.c: primary and secondary keys: read, made, sealed for their row, opened again. And what a device
 * presents: is it anything at all? */
#include "core/attest/presented.h"
#include "core/keypair.h"

#include "unit.h"

#define RING "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define KEY_16 "AAECAwQFBgcICQoLDA0ODw=="
#define KEY_15 "AAECAwQFBgcICQoLDA0O"
#define KEY_64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
#define KEY_65 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A="

static struct key_ring *ring_of(const char *text)
{
    struct key_ring *r = NULL;
    struct err_detail d;
    assert_ok(key_ring_parse(str_of(text), &d, &r));
    return r;
}

static struct symmetric_key sent(const char *primary, const char *secondary)
{
    return (struct symmetric_key){str_of(primary), str_of(secondary)};
}

static void keys_are_read_and_shown_as_they_were_sent(void **state)
{
    struct keypair k;
    struct err_detail d;
    struct symmetric_key in = sent(KEY_16, KEY_64);
    assert_ok(keypair_read(*state, &in, "m", 32, &d, &k));
    assert_int_equal(k.primary.n, 16);
    assert_int_equal(k.secondary.n, 64);
    struct symmetric_key out = keypair_text(*state, &k);
    assert_text(out.primary, KEY_16);
    assert_text(out.secondary, KEY_64);
}

static void keys_that_were_left_out_are_made_new(void **state)
{
    struct keypair k, other;
    struct err_detail d;
    struct symmetric_key in = sent(NULL, "");
    assert_ok(keypair_read(*state, &in, "m", POLICY_KEY_BYTES, &d, &k));
    assert_ok(keypair_read(*state, &in, "m", DEVICE_KEY_BYTES, &d, &other));
    assert_int_equal(k.primary.n, POLICY_KEY_BYTES);
    assert_int_equal(k.secondary.n, POLICY_KEY_BYTES);
    assert_int_equal(other.primary.n, DEVICE_KEY_BYTES);
    assert_memory_not_equal(k.primary.p, k.secondary.p, POLICY_KEY_BYTES);
    assert_memory_not_equal(k.primary.p, other.primary.p, POLICY_KEY_BYTES);
}

static void a_bad_key_is_named(void **state)
{
    static const char *const bad[] = {KEY_15, KEY_65, "AAEC", "no_base64", "AAECAwQFBgcICQoLDA0ODw"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct keypair k = {.primary = {NULL, 99}};
        struct err_detail d;
        struct symmetric_key first = sent(bad[i], KEY_16), second = sent(KEY_16, bad[i]);
        assert_err(keypair_read(*state, &first, "a.b[3]", 32, &d, &k), BAD_FIELD);
        assert_text(str_of(d.text), "a.b[3].primaryKey must be base64 of 16 to 64 bytes.");
        assert_err(keypair_read(*state, &second, "a.b[3]", 32, &d, &k), BAD_FIELD);
        assert_text(str_of(d.text), "a.b[3].secondaryKey must be base64 of 16 to 64 bytes.");
        assert_int_equal(k.primary.n, 99);
    }
}

static void white_space_around_a_key_is_cut(void **state)
{
    struct keypair k;
    struct err_detail d;
    struct symmetric_key in = sent(" \t" KEY_16 "\r\n", "\n" KEY_16),
                         broken = sent(KEY_16, "AAECAwQFBgcI\nCQoLDA0ODw==");
    assert_ok(keypair_read(*state, &in, "m", 32, &d, &k));
    assert_int_equal(k.primary.n, 16);
    assert_true(crypt_same(k.primary, k.secondary));
    assert_err(keypair_read(*state, &broken, "m", 32, &d, &k), BAD_FIELD);
    assert_text(str_of(d.text), "m.secondaryKey must have no white space within.");
}

static void sealed_keys_open_for_their_row_and_place_only(void **state)
{
    struct key_ring *r = ring_of(RING);
    const struct seal_id row = {"hub_policy", STR("h"), STR("p")}, other = {"hub_policy", STR("h"), STR("q")};
    const struct keypair k = {unit_bytes("the primary key"), unit_bytes("the secondary key")};
    struct keypair back = {.primary = {NULL, 99}};
    struct keypair_sealed s = keypair_seal(*state, r, &row, &k);
    struct keypair_sealed swapped = {s.secondary, s.primary}, half = {s.primary, s.primary};
    assert_err(keypair_open(*state, r, &other, &s, &back), SEAL_BROKEN);
    assert_err(keypair_open(*state, r, &row, &swapped, &back), SEAL_BROKEN);
    assert_err(keypair_open(*state, r, &row, &half, &back), SEAL_BROKEN);
    assert_int_equal(back.primary.n, 99);
    assert_ok(keypair_open(*state, r, &row, &s, &back));
    assert_true(crypt_same(back.primary, k.primary) && crypt_same(back.secondary, k.secondary));
    key_ring_free(r);
}

static void an_absent_key_stays_absent(void **state)
{
    struct key_ring *r = ring_of(RING);
    const struct seal_id row = {"linked_hub", STR("0ne1"), STR("h")};
    const struct keypair k = {.primary = unit_bytes("the only key")};
    struct keypair back;
    struct keypair_sealed s = keypair_seal(*state, r, &row, &k);
    assert_null(s.secondary.p);
    assert_ok(keypair_open(*state, r, &row, &s, &back));
    assert_true(crypt_same(back.primary, k.primary));
    assert_null(back.secondary.p);
    assert_null(keypair_text(*state, &back).secondary.p);
    key_ring_free(r);
}

static void an_address_or_a_chain_alone_proves_nothing(void **state)
{
    (void)state;
    struct presented p = {.address = STR("10.0.0.1"), .chain = unit_bytes("0"), .authorization = STR("")};
    assert_false(presented_any(&p));
    assert_true(presented_any(&(struct presented){.authorization = STR("SharedAccessSignature ")}));
    assert_true(presented_any(&(struct presented){.leaf = unit_bytes("0")}));
    assert_true(presented_any(&(struct presented){.tpm_endorsement = unit_bytes("0")}));
    assert_false(presented_any(&(struct presented){.tpm_root = unit_bytes("0")}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(keys_are_read_and_shown_as_they_were_sent),
        UNIT(keys_that_were_left_out_are_made_new),
        UNIT(a_bad_key_is_named),
        UNIT(white_space_around_a_key_is_cut),
        UNIT(sealed_keys_open_for_their_row_and_place_only),
        UNIT(an_absent_key_stays_absent),
        UNIT(an_address_or_a_chain_alone_proves_nothing),
    };
    return cmocka_run_group_tests_name("keypair, presented", tests, NULL, NULL);
}
