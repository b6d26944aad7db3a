/* test_jwt.c: access tokens of our own and of outside issuers, and the forgeries that are known to be tried. */
#include "core/jwt.h"

#include <pthread.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

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
    .issued_s = 1900000000,
    .not_before_s = 1900000000,
    .expires_s = 1900003600,
};
#define PAYLOAD                                                                                                        \
    "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1900000000,\"nbf\":"                             \
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
    const struct jwt_keys keys = {at, 2, verified, NULL};
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
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"exp\"]}", PAYLOAD),
           "must be understood");
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[]}", PAYLOAD), "must be understood");
    refuse(a, forge_with_ours(a, "{\"alg\":\"ES256\",\"kid\":\"k1\",\"b64\":false}", PAYLOAD), "must be understood");
    refuse(a, forge_with_ours(a, "{\"alg\":\"RS256\",\"kid\":\"k1\"}", PAYLOAD), "not ES256");
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
    const struct jwt_keys only_second = {&second, 1, verified, NULL}, none = {&second, 0, verified, NULL};
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
        *state, HEADER, "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1,\"nbf\":1,\"exp\":2}");
    refuse(*state, old, "expired");
}

static void claims_must_be_whole(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "\"x\"",
        "not json",
        "{\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1900000000,\"nbf\":1900000000,\"exp\":"
        "1900003600}",
        "{\"iss\":\"i\",\"aud\":[\"a\"],\"sub\":\"s\",\"tid\":\"t\",\"iat\":1900000000,\"nbf\":"
        "1900000000,\"exp\":1900003600}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1900000000,\"nbf\":"
        "1900000000}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1900000000,\"nbf\":"
        "1900000000,\"exp\":\"1900003600\"}",
        "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1900000000,\"nbf\":"
        "1900000000,\"exp\":9e18}",
        "{\"iss\":\"i\",\"iss\":\"j\",\"aud\":\"a\",\"sub\":\"s\",\"tid\":\"t\",\"iat\":1,\"nbf\":1,"
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

/* --- outside issuers ---------------------------------------------------------------------------------------------- */

#define OUTSIDE(more) "{\"iss\":\"https://i\",\"aud\":\"api\",\"azp\":\"app\",\"exp\":1900003600" more "}"
static const struct jwt_rules RULES = {{"https://i", 9}, {"api", 3}, {"azp", 3}, {NULL, 0}};
static const struct jwt_rules TENANT_RULES = {{"https://i", 9}, {"api", 3}, {"azp", 3}, {"org", 3}};

/* An issuer's two keys: "r" checks RS256, "e" ES256. */
struct outside {
    EVP_PKEY *rsa, *ec;
    struct jwt_key *at[2];
};

static struct bytes spki(struct arena *a, EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    struct str copy = arena_copy(a, (const char *)der, (size_t)n);
    OPENSSL_free(der);
    return (struct bytes){(const uint8_t *)copy.p, copy.n};
}

static struct outside outside_new(struct arena *a)
{
    struct outside o = {.rsa = EVP_RSA_gen(2048), .ec = EVP_EC_gen("P-256")};
    o.at[0] = jwt_key_outside(a, STR("r"), JWT_RS256, spki(a, o.rsa));
    o.at[1] = jwt_key_outside(a, STR("e"), JWT_ES256, spki(a, o.ec));
    return o;
}

static void outside_drop(struct outside *o)
{
    EVP_PKEY_free(o->rsa);
    EVP_PKEY_free(o->ec);
}

static struct str forge_rsa(struct arena *a, const char *header, const char *payload, EVP_PKEY *key)
{
    struct str body = arena_printf(a, "%s.%s", segment(a, header).p, segment(a, payload).p);
    uint8_t signature[512];
    size_t n = sizeof signature;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(c, signature, &n, (const uint8_t *)body.p, body.n), 1);
    EVP_MD_CTX_free(c);
    return arena_printf(a, "%s.%s", body.p, enc_base64url(a, (struct bytes){signature, n}).p);
}

static err_t verify_outside(struct arena *a, struct outside *o, const struct jwt_rules *rules, struct str token,
                            struct err_detail *d, struct jwt_claims *ret)
{
    const struct jwt_keys keys = {o->at, 2, verified, rules};
    return jwt_verify(a, &keys, token, NOW_US, d, ret);
}

static void refuse_outside(struct arena *a, struct outside *o, struct str token, const char *says)
{
    struct err_detail d = {""};
    struct jwt_claims c;
    assert_err(verify_outside(a, o, &RULES, token, &d, &c), INVALID_TOKEN);
    assert_says(d, says);
}

static void tokens_of_both_algorithms_are_good(void **state)
{
    struct arena *a = *state;
    struct outside o = outside_new(a);
    static const char *const types[] = {"", ",\"typ\":\"JWT\"", ",\"typ\":\"at+jwt\"",
                                        ",\"typ\":\"application/at+jwt\""};
    for (size_t i = 0; i < 4; i++) {
        struct jwt_claims c;
        const char *r = arena_printf(a, "{\"alg\":\"RS256\",\"kid\":\"r\"%s}", types[i]).p;
        const char *e = arena_printf(a, "{\"alg\":\"ES256\",\"kid\":\"e\"%s}", types[i]).p;
        assert_ok(verify_outside(a, &o, &RULES, forge_rsa(a, r, OUTSIDE(""), o.rsa), NULL, &c));
        assert_text(c.subject, "app");
        assert_null(c.tenant_id.p);
        assert_ok(verify_outside(a, &o, &RULES, forge(a, e, OUTSIDE(""), o.ec, 32), NULL, &c));
        assert_text(c.issuer, "https://i");
    }
    outside_drop(&o);
}

static void the_algorithm_is_the_keys(void **state)
{
    struct arena *a = *state;
    struct outside o = outside_new(a);
    EVP_PKEY *stranger = EVP_RSA_gen(2048);
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"ES256\",\"kid\":\"r\"}", OUTSIDE(""), o.rsa), "not RS256");
    refuse_outside(a, &o, forge(a, "{\"alg\":\"RS256\",\"kid\":\"e\"}", OUTSIDE(""), o.ec, 32), "not ES256");
    refuse_outside(a, &o, forge(a, "{\"alg\":\"RS256\",\"kid\":\"r\"}", OUTSIDE(""), o.ec, 32), "signature is wrong");
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"ES256\",\"kid\":\"e\"}", OUTSIDE(""), o.rsa), "wrong form");
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"RS384\",\"kid\":\"r\"}", OUTSIDE(""), o.rsa), "not RS256");
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"HS256\",\"kid\":\"r\"}", OUTSIDE(""), o.rsa), "not RS256");
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"none\",\"kid\":\"r\"}", OUTSIDE(""), o.rsa), "not RS256");
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"RS256\",\"kid\":\"r\"}", OUTSIDE(""), stranger),
                   "signature is wrong");
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"RS256\",\"kid\":\"k1\"}", OUTSIDE(""), o.rsa),
                   "key that is not in use");
    /* Whoever stored it: a key of another kind than its algorithm's checks nothing. */
    o.at[0] = jwt_key_outside(a, STR("r"), JWT_RS256, spki(a, o.ec));
    o.at[1] = jwt_key_outside(a, STR("e"), JWT_ES256, spki(a, o.rsa));
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"RS256\",\"kid\":\"r\"}", OUTSIDE(""), o.ec), "signature is wrong");
    refuse_outside(a, &o, forge(a, "{\"alg\":\"RS256\",\"kid\":\"r\"}", OUTSIDE(""), o.ec, 32), "signature is wrong");
    refuse_outside(a, &o, forge(a, "{\"alg\":\"ES256\",\"kid\":\"e\"}", OUTSIDE(""), o.ec, 32), "signature is wrong");
    o.at[0] = jwt_key_outside(a, STR("r"), JWT_RS256, (struct bytes){(const uint8_t *)"", 0});
    refuse_outside(a, &o, forge_rsa(a, "{\"alg\":\"RS256\",\"kid\":\"r\"}", OUTSIDE(""), o.rsa), "signature is wrong");
    EVP_PKEY_free(stranger);
    outside_drop(&o);
}

static void keys_that_come_in_the_token_are_nobodys(void **state)
{
    struct arena *a = *state;
    struct outside o = outside_new(a);
    struct jwt_key *own = NULL;
    struct str pem = jwt_key_new_pem(a);
    assert_ok(jwt_key_load(a, STR("e"), pem, &own));
    EVP_PKEY *k = private_key(pem);
    static const char *const more[] = {"\"jku\":\"https://x/keys\"", "\"x5u\":\"https://x/cert\"", "\"x5c\":[\"MII\"]"};
    for (size_t i = 0; i < 3; i++)
        refuse_outside(a, &o,
                       forge(a, arena_printf(a, "{\"alg\":\"ES256\",\"kid\":\"e\",%s}", more[i]).p, OUTSIDE(""), k, 32),
                       "signature is wrong");
    struct str jwk = jwt_key_jwk(a, own);
    refuse_outside(
        a, &o, forge(a, arena_printf(a, "{\"alg\":\"ES256\",\"kid\":\"e\",\"jwk\":%s}", jwk.p).p, OUTSIDE(""), k, 32),
        "signature is wrong");
    EVP_PKEY_free(k);
    outside_drop(&o);
}

static void outside_claims_are_held_to_the_rules(void **state)
{
    struct arena *a = *state;
    struct outside o = outside_new(a);
    static const struct {
        const char *claims, *says;
    } bad[] = {
        {"{\"iss\":\"https://i/\",\"aud\":\"api\",\"azp\":\"app\",\"exp\":1900003600}", "another issuer"},
        {"{\"iss\":[\"https://i\"],\"aud\":\"api\",\"azp\":\"app\",\"exp\":1900003600}", "cannot be read"},
        {"{\"aud\":\"api\",\"azp\":\"app\",\"exp\":1900003600}", "cannot be read"},
        {"{\"iss\":\"https://i\",\"azp\":\"app\",\"exp\":1900003600}", "cannot be read"},
        {"{\"iss\":\"https://i\",\"aud\":\"API\",\"azp\":\"app\",\"exp\":1900003600}", "another audience"},
        {"{\"iss\":\"https://i\",\"aud\":[\"x\",5,[\"api\"]],\"azp\":\"app\",\"exp\":1900003600}", "another audience"},
        {"{\"iss\":\"https://i\",\"aud\":\"api\",\"azp\":\"app\"}", "cannot be read"},
        {"{\"iss\":\"https://i\",\"aud\":\"api\",\"exp\":1900003600}", "who it is"},
        {"{\"iss\":\"https://i\",\"aud\":\"api\",\"azp\":\"\",\"exp\":1900003600}", "who it is"},
        {"{\"iss\":\"https://i\",\"aud\":\"api\",\"azp\":7,\"exp\":1900003600}", "who it is"},
        {"{\"iss\":\"https://i\",\"aud\":\"api\",\"azp\":\"a\",\"azp\":\"b\",\"exp\":1900003600}", "cannot be read"},
        {OUTSIDE(",\"nbf\":1900000061"), "time has not come"},
        {OUTSIDE(",\"iat\":1900000061"), "time has not come"},
        {"{\"iss\":\"https://i\",\"aud\":\"api\",\"azp\":\"app\",\"exp\":1899999940}", "expired"},
    };
    struct jwt_claims c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse_outside(a, &o, forge(a, "{\"alg\":\"ES256\",\"kid\":\"e\"}", bad[i].claims, o.ec, 32), bad[i].says);
    struct str listed =
        forge(a, "{\"alg\":\"ES256\",\"kid\":\"e\"}",
              "{\"iss\":\"https://i\",\"aud\":[\"x\",\"api\"],\"azp\":\"app\",\"exp\":1900003600}", o.ec, 32);
    assert_ok(verify_outside(a, &o, &RULES, listed, NULL, &c));
    outside_drop(&o);
}

/* The same token, remembered, is not read by other rules than those that it is held to. */
static void rules_belong_to_what_is_remembered(void **state)
{
    struct arena *a = *state;
    struct outside o = outside_new(a);
    struct jwt_claims c;
    struct err_detail d;
    struct str token = forge(a, "{\"alg\":\"ES256\",\"kid\":\"e\"}", OUTSIDE(""), o.ec, 32);
    struct str with = forge(a, "{\"alg\":\"ES256\",\"kid\":\"e\"}", OUTSIDE(",\"org\":\"t\""), o.ec, 32);
    assert_ok(verify_outside(a, &o, &RULES, token, NULL, &c));
    assert_err(verify_outside(a, &o, &TENANT_RULES, token, &d, &c), INVALID_TOKEN);
    assert_says(d, "of which tenant");
    assert_ok(verify_outside(a, &o, &RULES, with, NULL, &c));
    assert_null(c.tenant_id.p);
    assert_ok(verify_outside(a, &o, &TENANT_RULES, with, NULL, &c));
    assert_text(c.tenant_id, "t");
    outside_drop(&o);
}

static void a_token_says_whose_it_is(void **state)
{
    struct arena *a = *state;
    struct str issuer = {NULL, 0};
    struct err_detail d;
    assert_ok(jwt_issuer(a, arena_printf(a, "x.%s.y", segment(a, "{\"iss\":\"me\"}").p), NULL, &issuer));
    assert_text(issuer, "me");
    static const char *const bad[] = {"{}", "{\"iss\":5}", "{\"iss\":\"a\",\"iss\":\"b\"}", "[]", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(jwt_issuer(a, arena_printf(a, "x.%s.y", segment(a, bad[i]).p), &d, &issuer), INVALID_TOKEN);
    assert_err(jwt_issuer(a, arena_printf(a, "x.%s", segment(a, "{\"iss\":\"me\"}").p), &d, &issuer), INVALID_TOKEN);
    assert_err(jwt_issuer(a, STR(""), &d, &issuer), INVALID_TOKEN);
    char *p = arena_alloc(a, JWT_MAX + 2);
    memset(p, 'a', JWT_MAX + 1);
    assert_err(jwt_issuer(a, (struct str){p, JWT_MAX + 1}, &d, &issuer), INVALID_TOKEN);
    assert_says(d, "too long");
}

enum { THREADS = 4, ROUNDS = 50 };

static void *verify_often(void *tokens)
{
    const struct str *at = tokens;
    for (int i = 0; i < ROUNDS; i++) {
        ARENA_CLEANUP struct arena *a = arena_new();
        struct jwt_claims c;
        if (verify(a, at[i % THREADS], NOW_US, NULL, &c) || !str_same(c.tenant_id, CLAIMS.tenant_id))
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
        UNIT(tokens_of_both_algorithms_are_good),
        UNIT(the_algorithm_is_the_keys),
        UNIT(keys_that_come_in_the_token_are_nobodys),
        UNIT(outside_claims_are_held_to_the_rules),
        UNIT(rules_belong_to_what_is_remembered),
        UNIT(a_token_says_whose_it_is),
        UNIT(threads_share_the_memory_of_tokens),
    };
    return cmocka_run_group_tests_name("jwt", tests, make_keys, drop_keys);
}
