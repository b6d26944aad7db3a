/* test_sas.c: shared access signatures. The vectors (a derived key, a device token in both spellings of the escapes, a
 * service token) were computed apart from this code. */
#include "core/sas.h"

#include "sas_vectors.h"
#include "unit.h"

#define SERVICE                                                                                                        \
    "SharedAccessSignature "                                                                                           \
    "sr=plantdps.azure-devices-provisioning.net&sig=M6K%2FCG%2BZntWxeKgHqorwMamEVNPrYUXta5FtsaLfqWI%3D&se=1893456000&" \
    "skn=provisioningserviceowner"
#define SIG "sig=M6K%2FCG%2BZntWxeKgHqorwMamEVNPrYUXta5FtsaLfqWI%3D"

static struct bytes key_of(struct arena *a, const char *base64)
{
    struct bytes key = {NULL, 0};
    assert_true(dec_base64(a, str_of(base64), &key));
    return key;
}

static struct sas parsed(struct arena *a, const char *header)
{
    struct sas s;
    struct err_detail d = {""};
    assert_ok(sas_parse(a, str_of(header), &d, &s));
    return s;
}

static void a_group_device_has_the_derived_key(void **state)
{
    struct sha256 key = crypt_hmac_sha256(key_of(*state, GROUP_KEY), unit_bytes("line7-unit042"));
    assert_text(enc_base64(*state, (struct bytes){key.b, sizeof key.b}), DEVICE_KEY);
    key = crypt_hmac_sha256(key_of(*state, GROUP_KEY), unit_bytes("line7-unit043"));
    assert_false(str_same(enc_base64(*state, (struct bytes){key.b, sizeof key.b}), STR(DEVICE_KEY)));
}

static void signatures_are_over_the_resource_as_sent(void **state)
{
    struct bytes device = key_of(*state, DEVICE_KEY), service = key_of(*state, SERVICE_KEY);
    struct sas upper = parsed(*state, UPPER), lower = parsed(*state, LOWER), api = parsed(*state, SERVICE);
    assert_true(sas_signed_with(&upper, device));
    assert_true(sas_signed_with(&lower, device));
    assert_true(sas_signed_with(&api, service));
    assert_text(upper.resource, "0ne0000BEEF/registrations/line7-unit042");
    assert_text(lower.resource, "0ne0000BEEF/registrations/line7-unit042");
    assert_text(lower.resource_raw, "0ne0000BEEF%2fregistrations%2fline7-unit042");
    assert_text(api.key_name, "provisioningserviceowner");
    assert_null(upper.key_name.p);
    assert_false(sas_signed_with(&upper, service));
    assert_false(sas_signed_with(&upper, key_of(*state, GROUP_KEY)));
    assert_false(sas_signed_with(&upper, (struct bytes){(const uint8_t *)"", 0}));
}

static void a_changed_token_is_not_signed(void **state)
{
    struct bytes device = key_of(*state, DEVICE_KEY);
    struct sas s = parsed(*state, UPPER);
    s.expiry_raw = STR("1893456001");
    assert_false(sas_signed_with(&s, device));
    s = parsed(*state, UPPER);
    s.resource_raw = STR("0ne0000BEEF%2fregistrations%2fline7-unit042"); /* the same resource, spelt otherwise */
    assert_false(sas_signed_with(&s, device));
    s = parsed(*state, UPPER);
    s.signature.b[31] ^= 1;
    assert_false(sas_signed_with(&s, device));
    char *huge = arena_alloc(*state, SAS_TOKEN_MAX + 1);
    s.resource_raw = (struct str){huge, SAS_TOKEN_MAX};
    assert_false(sas_signed_with(&s, device));
}

static void members_come_in_any_order_and_case(void **state)
{
    struct sas s = parsed(*state, "sharedaccesssignature  SKN=a%40b&SE=1893456000.75&other=x&" SIG "&Sr=h%2F");
    assert_text(s.key_name, "a@b");
    assert_text(s.resource, "h");
    assert_text(s.expiry_raw, "1893456000.75");
    assert_true(s.expiry_s == 1893456000);
    s = parsed(*state, "SharedAccessSignature sr=h&se=1&sig=M6K/CG+ZntWxeKgHqorwMamEVNPrYUXta5FtsaLfqWI=");
    assert_int_equal(s.signature.b[0], 0x33); /* unescaped base64 is read too, '+' included */
}

static void an_empty_key_name_is_none(void **state)
{
    assert_text(parsed(*state, "SharedAccessSignature sr=h&" SIG "&se=1&skn=").key_name, NULL);
    assert_text(parsed(*state, "SharedAccessSignature SKN=&sr=h&" SIG "&se=1\r\n").key_name, NULL);
}

static void garbled_tokens_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "SharedAccessSignature",
        "SharedAccessSignature ",
        "Bearer sr=h&" SIG "&se=1",
        "SharedAccessSignaturesr=h&" SIG "&se=1",
        "SharedAccessSignature sr=h&" SIG,
        "SharedAccessSignature sr=h&se=1",
        "SharedAccessSignature " SIG "&se=1",
        "SharedAccessSignature sr=&" SIG "&se=1",
        "SharedAccessSignature sr=h&" SIG "&se=",
        "SharedAccessSignature sr=h&sr=h&" SIG "&se=1",
        "SharedAccessSignature sr=h&SR=h&" SIG "&se=1",
        "SharedAccessSignature sr=h&" SIG "&se=1&",
        "SharedAccessSignature sr=h&" SIG "&se=1&skn",
        "SharedAccessSignature sr=h%2&" SIG "&se=1",
        "SharedAccessSignature sr=h%00&" SIG "&se=1",
        "SharedAccessSignature sr=h&" SIG "&se=1&skn=%zz",
        "SharedAccessSignature sr=h&sig=AAAA&se=1",
        "SharedAccessSignature sr=h&sig=***&se=1",
        "SharedAccessSignature sr=h&sig=%G0&se=1",
        "SharedAccessSignature sr=h&" SIG "&se=soon",
        "SharedAccessSignature sr=h&" SIG "&se=-1",
        "SharedAccessSignature sr=h&" SIG "&se=1e9",
        "SharedAccessSignature sr=h&" SIG "&se=1.",
        "SharedAccessSignature sr=h&" SIG "&se=1.x",
        "SharedAccessSignature sr=h&" SIG "&se=99999999999999999999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sas s = {.expiry_s = 42};
        struct err_detail d = {""};
        if (sas_parse(*state, str_of(bad[i]), &d, &s) != E(UNAUTHORIZED))
            fail_msg("accepted: %s", bad[i]);
        assert_true(*d.text);
        assert_true(s.expiry_s == 42);
    }
    struct sas s;
    assert_err(sas_parse(*state, str_of(NULL), NULL, &s), UNAUTHORIZED);
}

static void a_huge_token_is_refused(void **state)
{
    struct text t;
    struct sas s;
    struct err_detail d;
    text_init(&t, *state, 0);
    text_add(&t, STR(SERVICE "&x="));
    while (t.n < SAS_TOKEN_MAX)
        text_add_char(&t, 'x');
    assert_ok(sas_parse(*state, text_str(&t), &d, &s));
    text_add_char(&t, 'x');
    assert_err(sas_parse(*state, text_str(&t), &d, &s), UNAUTHORIZED);
    assert_says(d, "too long");
}

static void clocks_may_differ_by_five_minutes(void **state)
{
    struct sas s = parsed(*state, UPPER);
    assert_true(sas_alive(&s, 0));
    assert_true(sas_alive(&s, EXPIRY_US));
    assert_true(sas_alive(&s, EXPIRY_US + 300 * INT64_C(1000000)));
    assert_false(sas_alive(&s, EXPIRY_US + 301 * INT64_C(1000000)));
    s.expiry_s = INT64_MAX;
    assert_true(sas_alive(&s, EXPIRY_US));
}

static void a_resource_covers_what_is_below_it(void **state)
{
    static const struct {
        const char *resource, *audience;
        bool covers;
    } rows[] = {
        {"plant.dps.d", "plant.dps.d/enrollments/x", true},
        {"PLANT.dps.d", "plant.DPS.d", true},
        {"plant.dps.d/enrollments", "plant.dps.d/enrollments/x", true},
        {"plant.dps.d:8443", "plant.dps.d/enrollments", true},
        {"plant.dps.d", "plant.dps.d:443/enrollments", true},
        {"0ne0000beef/Registrations/LINE7", "0ne0000BEEF/registrations/line7", true},
        {"0ne0000beef", "0ne0000BEEF/registrations/line7", true},
        {"plant.dps.d/enr", "plant.dps.d/enrollments", false},
        {"plant.dps.d/enrollments/x", "plant.dps.d/enrollments", false},
        {"plant.dps.d/enrollments/x", "plant.dps.d", false},
        {"plant.dps", "plant.dps.d", false},
        {"plant2.dps.d", "plant.dps.d", false},
        {"d", "plant.dps.d", false},
        {"0ne0000beef/registrations/line7", "0ne0000BEEF/registrations/line77", false},
        {"0ne0000beef/registrations/line77", "0ne0000BEEF/registrations/line7", false},
        {"0ne0000beee/registrations/line7", "0ne0000BEEF/registrations/line7", false},
        {"/plant.dps.d", "plant.dps.d", false},
        {"", "plant.dps.d", false},
        {"plant.dps.d", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sas s = {.resource = str_of(rows[i].resource)};
        if (sas_covers(&s, str_of(rows[i].audience)) != rows[i].covers)
            fail_msg("%s for %s", rows[i].resource, rows[i].audience);
    }
}

static void a_token_of_ours_is_good(void **state)
{
    struct bytes key = key_of(*state, SERVICE_KEY);
    assert_text(sas_make(*state, STR("plantdps.azure-devices-provisioning.net"), STR("provisioningserviceowner"), key,
                         1893456000),
                SERVICE);
    struct str odd = sas_make(*state, STR("h/devices/a b%"), str_of(NULL), key, 1893456000);
    struct sas s = parsed(*state, odd.p);
    assert_true(sas_signed_with(&s, key));
    assert_text(s.resource, "h/devices/a b%");
    assert_null(strstr(odd.p, "skn"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_group_device_has_the_derived_key),
        UNIT(signatures_are_over_the_resource_as_sent),
        UNIT(a_changed_token_is_not_signed),
        UNIT(members_come_in_any_order_and_case),
        UNIT(an_empty_key_name_is_none),
        UNIT(garbled_tokens_are_refused),
        UNIT(a_huge_token_is_refused),
        UNIT(clocks_may_differ_by_five_minutes),
        UNIT(a_resource_covers_what_is_below_it),
        UNIT(a_token_of_ours_is_good),
    };
    return cmocka_run_group_tests_name("sas", tests, NULL, NULL);
}
