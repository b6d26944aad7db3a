/* test_diagnose.c: which mistake a refused device made. A table {mistake, how the token comes about, what the log
 * says}: each sentence is said of its own mistake alone, not of any other one, of a good token, or of a key that nobody
 * knows. */
#include <ctype.h>

#include "core/attest/diagnose.h"
#include "core/limits.h"
#include "core/sas.h"

#include "unit.h"

#define SCOPE "0ne00000001"
#define ID "device-1"
enum { NOW_S = 1800000000, OWN_BYTES = 64 };

static const uint8_t primary[OWN_BYTES] = "the primary key of the enrollment, 64 bytes of it, no more of tr";
static const uint8_t secondary[OWN_BYTES] = "the second key of the enrollment, 64 bytes of it too, no more or";
static const uint8_t policys[32] = "the key of a policy, of 32 bytes";
static const uint8_t others_key[32] = "the key of device-2, of 32 bytes";
static const uint8_t nobodys[32] = "a key that nobody knows, of 32 b";
static const uint8_t halls[OWN_BYTES] = "the primary key of the group hall, 64 bytes of it, no more of tr";

static struct bytes own(void)
{
    return (struct bytes){primary, sizeof primary};
}

/* A token over a resource that is sent as it is signed. */
static struct str token(struct arena *a, const char *resource, struct bytes key, int64_t expiry_s)
{
    return sas_make(a, str_of(resource), STR("registration"), key, expiry_s);
}

static struct str good_for(struct arena *a, struct bytes key)
{
    return token(a, SCOPE "/registrations/" ID, key, NOW_S + 3600);
}

static struct bytes hall(void)
{
    return (struct bytes){halls, sizeof halls};
}

/* By the key that derives from one for a text. */
static struct str derived_for(struct arena *a, struct bytes key, const char *text, int64_t expiry_s)
{
    struct sha256 derived = crypt_hmac_sha256(key, unit_bytes(text));
    return token(a, SCOPE "/registrations/" ID, (struct bytes){derived.b, sizeof derived.b}, expiry_s);
}

/* --- the mistakes ------------------------------------------------------------------------------------------------- */

static struct str another_scope(struct arena *a)
{
    return token(a, "0ne00000002/registrations/" ID, own(), NOW_S + 3600);
}

static struct str another_id(struct arena *a)
{
    return token(a, SCOPE "/registrations/device-2", own(), NOW_S + 3600);
}

static struct str a_hub(struct arena *a)
{
    return token(a, "hub.example/devices/" ID, own(), NOW_S + 3600);
}

static struct str late(struct arena *a)
{
    return token(a, SCOPE "/registrations/" ID, own(), NOW_S - 61 * 60);
}

static struct str late_secondary(struct arena *a)
{
    return token(a, SCOPE "/registrations/" ID, (struct bytes){secondary, sizeof secondary}, NOW_S - 7 * 60);
}

static struct str policy_key(struct arena *a)
{
    return good_for(a, (struct bytes){policys, sizeof policys});
}

static struct str another_key(struct arena *a)
{
    return good_for(a, (struct bytes){others_key, sizeof others_key});
}

static struct str cut_behind(struct arena *a)
{
    return good_for(a, (struct bytes){primary, OWN_BYTES - 1});
}

static struct str cut_before(struct arena *a)
{
    return good_for(a, (struct bytes){primary + 3, OWN_BYTES - 3});
}

static struct str padded(struct arena *a)
{
    uint8_t key[OWN_BYTES + 2] = {0};
    memcpy(key, primary, OWN_BYTES);
    return good_for(a, (struct bytes){key, sizeof key});
}

static struct str undecoded_as(struct arena *a, size_t less, const char *more)
{
    struct str text = enc_base64(a, own());
    text = arena_printf(a, "%.*s%s", (int)(text.n - less), text.p, more);
    return good_for(a, (struct bytes){(const uint8_t *)text.p, text.n});
}

static struct str undecoded(struct arena *a)
{
    return undecoded_as(a, 0, "");
}

static struct str undecoded_bare(struct arena *a)
{
    return undecoded_as(a, 2, "");
}

static struct str undecoded_line(struct arena *a)
{
    return undecoded_as(a, 0, "\n");
}

static struct str lowered(struct arena *a)
{
    struct bytes key;
    assert_true(dec_base64(a, arena_lower(a, enc_base64(a, own())), &key));
    return good_for(a, key);
}

static struct str derived(struct arena *a)
{
    struct sha256 key = crypt_hmac_sha256(own(), unit_bytes(ID));
    return good_for(a, (struct bytes){key.b, sizeof key.b});
}

/* Signed decoded, sent encoded. */
static struct str spelled(struct arena *a)
{
    struct str text = STR(SCOPE "/registrations/" ID "\n1800003600");
    struct sha256 hash = crypt_hmac_sha256(own(), (struct bytes){(const uint8_t *)text.p, text.n});
    struct str sig = enc_percent(a, enc_base64(a, (struct bytes){hash.b, sizeof hash.b}));
    return arena_printf(a, "SharedAccessSignature sr=%s&sig=%s&se=1800003600&skn=registration",
                        enc_percent(a, STR(SCOPE "/registrations/" ID)).p, sig.p);
}

static struct str nobodys_key(struct arena *a)
{
    return good_for(a, (struct bytes){nobodys, sizeof nobodys});
}

/* --- … of a group's device, or of one that takes itself for one --------------------------------------------------- */

static struct str member(struct arena *a)
{
    return derived_for(a, hall(), ID, NOW_S + 3600);
}

static struct str member_late(struct arena *a)
{
    return derived_for(a, hall(), ID, NOW_S - 12 * 60);
}

static struct str group_itself(struct arena *a)
{
    return good_for(a, hall());
}

static struct str member_of_another_id(struct arena *a)
{
    return derived_for(a, hall(), "device-7", NOW_S + 3600);
}

static struct str member_in_capitals(struct arena *a)
{
    return derived_for(a, hall(), "DEVICE-1", NOW_S + 3600);
}

static struct str member_of_resource(struct arena *a)
{
    return derived_for(a, hall(), SCOPE "/registrations/" ID, NOW_S + 3600);
}

static struct str member_with_line(struct arena *a)
{
    return derived_for(a, hall(), ID "\n", NOW_S + 3600);
}

static struct str member_cut(struct arena *a)
{
    return derived_for(a, (struct bytes){halls, OWN_BYTES - 2}, ID, NOW_S + 3600);
}

static struct str member_padded(struct arena *a)
{
    uint8_t key[OWN_BYTES + 1] = {0};
    memcpy(key, halls, OWN_BYTES);
    return derived_for(a, (struct bytes){key, sizeof key}, ID, NOW_S + 3600);
}

static struct str member_undecoded(struct arena *a)
{
    struct str text = enc_base64(a, hall());
    return derived_for(a, (struct bytes){(const uint8_t *)text.p, text.n}, ID, NOW_S + 3600);
}

static struct str member_key_undecoded(struct arena *a)
{
    struct sha256 key = crypt_hmac_sha256(hall(), unit_bytes(ID));
    struct str text = enc_base64(a, (struct bytes){key.b, sizeof key.b});
    return good_for(a, (struct bytes){(const uint8_t *)text.p, text.n});
}

static struct str member_key_cut(struct arena *a)
{
    struct sha256 key = crypt_hmac_sha256(hall(), unit_bytes(ID));
    return good_for(a, (struct bytes){key.b, sizeof key.b - 1});
}

static struct str member_twice(struct arena *a)
{
    struct sha256 key = crypt_hmac_sha256(hall(), unit_bytes(ID));
    return derived_for(a, (struct bytes){key.b, sizeof key.b}, ID, NOW_S + 3600);
}

struct mistake {
    const char *mistake;
    struct str (*make)(struct arena *a);
    const char *words;
};
static const struct mistake rows[] = {
    {"sr names another scope", another_scope, "names the ID scope \"0ne00000002\""},
    {"sr names another id", another_id, "names the registration id \"device-2\""},
    {"sr names a device of a hub", a_hub, "\"hub.example/devices/device-1\" and names no registration"},
    {"a clock that is behind", late, "primary key, but the token expired 61 minutes before"},
    {"the same with the other key", late_secondary, "secondary key, but the token expired 7 minutes before"},
    {"a policy's key", policy_key, "signed with the primary key of policy \"owner\" of the instance"},
    {"another entry's key", another_key, "signed with the secondary key of the enrollment \"device-2\""},
    {"a key cut at its end", cut_behind, "primary key cut to 63 of its 64 bytes"},
    {"a key cut at its beginning", cut_before, "primary key cut to 61 of its 64 bytes"},
    {"padding read as bytes", padded, "primary key padded with zeros"},
    {"a key not decoded", undecoded, "signed with the text of the primary key"},
    {"the same without padding", undecoded_bare, "signed with the text of the primary key"},
    {"the same with a line's end", undecoded_line, "signed with the text of the primary key"},
    {"a key in lower case", lowered, "primary key in letters of another case"},
    {"a key derived as in a group", derived, "derived from the primary key"},
    {"another text signed", spelled, "primary key over another spelling of sr"},
    {"a group's key itself", group_itself, "primary key of the enrollment group \"hall\" itself"},
    {"a group's device with an enrollment of its own", member, "\"hall\", but the id has an enrollment of its own"},
    {"a key that nobody knows", nobodys_key, "a key that is not the enrollment's, whose check words are "},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Of a device that is in no list. */
static const struct mistake strangers[] = {
    {"sr names another scope", another_scope, "names the ID scope \"0ne00000002\""},
    {"sr names another id", another_id, "names the registration id \"device-2\""},
    {"a policy's key", policy_key, "signed with the primary key of policy \"owner\" of the instance"},
    {"another entry's key", another_key, "signed with the secondary key of the enrollment \"device-2\""},
    {"the group's key itself", group_itself, "primary key of the enrollment group \"hall\" itself"},
    {"a clock that is behind", member_late, "primary key of the enrollment group \"hall\", but the token expired 12 "},
    {"derived for another id", member_of_another_id, "group \"hall\", but for \"device-7\" in place of"},
    {"derived in capitals", member_in_capitals, "group \"hall\", but for \"DEVICE-1\" in place of"},
    {"derived for the resource", member_of_resource, "but for \"" SCOPE "/registrations/" ID "\" in place of"},
    {"derived for a line", member_with_line, "but for \"" ID "?\" in place of"},
    {"derived from a key that was cut", member_cut, "group \"hall\" cut to 62 of its 64 bytes"},
    {"derived from one with padding", member_padded, "group \"hall\" padded with zeros"},
    {"derived from its text", member_undecoded, "derives from the text of the primary key of the enrollment group"},
    {"the derived key not decoded", member_key_undecoded, "signed with the text of the key that derives from"},
    {"the derived key cut", member_key_cut, "key of the enrollment group \"hall\" cut to 31 of its 32 bytes"},
    {"derived twice", member_twice, "with a key derived from the key that derives from the primary key"},
    {"a key that nobody knows", nobodys_key, "derives from none of the enrollment groups \"yard\", \"hall\""},
};
enum { STRANGERS = sizeof strangers / sizeof *strangers };

static struct str held_against(struct arena *a, struct str authorization, const struct keypair *own, bool enrolled,
                               size_t groups)
{
    const struct presented presented = {.authorization = authorization};
    const struct attest_claim claim = {.presented = &presented,
                                       .id_scope = STR(SCOPE),
                                       .registration_id = STR(ID),
                                       .now_us = NOW_S * INT64_C(1000000)};
    struct attest_suspect others[] = {
        {STR("policy \"owner\" of the instance"), {{policys, sizeof policys}, {nobodys, 1}}},
        {STR("the enrollment \"device-2\""), {{nobodys, 1}, {others_key, sizeof others_key}}},
    };
    struct attest_suspect two[] = {{STR("yard"), {{nobodys, 5}, {nobodys, 6}}}, {STR("hall"), {hall(), {nobodys, 7}}}};
    struct str ids[] = {STR("device-2"), STR("device-7")};
    const struct attest_suspects all = {.enrolled = enrolled,
                                        .own = own,
                                        .others = others,
                                        .other_count = 2,
                                        .groups = two,
                                        .group_count = groups,
                                        .ids = {ids, 2, true}};
    return attest_diagnose(a, &claim, &all);
}

static struct str diagnosed(struct arena *a, struct str authorization)
{
    const struct keypair keys = {own(), {secondary, sizeof secondary}};
    return held_against(a, authorization, &keys, true, 2);
}

static struct str diagnosed_stranger(struct arena *a, struct str authorization)
{
    return held_against(a, authorization, NULL, false, 2);
}

static bool says(struct str text, const char *words)
{
    return text.p && strstr(text.p, words);
}

typedef struct str (*diagnoser)(struct arena *a, struct str authorization);

static void check_each_is_named(struct arena *a, diagnoser of, const struct mistake *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str found = of(a, at[i].make(a));
        if (!says(found, at[i].words))
            fail_msg("%s: %.*s", at[i].mistake, STR_ARG(found));
    }
}

static void check_no_other_is_named(struct arena *a, diagnoser of, const struct mistake *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            struct str found = of(a, at[j].make(a));
            if (strcmp(at[i].words, at[j].words) != 0 && says(found, at[i].words))
                fail_msg("%s is named in: %s", at[i].mistake, found.p);
        }
}

static void test_each_mistake_is_named(void **state)
{
    check_each_is_named(*state, diagnosed, rows, ROWS);
    check_each_is_named(*state, diagnosed_stranger, strangers, STRANGERS);
}

static void test_no_mistake_is_named_where_it_is_absent(void **state)
{
    check_no_other_is_named(*state, diagnosed, rows, ROWS);
    check_no_other_is_named(*state, diagnosed_stranger, strangers, STRANGERS);
    assert_text(diagnosed_stranger(*state, member(*state)), NULL);
}

/* Its lane has said that a token is no proof here, or that no challenge is open. */
static void test_of_an_enrollment_without_keys_only_what_is_known_is_said(void **state)
{
    assert_text(held_against(*state, nobodys_key(*state), NULL, true, 2), NULL);
    assert_true(says(held_against(*state, member(*state), NULL, true, 2), "has an enrollment of its own"));
}

static void test_groups_are_named_as_far_as_there_is_room(void **state)
{
    struct attest_suspect groups[GROUPS_MOST];
    struct attest_suspects all = {.groups = groups};
    const struct presented presented = {.authorization = nobodys_key(*state)};
    const struct attest_claim claim = {.presented = &presented, .id_scope = STR(SCOPE), .registration_id = STR(ID)};
    assert_text(attest_diagnose(*state, &claim, &all), "the instance has no enrollment group with symmetric keys");
    for (size_t i = 0; i < GROUPS_MOST; i++)
        groups[all.group_count++] =
            (struct attest_suspect){arena_printf(*state, "group-of-hall-%zu", i), {hall(), hall()}};
    struct str found = attest_diagnose(*state, &claim, &all);
    assert_true(says(found, "\"group-of-hall-0\", \"group-of-hall-1\""));
    assert_true(says(found, " and 92 more"));
    assert_true(found.n < 300);
}

static void test_nothing_is_said_of_what_is_good_or_not_read(void **state)
{
    assert_text(diagnosed(*state, good_for(*state, own())), NULL);
    assert_text(diagnosed(*state, good_for(*state, (struct bytes){secondary, sizeof secondary})), NULL);
    assert_text(diagnosed(*state, STR("SharedAccessSignature sr=a")), NULL);
    assert_text(diagnosed(*state, STR("")), NULL);
}

static void test_what_a_device_sent_is_cut_and_made_plain(void **state)
{
    struct str found = diagnosed(*state, token(*state, SCOPE "/registrations/\xff\n\"b\"", own(), NOW_S + 3600));
    assert_true(says(found, "registration id \"???b?\""));
    char long_id[2001] = {0};
    memset(long_id, 'x', sizeof long_id - 1);
    found = diagnosed(*state, token(*state, long_id, own(), NOW_S + 3600));
    assert_true(found.n < ERR_DETAIL_MAX);
}

/* SHA-256 of 32 zero bytes begins with 66687aad; no sentence holds a key. */
static void test_keys_are_told_by_check_words(void **state)
{
    static const uint8_t zeros[32];
    assert_text(keypair_check_word(*state, (struct bytes){zeros, sizeof zeros}), "66687aad");
    struct str found = diagnosed(*state, nobodys_key(*state));
    assert_true(says(found, keypair_check_word(*state, own()).p));
    assert_true(says(found, keypair_check_word(*state, (struct bytes){secondary, sizeof secondary}).p));
    for (size_t i = 0; i < ROWS; i++)
        assert_false(says(diagnosed(*state, rows[i].make(*state)), enc_base64(*state, own()).p));
}

static void test_keys_of_a_row(void **state)
{
    struct key_ring *ring;
    struct err_detail d;
    struct keypair keys;
    assert_ok(key_ring_parse(STR("7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), NULL, &ring));
    struct attest_row row = {ring, {.id_scope = STR(SCOPE), .key = STR(ID)}};
    assert_false(attest_keys(*state, &row, &keys));
    struct symmetric_key sent = {enc_base64(*state, own()),
                                 enc_base64(*state, (struct bytes){others_key, sizeof others_key})};
    struct attestation in = {.type = ATTEST_SYMMETRIC_KEY, .symmetric_key = &sent};
    assert_ok(attest_seal(*state, &row, &in, &d, &row.stored));
    assert_true(attest_keys(*state, &row, &keys));
    assert_int_equal(keys.primary.n, OWN_BYTES);
    assert_memory_equal(keys.secondary.p, others_key, sizeof others_key);
    struct check_words words;
    assert_true(attest_check_words(*state, &row, &words));
    assert_true(str_same(words.secondary, keypair_check_word(*state, keys.secondary)));
    row.stored.key = STR("another");
    assert_false(attest_keys(*state, &row, &keys));
    assert_false(attest_check_words(*state, &row, &words));
    key_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_each_mistake_is_named),
        UNIT(test_no_mistake_is_named_where_it_is_absent),
        UNIT(test_nothing_is_said_of_what_is_good_or_not_read),
        UNIT(test_what_a_device_sent_is_cut_and_made_plain),
        UNIT(test_of_an_enrollment_without_keys_only_what_is_known_is_said),
        UNIT(test_groups_are_named_as_far_as_there_is_room),
        UNIT(test_keys_are_told_by_check_words),
        UNIT(test_keys_of_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
