/* test_enc.c: text forms of bytes, ids and times; decoders are strict. */
#include "unit.h"

static struct bytes of(const char *p, size_t n)
{
    return (struct bytes){(const uint8_t *)p, n};
}

static void base64_vectors(void **state)
{
    static const struct {
        const char *plain, *padded, *url;
    } rows[] = {{"", "", ""},
                {"f", "Zg==", "Zg"},
                {"fo", "Zm8=", "Zm8"},
                {"foo", "Zm9v", "Zm9v"},
                {"foob", "Zm9vYg==", "Zm9vYg"},
                {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                {"\xfb\xff\xfe", "+//+", "-__-"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes back;
        assert_text(enc_base64(*state, unit_bytes(rows[i].plain)), rows[i].padded);
        assert_text(enc_base64url(*state, unit_bytes(rows[i].plain)), rows[i].url);
        assert_true(dec_base64(*state, str_of(rows[i].padded), &back));
        assert_text(((struct str){(const char *)back.p, back.n}), rows[i].plain);
        assert_true(dec_base64url(*state, str_of(rows[i].url), &back));
        assert_text(((struct str){(const char *)back.p, back.n}), rows[i].plain);
    }
}

static void base64_refuses_every_other_form(void **state)
{
    static const char *const padded[] = {
        "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm-_", "Zg==Zg==", "Z=g="};
    static const char *const url[] = {"Z", "Zg==", "Zh", "Zm9v+", "Zm9/", "Zm9vY", "Zm9 "};
    struct bytes b = {NULL, 77};
    for (size_t i = 0; i < sizeof padded / sizeof *padded; i++)
        assert_false(dec_base64(*state, str_of(padded[i]), &b));
    for (size_t i = 0; i < sizeof url / sizeof *url; i++)
        assert_false(dec_base64url(*state, str_of(url[i]), &b));
    assert_int_equal(b.n, 77); /* untouched on failure */
}

static void every_byte_survives_base64_and_hex(void **state)
{
    uint8_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    for (size_t n = 250; n <= 256; n++) {
        struct bytes back, in = {all, n};
        assert_true(dec_base64(*state, enc_base64(*state, in), &back));
        assert_int_equal(back.n, n);
        assert_memory_equal(back.p, all, n);
        assert_true(dec_base64url(*state, enc_base64url(*state, in), &back));
        assert_memory_equal(back.p, all, n);
        assert_true(dec_hex(*state, enc_hex(*state, in, n % 2), &back));
        assert_memory_equal(back.p, all, n);
    }
}

static void hex(void **state)
{
    struct bytes b;
    assert_text(enc_hex(*state, of("\x00\xab\x9f", 3), false), "00ab9f");
    assert_text(enc_hex(*state, of("\x00\xab\x9f", 3), true), "00AB9F");
    assert_true(dec_hex(*state, STR("00aB9F"), &b));
    assert_false(dec_hex(*state, STR("0"), &b));
    assert_false(dec_hex(*state, STR("0g"), &b));
    assert_false(dec_hex(*state, STR("/0"), &b));
}

static void percent(void **state)
{
    struct str s;
    assert_true(dec_percent(*state, STR("a%2Fb%2fc+d"), false, &s));
    assert_text(s, "a/b/c+d");
    assert_true(dec_percent(*state, STR("a+b%2B"), true, &s));
    assert_text(s, "a b+");
    assert_true(dec_percent(*state, STR("%25%35%30"), false, &s));
    assert_text(s, "%50"); /* once, not twice */
    assert_text(enc_percent(*state, STR("aZ9-._~ /+%\xc3\xa9")), "aZ9-._~%20%2F%2B%25%C3%A9");
}

static void percent_refuses_bad_escapes_and_nul(void **state)
{
    static const char *const bad[] = {"%", "%2", "%2g", "a%", "%%41", "%00", "x%00y", "%-1"};
    struct str s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dec_percent(*state, str_of(bad[i]), false, &s));
    assert_false(dec_percent(*state, (struct str){"a\0b", 3}, false, &s));
}

static void uuids(void **state)
{
    struct uuid u, other;
    assert_true(dec_uuid(STR("7E7b5b0e-1d59-4f0e-9d36-0d2f4d1c8a20"), &u));
    assert_text(enc_uuid(*state, &u), "7e7b5b0e-1d59-4f0e-9d36-0d2f4d1c8a20");
    assert_true(dec_uuid(STR("7e7b5b0e-1d59-4f0e-9d36-0d2f4d1c8a21"), &other));
    assert_true(uuid_same(&u, &u));
    assert_false(uuid_same(&u, &other));
    static const char *const bad[] = {"",
                                      "7e7b5b0e1d594f0e9d360d2f4d1c8a20",
                                      "7e7b5b0e-1d59-4f0e-9d36-0d2f4d1c8a2",
                                      "7e7b5b0e-1d59-4f0e-9d36-0d2f4d1c8a200",
                                      "7e7b5b0e-1d59-4f0e-9d360-d2f4d1c8a20",
                                      "7e7b5b0g-1d59-4f0e-9d36-0d2f4d1c8a20",
                                      "{e7b5b0e-1d59-4f0e-9d36-0d2f4d1c8a2}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dec_uuid(str_of(bad[i]), &u));
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"2026-03-02T08:15:30.1234560Z", 1772439330123456},
                {"2026-03-02T08:15:30.12345699999Z", 1772439330123456},
                {"2026-03-02T08:15:30.5Z", 1772439330500000},
                {"2026-03-02T08:15:30Z", 1772439330000000},
                {"2000-02-29", 951782400000000},
                {"1970-01-01", 0},
                {"9999-12-31T23:59:59.999999Z", 253402300799999999}};
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-03",
                                      "2026-3-02",
                                      "2026-02-29",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-03-00",
                                      "1969-12-31",
                                      "-026-03-02",
                                      "2026-03-02T",
                                      "2026-03-02Z",
                                      "2026-03-02T08:15:30",
                                      "2026-03-02T08:15Z",
                                      "2026-03-02T24:00:00Z",
                                      "2026-03-02T08:60:00Z",
                                      "2026-03-02T08:15:60Z",
                                      "2026-03-02T08:15:30.Z",
                                      "2026-03-02T08:15:30.5",
                                      "2026-03-02T08:15:30.5Z ",
                                      "2026-03-02T08:15:30+01:00",
                                      "2026-03-02 08:15:30Z"};
    int64_t us;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(dec_time_iso(str_of(good[i].text), &us));
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dec_time_iso(str_of(bad[i]), &us));
}

static void times(void **state)
{
    assert_text(enc_time_iso(*state, 1772439330123456), "2026-03-02T08:15:30.1234560Z");
    assert_text(enc_time_iso(*state, 0), "1970-01-01T00:00:00.0000000Z");
    assert_text(enc_time_iso(*state, -1), "1969-12-31T23:59:59.9999990Z");
    assert_text(enc_time_http(*state, 1772439330123456), "Mon, 02 Mar 2026 08:15:30 GMT");
    assert_text(enc_time_http(*state, -1), "Wed, 31 Dec 1969 23:59:59 GMT");
    assert_text(enc_time_iso(*state, 951782400000000), "2000-02-29T00:00:00.0000000Z");
}

static void whole_numbers(void **state)
{
    (void)state;
    int64_t n = 5;
    assert_true(dec_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &n));
    assert_true(n == INT64_MIN);
    assert_true(dec_i64(STR("9223372036854775807"), INT64_MIN, INT64_MAX, &n));
    assert_true(n == INT64_MAX);
    assert_true(dec_i64(STR("007"), 0, 9, &n));
    assert_int_equal(n, 7);
    static const char *const bad[] = {
        "", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "9223372036854775808", "-9223372036854775809", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(dec_i64(str_of(bad[i]), INT64_MIN, INT64_MAX, &n));
    assert_false(dec_i64(STR("10"), 0, 9, &n));
    assert_false(dec_i64(STR("-1"), 0, 9, &n));
    assert_int_equal(n, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(base64_vectors),
        UNIT(base64_refuses_every_other_form),
        UNIT(every_byte_survives_base64_and_hex),
        UNIT(hex),
        UNIT(percent),
        UNIT(percent_refuses_bad_escapes_and_nul),
        UNIT(uuids),
        UNIT(times),
        UNIT(times_are_read),
        UNIT(whole_numbers),
    };
    return cmocka_run_group_tests_name("enc", tests, NULL, NULL);
}
