/* test_jwt.c: access tokens of our own, and the forgeries that libjwt alone would let through. */
#include "core/jwt.h"

#include <pthread.h>

#include <openssl/ec.h>
#include <openssl/pem.h>

#include "core/cache.h"
#include "core/json.h"
#include "unit.h"

static const int64_t NOW_S = 1900000000;
#define NOW_US (NOW_S * 1000000)

static const struct jwt_claims CLAIMS = {
    .issuer = STR("https://management.d/adfs"),
    .audience = STR("https://management.azure.com"),
    .subject = STR("2b1f6a3e-0000-4000-8000-000000000001"),
    .tenant_id = STR("2b1f6a3e-0000-4000-8000-000000000002"),
    .role = STR("owner"),
    .issued_s = 1900000000,
    .not_before_s = 1900000000,
    .expires_s = 1900003600,
};
#define PAYLOAD                                                                                                        \
    "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"owner\"],\"iat\":1900000000,\"nbf\":"       \
    "1900000000,\"exp\":1900003600}"
#define HEADER "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"k1\"}"

/* Two keys that live as long as the program. */
static struct jwt_key *first, *second;
static struct str first_pem;
static struct arena *forever;
static struct cache *verified;

static int make_keys(void **state)
{
    (void)state;
    forever = arena_new();
    first_pem = jwt_key_new_pem(forever);
    verified = cache_new(100, INT64_C(3600) * 1000000);
    return jwt_key_load(forever, STR("k1"), first_pem, &first) ||
           jwt_key_load(forever, STR("k2"), jwt_key_new_pem(forever), &second);
}

static int drop_keys(void **state)
{
    (void)state;
    cache_free(verified);
    arena_free(forever);
    return 0;
}

static err_t verify(struct arena *a, struct str token, int64_t now_us, struct err_detail *d, struct jwt_claims *ret)
{
    struct jwt_key *at[] = {second, first};
    const struct jwt_keys keys = {at, 2, verified};
    return jwt_verify(a, &keys, token, now_us, d, ret);
}

static void refuse(struct arena *a, struct str token, const char *says)
{
    struct err_detail d = {""};
    struct jwt_claims c = {.issued_s = -1};
    assert_err(verify(a, token, NOW_US, &d, &c), INVALID_TOKEN);
    assert_says(d, says);
    assert_true(c.issued_s == -1);
}

static struct str signed_token(struct arena *a)
{
    struct str token;
    assert_ok(jwt_sign(a, first, &CLAIMS, &token));
    return token;
}

static struct str segment(struct arena *a, const char *json)
{
    return enc_base64url(a, unit_bytes(json));
}

static EVP_PKEY *private_key(struct str pem)
{
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    assert_non_null(k);
    return k;
}

/* r||s of an ECDSA signature, `half` bytes each. */
static struct bytes raw_signature(struct arena *a, const uint8_t *der, long n, int half)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, n);
    uint8_t *raw = arena_alloc(a, (size_t)half * 2);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, half), half);
    ECDSA_SIG_free(sig);
    return (struct bytes){raw, (size_t)half * 2};
}

/* A token with any header and payload, signed as ECDSA with SHA-256 by `key`. */
static struct str forge(struct arena *a, const char *header, const char *payload, EVP_PKEY *key, int half)
{
    struct str body = arena_printf(a, "%s.%s", segment(a, header).p, segment(a, payload).p);
    uint8_t der[256];
    size_t n = sizeof der;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(c, der, &n, (const uint8_t *)body.p, body.n), 1);
    EVP_MD_CTX_free(c);
    return arena_printf(a, "%s.%s", body.p, enc_base64url(a, raw_signature(a, der, (long)n, half)).p);
}

static struct str forge_with_ours(struct arena *a, const char *header, const char *payload)
{
    EVP_PKEY *k = private_key(first_pem);
    struct str token = forge(a, header, payload, k, 32);
    EVP_PKEY_free(k);
    return token;
}

static void a_token_of_ours_is_good(void **state)
{
    struct jwt_claims c = {0};
    struct str token = signed_token(*state);
    for (int i = 0; i < 2; i++) { /* verified, then remembered */
        assert_ok(verify(*state, token, NOW_US, NULL, &c));
        assert_text(c.issuer, CLAIMS.issuer.p);
        assert_text(c.audience, CLAIMS.audience.p);
        assert_text(c.subject, CLAIMS.subject.p);
        assert_text(c.tenant_id, CLAIMS.tenant_id.p);
        assert_text(c.role, "owner");
        assert_true(c.expires_s == CLAIMS.expires_s && c.issued_s == NOW_S && c.not_before_s == NOW_S);
    }
    assert_ok(verify(*state, forge_with_ours(*state, HEADER, PAYLOAD), NOW_US, NULL, &c)); /* the forge is sound */
    assert_ok(verify(*state, forge_with_ours(*state, "{\"alg\":\"ES256\",\"kid\":\"k1\"}", PAYLOAD), NOW_US, NULL, &c));
}

static void two_tokens_differ(void **state)
{
    assert_false(str_same(signed_token(*state), signed_token(*state))); /* jti */
}

static void no_algorithm_is_no_signature(void **state)
{
    struct arena *a = *state;
    const char *none = "{\"alg\":\"none\",\"kid\":\"k1\"}";
    refuse(a, arena_printf(a, "%s.%s.", segment(a, none).p, segment(a, PAYLOAD).p), "three segments");
    refuse(a, arena_printf(a, "%s.%s", segment(a, none).p, segment(a, PAYLOAD).p), "three segments");
    refuse(a, forge_with_ours(a, none, PAYLOAD), "not ES256");
    refuse(a, forge_with_ours(a, "{\"kid\":\"k1\"}", PAYLOAD), "header cannot be read");
}

static void the_public_key_is_no_hmac_secret(void **state)
{
    struct arena *a = *state;
    EVP_PKEY *k = private_key(first_pem);
    BIO *out = BIO_new(BIO_s_mem());
    char *pem;
    PEM_write_bio_PUBKEY(out, k);
    long n = BIO_get_mem_data(out, &pem);
    struct str body =
        arena_printf(a, "%s.%s", segment(a, "{\"alg\":\"HS256\",\"kid\":\"k1\"}").p, segment(a, PAYLOAD).p);
    struct sha256 mac = crypt_hmac_sha256((struct bytes){(const uint8_t *)pem, (size_t)n}, unit_bytes(body.p));
    BIO_free(out);
    EVP_PKEY_free(k);
    refuse(a, arena_printf(a, "%s.%s", body.p, enc_base64url(a, (struct bytes){mac.b, 32}).p), "not ES256");
}

static void another_curve_is_refused(void **state)
{
    struct arena *a = *state;
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    refuse(a, forge(a, HEADER, PAYLOAD, p384, 48), "signature has the wrong form");
    EVP_PKEY_free(p384);
    EVP_PKEY *stranger = EVP_EC_gen("P-256");
    refuse(a, forge(a, HEADER, PAYLOAD, stranger, 32), "signature is wrong");
    EVP_PKEY_free(stranger);
}

static void the_key_is_chosen_by_kid_alone(void **state)
{
    struct arena *a = *state;
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k2\"}", PAYLOAD), "signature is wrong");
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k3\"}", PAYLOAD), "key that is not in use");
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\"}", PAYLOAD), "header cannot be read");
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"exp\"]}", PAYLOAD), "not ES256");
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWE\"}", PAYLOAD), "type is not JWT");
    refuse(a, forge_with_ours(a, "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"k1\"}", PAYLOAD),
           "header cannot be read");
    refuse(a, forge_with_ours(a, "[]", PAYLOAD), "header cannot be read");
}

static void a_rotated_key_takes_its_tokens_along(void **state)
{
    struct jwt_claims c;
    struct str token = signed_token(*state);
    assert_ok(verify(*state, token, NOW_US, NULL, &c));
    const struct jwt_keys only_second = {&second, 1, verified}, none = {&second, 0, verified};
    assert_err(jwt_verify(*state, &only_second, token, NOW_US, NULL, &c), INVALID_TOKEN);
    assert_err(jwt_verify(*state, &none, token, NOW_US, NULL, &c), INVALID_TOKEN);
}

static void times_are_checked_each_time(void **state)
{
    struct jwt_claims c;
    struct err_detail d;
    struct str token = signed_token(*state);
    const int64_t s = 1000000;
    assert_err(verify(*state, token, (NOW_S - 61) * s, &d, &c), INVALID_TOKEN);
    assert_says(d, "time has not come");
    assert_ok(verify(*state, token, (NOW_S - 60) * s, NULL, &c));
    assert_ok(verify(*state, token, (NOW_S + 3600 + 59) * s, NULL, &c));
    assert_err(verify(*state, token, (NOW_S + 3600 + 60) * s, &d, &c), INVALID_TOKEN); /* though it is remembered */
    assert_says(d, "expired");
    struct str old = forge_with_ours(
        *state, HEADER,
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1,\"nbf\":1,\"exp\":2}");
    refuse(*state, old, "expired");
}

static void claims_must_be_whole(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "\"x\"",
        "not json",
        "{\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1900000000,\"nbf\":1900000000,\"exp\":"
        "1900003600}",
        "{\"iss\":\"i\",\"aud\":[\"a\"],\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1900000000,\"nbf\":"
        "1900000000,\"exp\":1900003600}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[],\"iat\":1900000000,\"nbf\":1900000000,"
        "\"exp\":1900003600}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1900000000,\"nbf\":"
        "1900000000}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1900000000,\"nbf\":"
        "1900000000,\"exp\":\"1900003600\"}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1900000000,\"nbf\":"
        "1900000000,\"exp\":9e18}",
        "{\"iss\":\"i\",\"iss\":\"j\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"roles\":[\"r\"],\"iat\":1,\"nbf\":1,"
        "\"exp\":1900003600}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(*state, forge_with_ours(*state, HEADER, bad[i]), "claims cannot be read");
}

static void the_form_is_exact(void **state)
{
    struct arena *a = *state;
    struct str good = signed_token(a);
    refuse(a, STR(""), "empty");
    refuse(a, str_of(NULL), "empty");
    refuse(a, STR("."), "three segments");
    refuse(a, STR(".."), "three segments");
    refuse(a, STR("a.b.c"), "header cannot be read");
    refuse(a, arena_printf(a, "%s.x", good.p), "three segments");
    refuse(a, arena_printf(a, "%s.", good.p), "three segments");
    refuse(a, arena_printf(a, "%s=", good.p), "signature has the wrong form");
    refuse(a, arena_printf(a, " %s", good.p), "header cannot be read");
    refuse(a, (struct str){good.p, good.n - 2}, "signature has the wrong form");
    struct str header, payload, signature = str_split(str_split(good, '.', &header), '.', &payload);
    refuse(a, arena_printf(a, "%.*s.%s.%s", STR_ARG(header), segment(a, PAYLOAD).p, signature.p), "signature is wrong");
}

static void a_huge_token_is_refused_unread(void **state)
{
    char *p = arena_alloc(*state, JWT_MAX + 2);
    memset(p, 'a', JWT_MAX + 1);
    refuse(*state, (struct str){p, JWT_MAX + 1}, "too long");
    refuse(*state, (struct str){p, JWT_MAX}, "three segments");
}

static void long_claims_are_not_remembered_but_good(void **state)
{
    struct jwt_claims c = CLAIMS, got;
    char *p = arena_alloc(*state, 501);
    memset(p, 'a', 500);
    c.audience = (struct str){p, 500};
    struct str token;
    assert_ok(jwt_sign(*state, first, &c, &token));
    for (int i = 0; i < 2; i++) {
        assert_ok(verify(*state, token, NOW_US, NULL, &got));
        assert_int_equal(got.audience.n, 500);
    }
}

static void only_p256_private_keys_are_loaded(void **state)
{
    struct arena *a = *state;
    struct jwt_key *k = NULL;
    EVP_PKEY *p384 = EVP_EC_gen("P-384"), *rsa = EVP_RSA_gen(2048);
    EVP_PKEY *const others[] = {p384, rsa};
    for (int i = 0; i < 2; i++) {
        BIO *out = BIO_new(BIO_s_mem());
        char *pem;
        PEM_write_bio_PrivateKey(out, others[i], NULL, NULL, 0, NULL, NULL);
        long n = BIO_get_mem_data(out, &pem);
        assert_err(jwt_key_load(*state, STR("x"), arena_copy(a, pem, (size_t)n), &k), BAD_CONFIG);
        BIO_free(out);
        EVP_PKEY_free(others[i]);
    }
    assert_err(
        jwt_key_load(*state, STR("x"), STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &k),
        BAD_CONFIG);
    assert_err(jwt_key_load(*state, STR("x"), str_of(NULL), &k), BAD_CONFIG);
    assert_err(jwt_key_load(*state, STR(""), first_pem, &k), BAD_CONFIG);
    assert_null(k);
}

static void an_encrypted_key_is_refused_not_asked_for(void **state)
{
    struct jwt_key *k = NULL;
    EVP_PKEY *key = private_key(first_pem);
    BIO *out = BIO_new(BIO_s_mem());
    char *pem;
    PEM_write_bio_PrivateKey(out, key, EVP_aes_128_cbc(), (const unsigned char *)"pw", 2, NULL, NULL);
    long n = BIO_get_mem_data(out, &pem);
    assert_err(jwt_key_load(*state, STR("x"), arena_copy(*state, pem, (size_t)n), &k), BAD_CONFIG);
    BIO_free(out);
    EVP_PKEY_free(key);
}

static void the_published_key_is_public_only(void **state)
{
    json_auto_t *v = NULL;
    assert_ok(json_read(jwt_key_jwk(*state, first), NULL, &v));
    assert_string_equal(json_string_value(json_object_get(v, "kty")), "EC");
    assert_string_equal(json_string_value(json_object_get(v, "crv")), "P-256");
    assert_string_equal(json_string_value(json_object_get(v, "kid")), "k1");
    assert_int_equal(json_string_length(json_object_get(v, "x")), 43);
    assert_int_equal(json_string_length(json_object_get(v, "y")), 43);
    assert_null(json_object_get(v, "d"));
}

enum { THREADS = 4, ROUNDS = 50 };

static void *verify_often(void *tokens)
{
    const struct str *at = tokens;
    for (int i = 0; i < ROUNDS; i++) {
        ARENA_CLEANUP struct arena *a = arena_new();
        struct jwt_claims c;
        if (verify(a, at[i % THREADS], NOW_US, NULL, &c) || !str_same(c.role, STR("owner")))
            return tokens;
    }
    return NULL;
}

static void threads_share_the_memory_of_tokens(void **state)
{
    struct str tokens[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        tokens[i] = signed_token(*state);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, tokens), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_token_of_ours_is_good),
        UNIT(two_tokens_differ),
        UNIT(no_algorithm_is_no_signature),
        UNIT(the_public_key_is_no_hmac_secret),
        UNIT(another_curve_is_refused),
        UNIT(the_key_is_chosen_by_kid_alone),
        UNIT(a_rotated_key_takes_its_tokens_along),
        UNIT(times_are_checked_each_time),
        UNIT(claims_must_be_whole),
        UNIT(the_form_is_exact),
        UNIT(a_huge_token_is_refused_unread),
        UNIT(long_claims_are_not_remembered_but_good),
        UNIT(only_p256_private_keys_are_loaded),
        UNIT(an_encrypted_key_is_refused_not_asked_for),
        UNIT(the_published_key_is_public_only),
        UNIT(threads_share_the_memory_of_tokens),
    };
    return cmocka_run_group_tests_name("jwt", tests, make_keys, drop_keys);
}
