/* test_seal.c: digests, randomness and sealed secrets. */
#include "core/seal.h"

#include "unit.h"

#define RING "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define OLD_KEY "3:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

static struct key_ring *ring_of(const char *text)
{
    struct key_ring *r = NULL;
    assert_ok(key_ring_parse(str_of(text), NULL, &r));
    return r;
}

static void digests(void **state)
{
    struct sha256 h = crypt_sha256(unit_bytes("abc"));
    assert_text(enc_hex(*state, (struct bytes){h.b, 32}, false),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = crypt_hmac_sha256(unit_bytes("Jefe"), unit_bytes("what do ya want for nothing?")); /* RFC 4231, case 2 */
    assert_text(enc_hex(*state, (struct bytes){h.b, 32}, false),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    h = crypt_hmac_sha256((struct bytes){NULL, 0}, unit_bytes(""));
    assert_text(enc_hex(*state, (struct bytes){h.b, 32}, false),
                "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 4231: keys shorter than, as long as and longer than a block of the digest. */
static void hmac_vectors(void **state)
{
    uint8_t key[131], data[50];
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    struct sha256 h = crypt_hmac_sha256((struct bytes){key, 20}, (struct bytes){data, 50});
    assert_text(enc_hex(*state, (struct bytes){h.b, 32}, false),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    h = crypt_hmac_sha256((struct bytes){key, 131},
                          unit_bytes("Test Using Larger Than Block-Size Key - Hash Key First"));
    assert_text(enc_hex(*state, (struct bytes){h.b, 32}, false),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    h = crypt_hmac_sha256((struct bytes){key, 64}, unit_bytes("a block")); /* by Python's hmac */
    assert_text(enc_hex(*state, (struct bytes){h.b, 32}, false),
                "ae8201e9eb2c97cd30ae73dadb71327a4f4f77dabcfbe66a7ada94d55fd02ce4");
}

static void comparing(void **state)
{
    (void)state;
    assert_true(crypt_same(unit_bytes("key"), unit_bytes("key")));
    assert_true(crypt_same(unit_bytes(""), (struct bytes){NULL, 0}));
    assert_false(crypt_same(unit_bytes("key"), unit_bytes("kez")));
    assert_false(crypt_same(unit_bytes("key"), unit_bytes("ke")));
}

static void random_things_differ(void **state)
{
    struct uuid one = crypt_uuid4(), two = crypt_uuid4();
    assert_memory_not_equal(one.b, two.b, 16);
    assert_int_equal(one.b[6] >> 4, 4);
    assert_int_equal(one.b[8] >> 6, 2);
    struct str key = crypt_new_key(*state, DEVICE_KEY_BYTES);
    struct bytes raw;
    assert_true(dec_base64(*state, key, &raw));
    assert_int_equal(raw.n, DEVICE_KEY_BYTES);
    assert_false(str_same(key, crypt_new_key(*state, DEVICE_KEY_BYTES)));
    uint8_t secret[8] = "secret";
    crypt_wipe(secret, sizeof secret);
    assert_memory_equal(secret, ((uint8_t[8]){0}), 8);
}

static void a_sealed_secret_opens_for_its_row(void **state)
{
    struct key_ring *r = ring_of(RING);
    struct bytes row = seal_row(*state, "enrollment", STR("0ne00000001"), STR("dev-1"), "primary"), back;
    struct bytes sealed = seal(*state, r, row, unit_bytes("a key of a device"));
    assert_int_equal(sealed.n, 1 + 4 + 12 + 17 + 16);
    assert_memory_equal(sealed.p, "\x01\x00\x00\x00\x07", 5);
    assert_ok(unseal(*state, r, row, sealed, &back));
    assert_text(((struct str){(const char *)back.p, back.n}), "a key of a device");
    struct bytes again = seal(*state, r, row, unit_bytes("a key of a device"));
    assert_memory_not_equal(sealed.p + 5, again.p + 5, sealed.n - 5); /* a fresh nonce each time */
    sealed = seal(*state, r, row, (struct bytes){NULL, 0});
    assert_ok(unseal(*state, r, row, sealed, &back));
    assert_int_equal(back.n, 0);
    key_ring_free(r);
}

static void another_row_does_not_open_it(void **state)
{
    struct key_ring *r = ring_of(RING);
    struct bytes row = seal_row(*state, "enrollment", STR("0ne00000001"), STR("dev-1"), "primary"), back;
    struct bytes sealed = seal(*state, r, row, unit_bytes("k"));
    const struct bytes others[] = {
        seal_row(*state, "enrollment", STR("0ne00000001"), STR("dev-1"), "secondary"),
        seal_row(*state, "enrollment", STR("0ne00000001"), STR("dev-2"), "primary"),
        seal_row(*state, "enrollment", STR("0ne00000002"), STR("dev-1"), "primary"),
        seal_row(*state, "hub_device", STR("0ne00000001"), STR("dev-1"), "primary"),
        seal_row(*state, "enrollment", STR("0ne00000001d"), STR("ev-1"), "primary"),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_err(unseal(*state, r, others[i], sealed, &back), SEAL_BROKEN);
    key_ring_free(r);
}

static void no_flipped_bit_goes_unseen(void **state)
{
    struct key_ring *r = ring_of(RING OLD_KEY);
    struct bytes row = seal_row(*state, "token_key", STR("kid"), STR(""), "private"), back = {NULL, 99};
    struct bytes sealed = seal(*state, r, row, unit_bytes("secret"));
    for (size_t bit = 0; bit < sealed.n * 8; bit++) {
        uint8_t *copy = arena_alloc(*state, sealed.n);
        memcpy(copy, sealed.p, sealed.n);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_err(unseal(*state, r, row, (struct bytes){copy, sealed.n}, &back), SEAL_BROKEN);
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_err(unseal(*state, r, row, (struct bytes){sealed.p, n}, &back), SEAL_BROKEN);
    assert_int_equal(back.n, 99);
    key_ring_free(r);
}

static void an_old_key_opens_and_the_first_seals(void **state)
{
    struct key_ring *old = ring_of(OLD_KEY), *both = ring_of("# rotated\r\n\n " RING "\t" OLD_KEY "\n"),
                    *fresh = ring_of(RING);
    struct bytes row = seal_row(*state, "hub_policy", STR("h"), STR("p"), "primary"), back;
    struct bytes sealed = seal(*state, old, row, unit_bytes("k"));
    assert_ok(unseal(*state, both, row, sealed, &back));
    assert_err(unseal(*state, fresh, row, sealed, &back), SEAL_BROKEN); /* its key is unknown */
    sealed = seal(*state, both, row, unit_bytes("k"));
    assert_ok(unseal(*state, fresh, row, sealed, &back));
    assert_err(unseal(*state, old, row, sealed, &back), SEAL_BROKEN);
    key_ring_free(old);
    key_ring_free(both);
    key_ring_free(fresh);
}

/* By its head a value is told from those under other keys, without the ring. */
static void a_value_names_its_key(void **state)
{
    struct key_ring *both = ring_of(RING OLD_KEY);
    struct bytes row = seal_row(*state, "hub_policy", STR("h"), STR("p"), "primary");
    struct bytes sealed = seal(*state, both, row, unit_bytes("k")), head = seal_head(*state, 7);
    assert_int_equal(key_ring_sealing_id(both), 7);
    assert_int_equal(seal_key_id(sealed), 7);
    assert_memory_equal(sealed.p, head.p, head.n);
    assert_int_equal(seal_key_id(head), 0);
    assert_true(key_ring_has(both, 3) && key_ring_has(both, 7));
    assert_false(key_ring_has(both, 0) || key_ring_has(both, 4) || key_ring_has(both, INT64_C(0x100000003)));
    key_ring_free(both);
}

static void a_new_ring_is_a_ring(void **state)
{
    struct str text = key_ring_line(*state, 1);
    assert_true(str_starts(text, STR("1:")));
    key_ring_free(ring_of(text.p));
    key_ring_free(NULL);
}

static void a_bad_ring_is_refused_by_line(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no key"},
        {"# nothing\n\n", "no key"},
        {"1\n", "line 1: the key"},
        {"\nx:AAAA\n", "line 2: the id"},
        {"0:AAAA", "the id"},
        {"4294967296:AAAA", "the id"},
        {"1:AAAA", "32 bytes"},
        {"1:not base64!", "32 bytes"},
        {RING RING, "line 2: the id 7 stands twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct key_ring *r = NULL;
        struct err_detail d = {""};
        assert_err(key_ring_parse(str_of(rows[i].text), &d, &r), BAD_CONFIG);
        assert_says(d, rows[i].says);
        assert_null(strstr(d.text, "AAAA")); /* never the key itself */
        assert_null(r);
    }
}

static void a_ring_has_a_bound(void **state)
{
    struct text t;
    struct key_ring *r = NULL;
    struct err_detail d;
    text_init(&t, *state, 0);
    for (int i = 1; i <= 17; i++)
        text_printf(&t, "%d:%s\n", i, crypt_new_key(*state, 32).p);
    assert_err(key_ring_parse(text_str(&t), &d, &r), BAD_CONFIG);
    assert_says(d, "line 17: at most 16 keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(digests),
        UNIT(hmac_vectors),
        UNIT(comparing),
        UNIT(random_things_differ),
        UNIT(a_sealed_secret_opens_for_its_row),
        UNIT(another_row_does_not_open_it),
        UNIT(no_flipped_bit_goes_unseen),
        UNIT(an_old_key_opens_and_the_first_seals),
        UNIT(a_value_names_its_key),
        UNIT(a_new_ring_is_a_ring),
        UNIT(a_bad_ring_is_refused_by_line),
        UNIT(a_ring_has_a_bound),
    };
    return cmocka_run_group_tests_name("crypt, seal", tests, NULL, NULL);
}
