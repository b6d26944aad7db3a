/* jwt.c: access tokens, the only caller of libjwt. libjwt takes the algorithm from the token and looks at no claim, so
 * this file must never hand it a token whose header it has not read itself, nor a key that was not loaded here (EC
 * P-256). */
#include "jwt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "cache.h"
#include "codec.h"

enum { COORDINATE_BYTES = 32, SIGNATURE_BYTES = 64, CLAIM_MAX = 512, TIME_MAX_S = INT32_MAX * INT64_C(1000) };

struct jwt_key {
    struct str kid, private_pem, public_pem;
    struct sha256 fingerprint; /* of kid and public key */
    uint8_t x[COORDINATE_BYTES], y[COORDINATE_BYTES];
};

static void drop_bio(BIO **b)
{
    BIO_free_all(*b);
}

static void drop_pkey(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void drop_bn(BIGNUM **n)
{
    BN_free(*n);
}

static void drop_jwt(jwt_t **j)
{
    jwt_free(*j);
}

static void drop_encoded(char **text)
{
    free(*text); /* from jwt_encode_str */
}
#define CLEANUP(how) __attribute__((cleanup(how)))

static struct str bio_text(struct arena *a, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return arena_copy(a, p, (size_t)n);
}

static bool coordinate(const EVP_PKEY *k, const char *name, uint8_t *to)
{
    CLEANUP(drop_bn) BIGNUM *n = NULL;
    return EVP_PKEY_get_bn_param(k, name, &n) == 1 && BN_bn2binpad(n, to, COORDINATE_BYTES) == COORDINATE_BYTES;
}

/* The private key of a PEM text, NULL unless it is one on P-256. An encrypted one is refused, not asked for. */
static EVP_PKEY *read_p256(struct str pem)
{
    static char no_password[] = "";
    CLEANUP(drop_bio) BIO *in = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);
    EVP_PKEY *k = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, no_password) : NULL;
    char group[32] = "";
    if (k && EVP_PKEY_get_group_name(k, group, sizeof group, NULL) == 1 && strcmp(group, "prime256v1") == 0)
        return k;
    EVP_PKEY_free(k);
    return NULL;
}

static bool fill_key(struct arena *a, struct jwt_key *k, struct str kid, struct str pem)
{
    CLEANUP(drop_pkey) EVP_PKEY *pkey = read_p256(pem);
    CLEANUP(drop_bio) BIO *out = BIO_new(BIO_s_mem());
    if (!pkey || !out || !kid.n || PEM_write_bio_PUBKEY(out, pkey) != 1 ||
        !coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, k->x) || !coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, k->y))
        return false;
    k->kid = arena_str(a, kid);
    k->private_pem = arena_str(a, pem);
    k->public_pem = bio_text(a, out);
    struct str both = arena_printf(a, "%s\n%s", k->kid.p, k->public_pem.p);
    k->fingerprint = crypt_sha256((struct bytes){(const uint8_t *)both.p, both.n});
    return true;
}

err_t jwt_key_load(struct arena *a, struct str kid, struct str pem, struct jwt_key **ret)
{
    struct jwt_key *k = ARENA_NEW(a, struct jwt_key);
    if (!fill_key(a, k, kid, pem))
        return E(BAD_CONFIG);
    *ret = k;
    return NULL;
}

struct str jwt_key_new_pem(struct arena *a)
{
    CLEANUP(drop_pkey) EVP_PKEY *k = EVP_EC_gen("P-256");
    CLEANUP(drop_bio) BIO *out = BIO_new(BIO_s_mem());
    crypt_must(k && out && PEM_write_bio_PrivateKey(out, k, NULL, NULL, 0, NULL, NULL) == 1, "P-256 key");
    return bio_text(a, out);
}

struct str jwt_key_jwk(struct arena *a, const struct jwt_key *k)
{
    struct text t;
    text_init(&t, a, 256);
    text_add_char(&t, '{');
    json_member_text(&t, "kty", STR("EC"));
    json_member_text(&t, "use", STR("sig"));
    json_member_text(&t, "alg", STR("ES256"));
    json_member_text(&t, "kid", k->kid);
    json_member_text(&t, "crv", STR("P-256"));
    json_member_text(&t, "x", enc_base64url(a, (struct bytes){k->x, sizeof k->x}));
    json_member_text(&t, "y", enc_base64url(a, (struct bytes){k->y, sizeof k->y}));
    text_add_char(&t, '}');
    return text_str(&t);
}

struct token_header {
    struct str alg, kid, typ, crit;
};
static const struct codec token_header_codec[] = {
    CODEC_TEXT(struct token_header, alg, "alg", 16, CODEC_MUST),
    CODEC_TEXT(struct token_header, kid, "kid", 256, CODEC_MUST),
    CODEC_TEXT(struct token_header, typ, "typ", 16, 0),
    CODEC_JSON(struct token_header, crit, "crit", 1024, 0),
    CODEC_END,
};

struct token_claims {
    struct str iss, aud, sub, oid, appid, tid, jti;
    struct str_list roles;
    struct opt_i64 iat, nbf, exp;
};
static const struct codec token_claims_codec[] = {
    CODEC_TEXT(struct token_claims, iss, "iss", CLAIM_MAX, CODEC_MUST),
    CODEC_TEXT(struct token_claims, aud, "aud", CLAIM_MAX, CODEC_MUST),
    CODEC_TEXT(struct token_claims, sub, "sub", CLAIM_MAX, CODEC_MUST),
    CODEC_TEXT(struct token_claims, oid, "oid", CLAIM_MAX, 0),
    CODEC_TEXT(struct token_claims, appid, "appid", CLAIM_MAX, 0),
    CODEC_TEXT(struct token_claims, tid, "tid", CLAIM_MAX, CODEC_MUST),
    CODEC_TEXT(struct token_claims, jti, "jti", CLAIM_MAX, 0),
    CODEC_TEXTS(struct token_claims, roles, "roles", 16, CODEC_MUST),
    CODEC_I64(struct token_claims, iat, "iat", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_I64(struct token_claims, nbf, "nbf", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_I64(struct token_claims, exp, "exp", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_END,
};

/* The claims as sent; `roles` is the caller's place for the one role. */
static struct str write_claims(struct arena *a, const struct jwt_claims *c, struct str *role)
{
    struct uuid id = crypt_uuid4();
    *role = c->role;
    struct token_claims t = {
        .iss = c->issuer,
        .aud = c->audience,
        .sub = c->subject,
        .oid = c->subject,
        .appid = c->subject,
        .tid = c->tenant_id,
        .jti = enc_uuid(a, &id),
        .roles = {role, 1, true},
        .iat = {true, c->issued_s},
        .nbf = {true, c->not_before_s},
        .exp = {true, c->expires_s},
    };
    struct text out;
    text_init(&out, a, 512);
    codec_encode(&out, token_claims_codec, &t);
    return text_str(&out);
}

err_t jwt_sign(struct arena *a, const struct jwt_key *k, const struct jwt_claims *c, struct str *ret_token)
{
    struct str role;
    struct str claims = write_claims(a, c, &role);
    CLEANUP(drop_jwt) jwt_t *j = NULL;
    if (jwt_new(&j) != 0 || jwt_add_grants_json(j, claims.p) != 0 || jwt_add_header(j, "kid", k->kid.p) != 0 ||
        jwt_set_alg(j, JWT_ALG_ES256, (const unsigned char *)k->private_pem.p, (int)k->private_pem.n) != 0)
        return E(INTERNAL);
    CLEANUP(drop_encoded) char *token = jwt_encode_str(j);
    if (!token)
        return E(INTERNAL);
    *ret_token = arena_str(a, str_of(token));
    return NULL;
}

static err_t refuse(struct err_detail *d, const char *why)
{
    return err_say(d, E(INVALID_TOKEN), "The bearer token is not valid: %s.", why);
}

/* One base64url segment as an object of the table. */
static bool read_segment(struct arena *a, struct str segment, const struct codec *table, void *to)
{
    struct bytes json;
    return dec_base64url(a, segment, &json) &&
           !codec_read(a, table, 0, (struct str){(const char *)json.p, json.n}, to, NULL);
}

static const struct jwt_key *key_of(const struct jwt_keys *keys, struct str kid)
{
    for (size_t i = 0; i < keys->count; i++)
        if (str_same(keys->at[i]->kid, kid))
            return keys->at[i];
    return NULL;
}

/* What libjwt leaves open: the form of the token, the algorithm and the key. */
static err_t check_header(struct arena *a, const struct jwt_keys *keys, struct str token, struct err_detail *d,
                          const struct jwt_key **ret_key, struct str *ret_payload)
{
    struct str header_text = {0}, payload = {0}, signature = {0}, rest;
    struct token_header header = {0};
    struct bytes bytes;
    rest = str_split(token, '.', &header_text);
    rest = str_split(rest, '.', &payload);
    rest = str_split(rest, '.', &signature);
    if (rest.p || !header_text.n || !payload.n || !signature.n)
        return refuse(d, "it has not exactly three segments");
    if (!read_segment(a, header_text, token_header_codec, &header))
        return refuse(d, "its header cannot be read");
    if (!str_same(header.alg, STR("ES256")) || header.crit.p)
        return refuse(d, "its algorithm is not ES256");
    if (header.typ.p && !str_same_nocase(header.typ, STR("JWT")))
        return refuse(d, "its type is not JWT");
    if (!dec_base64url(a, signature, &bytes) || bytes.n != SIGNATURE_BYTES)
        return refuse(d, "its signature has the wrong form");
    *ret_key = key_of(keys, header.kid);
    *ret_payload = payload;
    return *ret_key ? NULL : refuse(d, "it was signed with a key that is not in use");
}

static err_t read_claims(struct arena *a, struct str payload, struct err_detail *d, struct jwt_claims *ret)
{
    struct token_claims t = {0};
    if (!read_segment(a, payload, token_claims_codec, &t) || !t.roles.n)
        return refuse(d, "its claims cannot be read");
    *ret = (struct jwt_claims){.issuer = t.iss,
                               .audience = t.aud,
                               .subject = t.sub,
                               .tenant_id = t.tid,
                               .role = t.roles.at[0],
                               .issued_s = t.iat.n,
                               .not_before_s = t.nbf.n,
                               .expires_s = t.exp.n};
    return NULL;
}

static err_t verify_signature(struct arena *a, const struct jwt_keys *keys, struct str token, struct err_detail *d,
                              struct jwt_claims *ret)
{
    const struct jwt_key *key = NULL;
    struct str payload = {0};
    struct jwt_claims claims = {0};
    TRY(check_header(a, keys, token, d, &key, &payload));
    TRY(read_claims(a, payload, d, &claims));
    assert(key && key->public_pem.n); /* with an empty key libjwt verifies nothing */
    CLEANUP(drop_jwt) jwt_t *j = NULL;
    int failed =
        jwt_decode(&j, arena_str(a, token).p, (const unsigned char *)key->public_pem.p, (int)key->public_pem.n);
    if (failed || jwt_get_alg(j) != JWT_ALG_ES256)
        return refuse(d, "its signature is wrong");
    *ret = claims;
    return NULL;
}

static err_t check_times(const struct jwt_claims *c, int64_t now_us, struct err_detail *d)
{
    int64_t now_s = now_us / 1000000;
    if (now_s >= c->expires_s + JWT_LEEWAY_S)
        return refuse(d, "it has expired");
    if (now_s + JWT_LEEWAY_S < c->not_before_s || now_s + JWT_LEEWAY_S < c->issued_s)
        return refuse(d, "its time has not come");
    return NULL;
}

/* What makes a token good: its bytes and the keys in use. */
static struct sha256 identity(struct arena *a, const struct jwt_keys *keys, struct str token)
{
    struct text t;
    text_init(&t, a, token.n + keys->count * SHA256_BYTES);
    for (size_t i = 0; i < keys->count; i++)
        text_add(&t, (struct str){(const char *)keys->at[i]->fingerprint.b, SHA256_BYTES});
    text_add(&t, token);
    return crypt_sha256((struct bytes){(const uint8_t *)t.p, t.n});
}

static struct jwt_claims copy_claims(struct arena *a, const struct jwt_claims *from)
{
    return (struct jwt_claims){.issuer = arena_str(a, from->issuer),
                               .audience = arena_str(a, from->audience),
                               .subject = arena_str(a, from->subject),
                               .tenant_id = arena_str(a, from->tenant_id),
                               .role = arena_str(a, from->role),
                               .issued_s = from->issued_s,
                               .not_before_s = from->not_before_s,
                               .expires_s = from->expires_s};
}

static void remember(struct cache *to, struct str id, int64_t now_us, const struct jwt_claims *c)
{
    struct jwt_claims *kept = cache_make(id, sizeof *kept, now_us);
    *kept = copy_claims(cache_arena(kept), c);
    cache_keep(to, kept);
    cache_release(kept);
}

err_t jwt_verify(struct arena *a, const struct jwt_keys *keys, struct str token, int64_t now_us, struct err_detail *d,
                 struct jwt_claims *ret)
{
    if (!token.n || token.n > JWT_MAX)
        return refuse(d, token.n ? "it is too long" : "it is empty");
    const struct sha256 hash = identity(a, keys, token);
    const struct str id = {(const char *)hash.b, sizeof hash.b};
    const struct jwt_claims *known = cache_find(keys->verified, id, now_us);
    struct jwt_claims claims = known ? copy_claims(a, known) : (struct jwt_claims){.issued_s = 0};
    cache_release(known);
    if (!known)
        TRY(verify_signature(a, keys, token, d, &claims));
    TRY(check_times(&claims, now_us, d));
    if (!known)
        remember(keys->verified, id, now_us, &claims);
    *ret = claims;
    return NULL;
}
