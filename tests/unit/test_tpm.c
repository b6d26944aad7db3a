/* test_tpm.c: attestation with a TPM: which public areas are taken, what is stored and shown, that what is handed over
 * opens in that TPM alone, and that nothing but a nonce that it was handed admits a device. A TPM in software plays the
 * device (tpm_device.h). */
#include "core/attest/tpm_public.h"
#include "core/attest/tpm_wrap.h"
#include "core/attest/type.h"
#include "core/sas.h"

#include "tpm_device.h"

#define RING "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

static struct key_ring *ring;
static struct arena *forever;
static struct tpm_device ours, strangers;

static int devices_up(void **state)
{
    (void)state;
    forever = arena_new();
    ours = tpm_device_new(forever);
    strangers = tpm_device_new(forever);
    return key_ring_parse(STR(RING), NULL, &ring) != NULL;
}

static int devices_down(void **state)
{
    (void)state;
    tpm_device_free(&ours);
    tpm_device_free(&strangers);
    arena_free(forever);
    key_ring_free(ring);
    return 0;
}

static struct bytes area_of(struct bytes sized)
{
    return (struct bytes){sized.p + 2, sized.n - 2};
}

static struct attestation sent(struct arena *a, const struct tpm_device *t, bool with_root)
{
    struct tpm_keys *keys = ARENA_NEW(a, struct tpm_keys);
    keys->endorsement = enc_base64(a, t->endorsement_public);
    if (with_root)
        keys->root = enc_base64(a, t->root_public);
    return (struct attestation){.type = ATTEST_TPM, .tpm = keys};
}

static struct attest_row nothing_stored(void)
{
    return (struct attest_row){ring, {.id_scope = STR("0ne1"), .key = STR("d")}};
}

static void store(struct arena *a, struct attest_row *row, struct attestation in)
{
    struct err_detail d;
    assert_ok(attest_form(a, &in, &d));
    assert_ok(attest_seal(a, row, &in, &d, &row->stored));
}

static struct attest_row stored(struct arena *a, const struct tpm_device *t, bool with_root)
{
    struct attest_row row = nothing_stored();
    store(a, &row, sent(a, t, with_root));
    return row;
}

/* --- public areas ------------------------------------------------------------------------------------------------- */

static void both_forms_of_a_public_area_are_taken(void **state)
{
    (void)state;
    struct tpm_public sized, bare;
    assert_null(tpm_public_parse(ours.endorsement_public, &sized));
    assert_null(tpm_public_parse(area_of(ours.endorsement_public), &bare));
    tpm_same(sized.area, bare.area);
    assert_int_equal(ours.endorsement_public.n, 316);
    assert_null(tpm_public_parse(ours.root_public, &sized));
    assert_int_equal(ours.root_public.n, 284);
    assert_int_equal(sized.modulus.n, RSA2048_BYTES);
}

/* One bit that is not as it has to be, each with what is said of it. Places count from behind the length. */
static void other_public_areas_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t flip;
        const char *says;
    } rows[] = {
        {1, 2, "not the public area of an RSA key"},
        {3, 7, "name algorithm"},
        {5, 1, "not a storage key"},
        {5, 2, "not a storage key"},
        {5, 4, "not a storage key"},
        {9, 1, "policy"},
        {11, 1, "AES-128-CFB"},
        {12, 1, "AES-128-CFB"},
        {15, 1, "AES-128-CFB"},
        {17, 4, "scheme"},
        {18, 4, "2048 bits"},
        {23, 1, "exponent"},
        {24, 2, "cut short"},
        {26, 0x80, "odd number of 2048 bits"},
        {281, 1, "odd number of 2048 bits"},
    };
    struct tpm_public key;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes changed = tpm_joined(*state, area_of(ours.root_public), (struct bytes){NULL, 0});
        ((uint8_t *)(uintptr_t)changed.p)[rows[i].at] ^= rows[i].flip;
        const char *wrong = tpm_public_parse(changed, &key);
        assert_non_null(wrong);
        if (!strstr(wrong, rows[i].says))
            fail_msg("byte %zu: \"%s\", not \"%s\"", rows[i].at, wrong, rows[i].says);
    }
}

static void a_public_area_ends_where_it_ends(void **state)
{
    struct tpm_public key;
    struct bytes whole = area_of(ours.endorsement_public), longer = tpm_joined(*state, whole, unit_bytes("x"));
    for (size_t n = 0; n < whole.n; n++)
        assert_non_null(tpm_public_parse((struct bytes){whole.p, n}, &key));
    for (size_t n = 0; n < ours.endorsement_public.n; n++)
        assert_non_null(tpm_public_parse((struct bytes){ours.endorsement_public.p, n}, &key));
    assert_string_equal(tpm_public_parse(longer, &key), "there are bytes behind it");
    assert_non_null(tpm_public_parse(tpm_joined(*state, ours.endorsement_public, unit_bytes("x")), &key));
}

/* --- handed over -------------------------------------------------------------------------------------------------- */

static void what_is_wrapped_opens_in_that_tpm_alone(void **state)
{
    struct tpm_public endorsement, root, other_root;
    struct bytes key = unit_bytes("0123456789abcdef0123456789abcdef"), one, two, mixed;
    struct tpm_device half = {ours.endorsement, strangers.root, ours.endorsement_public, strangers.root_public};
    assert_null(tpm_public_parse(ours.endorsement_public, &endorsement));
    assert_null(tpm_public_parse(ours.root_public, &root));
    assert_null(tpm_public_parse(strangers.root_public, &other_root));
    assert_true(tpm_wrap(*state, &endorsement, &root, key, &one));
    assert_true(tpm_wrap(*state, &endorsement, &root, key, &two));
    tpm_same(tpm_device_opens(*state, &ours, one), key);
    tpm_same(tpm_device_opens(*state, &ours, two), key);
    assert_false(crypt_same(one, two));
    assert_int_equal(tpm_device_opens(*state, &strangers, one).n, 0);
    assert_int_equal(tpm_device_opens(*state, &half, one).n, 0);
    assert_true(tpm_wrap(*state, &endorsement, &other_root, key, &mixed));
    assert_int_equal(tpm_device_opens(*state, &ours, mixed).n, 0);
    tpm_same(tpm_device_opens(*state, &half, mixed), key);
}

static void the_hub_is_told_the_key_that_the_device_is_handed(void **state)
{
    struct attest_row row = stored(*state, &ours, false);
    struct hub_authentication identity;
    struct bytes blob, raw;
    struct str text;
    struct err_detail d;
    assert_ok(attest_hub_identity(*state, &row, (struct bytes){NULL, 0}, &d, &identity));
    assert_int_equal(identity.type, HUB_AUTH_SAS);
    assert_false(str_same(identity.symmetric_key->primary, identity.symmetric_key->secondary));
    assert_ok(attest_hand(*state, &row, area_of(ours.root_public), (struct bytes){NULL, 0}, &d, &text));
    assert_true(dec_base64(*state, text, &blob));
    assert_true(dec_base64(*state, identity.symmetric_key->primary, &raw));
    tpm_same(tpm_device_opens(*state, &ours, blob), raw);
}

static void nothing_is_handed_without_a_root_key(void **state)
{
    struct attest_row without = stored(*state, &ours, false), with = stored(*state, &ours, true);
    struct str text;
    struct err_detail d;
    assert_err(attest_hand(*state, &without, (struct bytes){NULL, 0}, unit_bytes("key"), &d, &text), UNAUTHORIZED);
    assert_err(attest_hand(*state, &without, unit_bytes("no key"), unit_bytes("key"), &d, &text), UNAUTHORIZED);
    assert_ok(attest_hand(*state, &with, (struct bytes){NULL, 0}, unit_bytes("key"), &d, &text));
}

/* --- stored and shown --------------------------------------------------------------------------------------------- */

static void both_public_areas_are_shown_and_no_key_of_the_hub(void **state)
{
    struct attest_row row = stored(*state, &ours, true), bare = nothing_stored();
    struct attestation out, in = sent(*state, &ours, true);
    struct err_detail d;
    struct text json;
    assert_ok(attest_mask(*state, &row, &d, &out));
    text_init(&json, *state, 1024);
    codec_encode(&json, attestation_codec, &out);
    assert_text(text_str(&json),
                arena_printf(*state, "{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"%s\",\"storageRootKey\":\"%s\"}}",
                             in.tpm->endorsement.p, in.tpm->root.p)
                    .p);
    assert_ok(attest_show(*state, &row, &d, &out));
    assert_text(out.tpm->endorsement, in.tpm->endorsement.p);
    in.tpm->endorsement = enc_base64(*state, area_of(ours.endorsement_public));
    in.tpm->root = STR("");
    store(*state, &bare, in);
    assert_ok(attest_show(*state, &bare, &d, &out));
    assert_text(out.tpm->endorsement, enc_base64(*state, ours.endorsement_public).p);
    assert_null(out.tpm->root.p);
}

static void bad_members_are_named(void **state)
{
    static const struct {
        const char *endorsement, *root, *says;
    } rows[] = {
        {NULL, NULL, "attestation.tpm.endorsementKey is required."},
        {"", NULL, "attestation.tpm.endorsementKey is required."},
        {"no base64", NULL, "attestation.tpm.endorsementKey must be base64 of a TPM2B_PUBLIC."},
        {"AAEACw==", NULL,
         "attestation.tpm.endorsementKey must be a TPM2B_PUBLIC with a storage key of RSA-2048: it is cut short."},
        {"ours", "AA==",
         "attestation.tpm.storageRootKey must be a TPM2B_PUBLIC with a storage key of RSA-2048: it is cut short."},
    };
    struct err_detail d;
    struct attest_row row = nothing_stored();
    struct attestation bare = {.type = ATTEST_TPM};
    assert_err(attest_seal(*state, &row, &bare, &d, &row.stored), BAD_FIELD);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attestation in = sent(*state, &ours, false);
        if (!rows[i].endorsement || strcmp(rows[i].endorsement, "ours") != 0)
            in.tpm->endorsement = str_of(rows[i].endorsement);
        in.tpm->root = str_of(rows[i].root);
        assert_err(attest_seal(*state, &row, &in, &d, &row.stored), BAD_FIELD);
        assert_text(str_of(d.text), rows[i].says);
    }
}

static struct str hub_key(struct arena *a, const struct attest_row *row)
{
    struct hub_authentication identity;
    assert_ok(attest_hub_identity(a, row, (struct bytes){NULL, 0}, NULL, &identity));
    return identity.symmetric_key->primary;
}

static void the_key_for_the_hub_stays_as_long_as_the_tpm_does(void **state)
{
    struct attest_row row = stored(*state, &ours, false);
    struct str before = hub_key(*state, &row);
    assert_int_equal(attest_kept(&(struct attestation){.type = ATTEST_TPM}), ATTEST_KEEPS_SOME);
    store(*state, &row, sent(*state, &ours, true));
    assert_text(hub_key(*state, &row), before.p);
    store(*state, &row, sent(*state, &strangers, false));
    assert_false(str_same(hub_key(*state, &row), before));
}

static void what_does_not_open_is_healed_by_the_next_write(void **state)
{
    struct attest_row row = stored(*state, &ours, false);
    struct attestation out;
    struct err_detail d;
    row.stored.sealed.n--;
    assert_err(attest_show(*state, &row, &d, &out), SEAL_BROKEN);
    store(*state, &row, sent(*state, &ours, false));
    assert_ok(attest_show(*state, &row, &d, &out));
}

/* --- a device registers ------------------------------------------------------------------------------------------- */

/* What it presents: a TPM, or none, and a token that was signed with the key, or none. */
struct shown {
    const struct tpm_device *tpm;
    bool without_root;
    struct bytes key;
};

static err_t check(struct arena *a, const struct attest_row *row, struct shown s, const struct keypair *handed,
                   struct err_detail *d)
{
    struct presented p = {.authorization = {NULL, 0}};
    if (s.tpm)
        p.tpm_endorsement = area_of(s.tpm->endorsement_public);
    if (s.tpm && !s.without_root)
        p.tpm_root = area_of(s.tpm->root_public);
    if (s.key.p)
        p.authorization = sas_make(a, STR("0ne1/registrations/d"), STR("registration"), s.key, 1893456000);
    const struct attest_claim claim = {&p, STR("0ne1"), STR("d"), 0, handed, NULL};
    return attest_check(a, row, &claim, d);
}

static void its_own_endorsement_key_is_challenged_and_no_other(void **state)
{
    struct attest_row row = stored(*state, &ours, false), rooted = stored(*state, &ours, true);
    struct tpm_device cleared = {ours.endorsement, strangers.root, ours.endorsement_public, strangers.root_public};
    struct err_detail d;
    assert_err(check(*state, &row, (struct shown){&ours, false, {NULL, 0}}, NULL, &d), CHALLENGE);
    assert_err(check(*state, &rooted, (struct shown){&ours, true, {NULL, 0}}, NULL, &d), CHALLENGE);
    assert_err(check(*state, &row, (struct shown){&cleared, false, {NULL, 0}}, NULL, &d), CHALLENGE);
    assert_err(check(*state, &row, (struct shown){&strangers, false, {NULL, 0}}, NULL, &d), UNAUTHORIZED);
    assert_says(d, "endorsement key is not the enrollment's: its check word is ");
    assert_says(d, keypair_check_word(*state, strangers.endorsement_public).p);
    assert_says(d, keypair_check_word(*state, ours.endorsement_public).p);
    assert_err(check(*state, &rooted, (struct shown){&cleared, false, {NULL, 0}}, NULL, &d), UNAUTHORIZED);
    assert_says(d, "storage root key is not the enrollment's");
    assert_err(check(*state, &row, (struct shown){&ours, true, {NULL, 0}}, NULL, &d), UNAUTHORIZED);
    assert_says(d, "no storage root key");
    assert_err(check(*state, &row, (struct shown){NULL, false, {NULL, 0}}, NULL, &d), UNAUTHORIZED);
}

static void a_nonce_that_it_was_handed_admits_and_nothing_else(void **state)
{
    struct attest_row row = stored(*state, &ours, false);
    struct bytes nonce = unit_bytes("0123456789abcdef0123456789abcdef"), older = unit_bytes("older"), hub;
    const struct keypair both = {nonce, older}, one = {{NULL, 0}, older};
    struct err_detail d;
    assert_true(dec_base64(*state, hub_key(*state, &row), &hub));
    assert_ok(check(*state, &row, (struct shown){&ours, false, nonce}, &both, &d));
    assert_ok(check(*state, &row, (struct shown){&ours, false, older}, &one, &d));
    assert_ok(check(*state, &row, (struct shown){NULL, false, nonce}, &both, &d));
    assert_err(check(*state, &row, (struct shown){&strangers, false, nonce}, &both, &d), UNAUTHORIZED);
    assert_err(check(*state, &row, (struct shown){&ours, false, nonce}, &one, &d), UNAUTHORIZED);
    assert_err(check(*state, &row, (struct shown){&ours, false, older}, &(struct keypair){nonce, {NULL, 0}}, &d),
               UNAUTHORIZED);
    assert_says(d, "signed with another key than the one that its TPM was handed");
    assert_err(check(*state, &row, (struct shown){&ours, false, nonce}, NULL, &d), UNAUTHORIZED);
    assert_says(d, "no challenge is open");
    assert_err(check(*state, &row, (struct shown){&ours, false, hub}, &both, &d), UNAUTHORIZED);
    assert_err(check(*state, &row, (struct shown){&ours, false, {(const uint8_t *)"", 0}}, &one, &d), UNAUTHORIZED);
}

static void a_nonce_is_of_its_device_and_its_row(void **state)
{
    struct attest_row row = stored(*state, &ours, false), other = row;
    struct attest_nonce nonce, broken;
    struct bytes key, again;
    struct err_detail d;
    other.stored = stored(*state, &strangers, false).stored;
    assert_ok(attest_nonce_new(*state, &row, &d, &nonce));
    assert_ok(attest_nonce_open(*state, &row, &nonce, &d, &key));
    assert_int_equal(key.n, TPM_KEY_BYTES);
    assert_ok(attest_nonce_open(*state, &other, &nonce, &d, &again));
    assert_null(again.p);
    store(*state, &row, sent(*state, &ours, true)); /* the same TPM: its challenge stays */
    assert_ok(attest_nonce_open(*state, &row, &nonce, &d, &again));
    tpm_same(again, key);
    broken = nonce;
    broken.sealed.n--;
    assert_err(attest_nonce_open(*state, &row, &broken, &d, &again), SEAL_BROKEN);
}

static void who_is_handed_keys(void **state)
{
    struct attest_row row = stored(*state, &ours, false), nothing = nothing_stored();
    struct attest_stored keys = row.stored;
    keys.type = ATTEST_SYMMETRIC_KEY;
    assert_true(attest_is_handed(&row.stored));
    assert_int_equal(attest_cost(&row.stored), ATTEST_DEAR);
    assert_false(attest_is_handed(&nothing.stored));
    assert_false(attest_is_handed(&keys));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(both_forms_of_a_public_area_are_taken),
        UNIT(other_public_areas_are_refused),
        UNIT(a_public_area_ends_where_it_ends),
        UNIT(what_is_wrapped_opens_in_that_tpm_alone),
        UNIT(the_hub_is_told_the_key_that_the_device_is_handed),
        UNIT(nothing_is_handed_without_a_root_key),
        UNIT(both_public_areas_are_shown_and_no_key_of_the_hub),
        UNIT(bad_members_are_named),
        UNIT(the_key_for_the_hub_stays_as_long_as_the_tpm_does),
        UNIT(what_does_not_open_is_healed_by_the_next_write),
        UNIT(its_own_endorsement_key_is_challenged_and_no_other),
        UNIT(a_nonce_that_it_was_handed_admits_and_nothing_else),
        UNIT(a_nonce_is_of_its_device_and_its_row),
        UNIT(who_is_handed_keys),
    };
    return cmocka_run_group_tests_name("tpm", tests, devices_up, devices_down);
}
