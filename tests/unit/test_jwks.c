/* test_jwks.c: sets of keys of outside issuers: what is taken, what is left out, and what spoils the whole. */
#include "core/jwks.h"

#include <openssl/x509.h>

#include "core/limits.h"
#include "unit.h"

/* A P-256 key (RFC 7515, A.3) and an RSA key (A.2). */
#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define N                                                                                                              \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"             \
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7"    \
    "WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"  \
    "PAcDTW9gb54h4FRWyuXpoQ"
#define EC(kid) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"kid\":\"" kid "\"}"
#define RSA(kid)                                                                                                       \
    "{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQAB\",\"kid\":\"" kid "\",\"use\":\"sig\",\"alg\":\"RS256\"}"

static void takes(struct arena *a, const char *text, size_t wanted)
{
    struct jwks_key *keys;
    size_t count;
    struct err_detail d = {""};
    err_t e = jwks_read(a, str_of(text), &d, &keys, &count);
    if (e)
        fail_msg("%s: %s", text, d.text);
    assert_int_equal(count, wanted);
}

static void refuses(struct arena *a, const char *text, const char *says)
{
    struct jwks_key *keys = NULL;
    size_t count = 77;
    struct err_detail d = {""};
    assert_non_null(jwks_read(a, str_of(text), &d, &keys, &count));
    assert_says(d, says);
    assert_null(keys);
    assert_int_equal(count, 77);
}

static void both_kinds_are_taken_as_what_they_are(void **state)
{
    struct jwks_key *keys;
    size_t count;
    assert_ok(jwks_read(*state, STR("{\"keys\":[" EC("one") "," RSA("two") "]}"), NULL, &keys, &count));
    assert_int_equal(count, 2);
    assert_text(keys[0].kid, "one");
    assert_text(keys[1].kid, "two");
    assert_int_equal(keys[0].algorithm, JWT_ES256);
    assert_int_equal(keys[1].algorithm, JWT_RS256);
    for (size_t i = 0; i < 2; i++) {
        const unsigned char *p = keys[i].public.p;
        EVP_PKEY *k = d2i_PUBKEY(NULL, &p, (long)keys[i].public.n);
        assert_non_null(k);
        assert_true(EVP_PKEY_is_a(k, i ? "RSA" : "EC"));
        assert_int_equal(EVP_PKEY_get_bits(k), i ? 2048 : 256);
        EVP_PKEY_free(k);
    }
}

static void keys_for_something_else_are_left_out(void **state)
{
    static const char *const others[] = {
        "{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"x\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X "\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\",\"kid\":\"x\"}", /* not on the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "AA\",\"y\":\"" Y "\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}", /* no kid */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"kid\":\"\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"kid\":\"x\",\"use\":\"enc\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"kid\":\"x\",\"alg\":\"RS256\"}",
        "{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQAB\",\"kid\":\"x\",\"alg\":\"RS512\"}",
        "{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQAB\",\"kid\":\"x\",\"alg\":\"HS256\"}",
        "{\"kty\":\"RSA\",\"n\":\"" X "\",\"e\":\"AQAB\",\"kid\":\"x\"}", /* too short */
        "{\"kty\":\"RSA\",\"n\":\"AA" N "\",\"e\":\"AQAB\",\"kid\":\"x\"}",
        "{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQ\",\"kid\":\"x\"}",   /* 1 */
        "{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQAA\",\"kid\":\"x\"}", /* even */
        "{\"kty\":\"RSA\",\"n\":\"" N "\",\"e\":\"AQAAAAAB\",\"kid\":\"x\"}",
        "{\"kty\":\"RSA\",\"n\":\"" N "\",\"kid\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        refuses(*state, arena_printf(*state, "{\"keys\":[%s]}", others[i]).p, "There is no key");
        takes(*state, arena_printf(*state, "{\"keys\":[%s," EC("good") ",%s]}", others[i], others[i]).p, 1);
    }
}

static void what_is_no_set_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "null",
                                      "{\"keys\":" EC("a") "}",
                                      "{\"keys\":[5]}",
                                      "{\"keys\":[{\"kty\":5}]}",
                                      "{\"keys\":[" EC("a") "]",
                                      "{\"keys\":[" EC("a") "]}x",
                                      "{\"keys\":[],\"keys\":[" EC("a") "]}",
                                      "{\"Keys\":[" EC("a") "]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(*state, bad[i], "");
    refuses(*state, "{\"keys\":[]}", "There is no key");
}

static void two_keys_of_one_kid_spoil_the_set(void **state)
{
    refuses(*state, "{\"keys\":[" EC("a") "," RSA("b") "," EC("a") "]}", "same kid");
    refuses(*state, "{\"keys\":[" EC("a") "," RSA("a") "]}", "same kid");
    takes(*state, "{\"keys\":[" EC("a") "," RSA("A") "]}", 2);
}

static void a_set_has_a_bound(void **state)
{
    struct text t;
    text_init(&t, *state, 4096);
    text_printf(&t, "{\"keys\":[%s", EC("k"));
    for (int i = 1; i < JWKS_KEYS_MAX; i++)
        text_printf(&t, ",{\"kty\":\"oct\"}");
    takes(*state, arena_printf(*state, "%s]}", text_str(&t).p).p, 1);
    refuses(*state, arena_printf(*state, "%s,{\"kty\":\"oct\"}]}", text_str(&t).p).p, "");
    char *padding = arena_alloc(*state, JWKS_BYTES_MAX + 1);
    memset(padding, ' ', JWKS_BYTES_MAX);
    refuses(*state, arena_printf(*state, "{\"keys\":[" EC("k") "]}%s", padding).p, "longer than");
}

static void discovery_is_of_the_issuer_that_was_asked(void **state)
{
    struct str url = {NULL, 0};
    struct err_detail d;
    const struct str issuer = STR("https://x.example/a");
    assert_ok(jwks_discover(*state, STR("{\"issuer\":\"https://x.example/a\",\"jwks_uri\":\"https://y.example/k\"}"),
                            issuer, NULL, &url));
    assert_text(url, "https://y.example/k");
    static const char *const bad[] = {
        "{\"issuer\":\"https://x.example/a/\",\"jwks_uri\":\"https://y.example/k\"}",
        "{\"issuer\":\"https://x.example/A\",\"jwks_uri\":\"https://y.example/k\"}",
        "{\"issuer\":\"https://x.example/a\"}",
        "{\"issuer\":\"https://x.example/a\",\"jwks_uri\":[\"https://y.example/k\"]}",
        "{\"jwks_uri\":\"https://y.example/k\"}",
        "nothing",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(jwks_discover(*state, str_of(bad[i]), issuer, &d, &url));
    char *padding = arena_alloc(*state, JWKS_BYTES_MAX + 2);
    memset(padding, ' ', JWKS_BYTES_MAX + 1);
    assert_non_null(jwks_discover(*state, str_of(padding), issuer, &d, &url));
    assert_says(d, "longer than");
}

static void an_address_of_keys_is_https_and_nothing_else(void **state)
{
    struct str host, path;
    int port;
    assert_true(jwks_url(STR("https://x.example"), &host, &port, &path));
    assert_true(str_same(host, STR("x.example")) && port == 443 && str_same(path, STR("")));
    assert_true(jwks_url(STR("https://X.example:8443/a/b%20c"), &host, &port, &path));
    assert_true(str_same(host, STR("X.example")) && port == 8443 && str_same(path, STR("/a/b%20c")));
    static const char *const bad[] = {
        "",
        "https://",
        "https:///path",
        "http://x.example",
        "file:///etc/passwd",
        "HTTPS://x.example",
        "https://user@x.example/",
        "https://user:x@x.example/",
        "https://x.example:0/",
        "https://x.example:65536/",
        "https://x.example:/",
        "https://x.example:8x/",
        "https://x.example/?a",
        "https://x.example/#a",
        "https://x.example/a b",
        "https://x.example/a\r\nHost: y",
        "https://x.example\\@y.example/",
        "https://x..example/",
        "https://[::1]/",
        " https://x.example",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (jwks_url(str_of(bad[i]), &host, &port, &path))
            fail_msg("%s is taken", bad[i]);
    char *most = arena_alloc(*state, ISSUER_URL_MOST + 2);
    memset(most, 'a', ISSUER_URL_MOST + 1);
    memcpy(most, "https://x.example/", 18);
    assert_true(jwks_url((struct str){most, ISSUER_URL_MOST}, &host, &port, &path));
    assert_false(jwks_url((struct str){most, ISSUER_URL_MOST + 1}, &host, &port, &path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(both_kinds_are_taken_as_what_they_are),
        UNIT(keys_for_something_else_are_left_out),
        UNIT(what_is_no_set_is_refused),
        UNIT(two_keys_of_one_kid_spoil_the_set),
        UNIT(a_set_has_a_bound),
        UNIT(discovery_is_of_the_issuer_that_was_asked),
        UNIT(an_address_of_keys_is_https_and_nothing_else),
    };
    return cmocka_run_group_tests_name("jwks", tests, NULL, NULL);
}
