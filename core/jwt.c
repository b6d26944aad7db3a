/* jwt.c: access tokens, the only caller of libjwt, which signs ours. It must never check a token with another algorithm
 * than the one that belongs to the key, nor follow anything that a token's header says of keys (jku, jwk, x5u). */
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
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "cache.h"
#include "codec.h"

enum { COORDINATE_BYTES = 32, SIGNATURE_BYTES = 64, CLAIM_MAX = 512, TIME_MAX_S = INT32_MAX * INT64_C(1000) };

struct jwt_key {
    struct str kid, private_pem; /* private_pem: absent of somebody else's */
    enum jwt_algorithm algorithm;
    struct bytes public;       /* DER */
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

static void drop_context(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static void drop_ecdsa(ECDSA_SIG **s)
{
    ECDSA_SIG_free(*s);
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

static void set_public(struct arena *a, struct jwt_key *k, struct str kid, enum jwt_algorithm algorithm,
                       struct bytes public)
{
    k->kid = arena_str(a, kid);
    k->algorithm = algorithm;
    k->public = public;
    struct text both;
    text_init(&both, a, kid.n + public.n + 16);
    text_printf(&both, "%d\n%.*s\n", (int)algorithm, STR_ARG(kid));
    text_add(&both, bytes_str(public));
    k->fingerprint = crypt_sha256(text_bytes(&both));
}

static bool fill_key(struct arena *a, struct jwt_key *k, struct str kid, struct str pem)
{
    CLEANUP(drop_pkey) EVP_PKEY *pkey = read_p256(pem);
    CLEANUP(drop_bio) BIO *out = BIO_new(BIO_s_mem());
    if (!pkey || !out || !kid.n || i2d_PUBKEY_bio(out, pkey) != 1 ||
        !coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, k->x) || !coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, k->y))
        return false;
    struct str der = bio_text(a, out);
    k->private_pem = arena_str(a, pem);
    set_public(a, k, kid, JWT_ES256, str_bytes(der));
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

struct jwt_key *jwt_key_outside(struct arena *a, struct str kid, enum jwt_algorithm algorithm, struct bytes public)
{
    struct jwt_key *k = ARENA_NEW(a, struct jwt_key);
    set_public(a, k, kid, algorithm, public);
    return k;
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
    struct str alg, kid, typ, crit, b64;
};
static const struct codec token_header_codec[] = {
    CODEC_TEXT(struct token_header, alg, "alg", 16, CODEC_MUST),
    CODEC_TEXT(struct token_header, kid, "kid", 256, CODEC_MUST),
    CODEC_TEXT(struct token_header, typ, "typ", 32, 0),
    CODEC_JSON(struct token_header, crit, "crit", 1024, 0),
    CODEC_JSON(struct token_header, b64, "b64", 16, 0),
    CODEC_END,
};

struct token_claims {
    struct str iss, aud, sub, oid, appid, tid, jti;
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
    CODEC_I64(struct token_claims, iat, "iat", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_I64(struct token_claims, nbf, "nbf", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_I64(struct token_claims, exp, "exp", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_END,
};

/* The claims as sent. */
static struct str write_claims(struct arena *a, const struct jwt_claims *c)
{
    struct uuid id = crypt_uuid4();
    struct token_claims t = {
        .iss = c->issuer,
        .aud = c->audience,
        .sub = c->subject,
        .oid = c->subject,
        .appid = c->subject,
        .tid = c->tenant_id,
        .jti = enc_uuid(a, &id),
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
    struct str claims = write_claims(a, c);
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
    return dec_base64url(a, segment, &json) && !codec_read(a, table, 0, bytes_str(json), to, NULL);
}

static const struct jwt_key *key_of(const struct jwt_keys *keys, struct str kid)
{
    for (size_t i = 0; i < keys->count; i++)
        if (str_same(keys->at[i]->kid, kid))
            return keys->at[i];
    return NULL;
}

/* A token cut at its dots. */
struct token_parts {
    struct str header, payload, signature;
    struct str signed_part; /* header.payload */
};

static err_t split(struct str token, struct err_detail *d, struct token_parts *ret)
{
    struct str rest = str_split(token, '.', &ret->header);
    rest = str_split(rest, '.', &ret->payload);
    rest = str_split(rest, '.', &ret->signature);
    if (rest.p || !ret->header.n || !ret->payload.n || !ret->signature.n)
        return refuse(d, "it has not exactly three segments");
    ret->signed_part = (struct str){token.p, ret->header.n + 1 + ret->payload.n};
    return NULL;
}

static bool type_good(struct str type)
{
    return !type.p || str_same_nocase(type, STR("JWT")) || str_same_nocase(type, STR("at+jwt")) ||
           str_same_nocase(type, STR("application/at+jwt"));
}

static err_t check_header(struct arena *a, const struct jwt_keys *keys, struct str text, struct err_detail *d,
                          const struct jwt_key **ret_key)
{
    struct token_header header = {0};
    if (!read_segment(a, text, token_header_codec, &header))
        return refuse(d, "its header cannot be read");
    if (header.crit.p || header.b64.p)
        return refuse(d, "its header says what must be understood and is not");
    if (!type_good(header.typ))
        return refuse(d, "its type is not JWT");
    const struct jwt_key *key = key_of(keys, header.kid);
    if (!key)
        return refuse(d, "it was signed with a key that is not in use");
    if (!str_same(header.alg, key->algorithm == JWT_RS256 ? STR("RS256") : STR("ES256")))
        return refuse(d, key->algorithm == JWT_RS256 ? "its algorithm is not RS256" : "its algorithm is not ES256");
    *ret_key = key;
    return NULL;
}

/* --- signatures --------------------------------------------------------------------------------------------------- */

/* r and s of 32 bytes each, as OpenSSL wants them; false: they have another length. */
static bool ecdsa_der(struct arena *a, struct bytes raw, struct bytes *ret)
{
    CLEANUP(drop_ecdsa) ECDSA_SIG *both = ECDSA_SIG_new();
    if (!both || raw.n != SIGNATURE_BYTES)
        return false;
    BIGNUM *r = BN_bin2bn(raw.p, COORDINATE_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(raw.p + COORDINATE_BYTES, COORDINATE_BYTES, NULL);
    crypt_must(r && s && ECDSA_SIG_set0(both, r, s) == 1, "numbers of a signature");
    uint8_t der[SIGNATURE_BYTES + 16], *end = der;
    int n = i2d_ECDSA_SIG(both, &end);
    struct str copy = arena_copy(a, (const char *)der, n > 0 ? (size_t)n : 0);
    *ret = str_bytes(copy);
    return n > 0;
}

/* Is the key of the kind that its algorithm wants, whoever stored it? */
static bool fits(const EVP_PKEY *public, enum jwt_algorithm algorithm)
{
    char group[32] = "";
    if (algorithm == JWT_RS256)
        return EVP_PKEY_is_a(public, "RSA");
    return EVP_PKEY_is_a(public, "EC") && EVP_PKEY_get_group_name(public, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool signed_with(const struct jwt_key *key, struct str text, struct bytes signature)
{
    const unsigned char *at = key->public.p;
    CLEANUP(drop_pkey) EVP_PKEY *public = d2i_PUBKEY(NULL, &at, (long)key->public.n);
    CLEANUP(drop_context) EVP_MD_CTX *c = EVP_MD_CTX_new();
    return public && c && fits(public, key->algorithm) &&
           EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, public) == 1 &&
           EVP_DigestVerify(c, signature.p, signature.n, (const uint8_t *)text.p, text.n) == 1;
}

static err_t check_signature(struct arena *a, const struct jwt_key *key, const struct token_parts *parts,
                             struct err_detail *d)
{
    struct bytes signature;
    if (!dec_base64url(a, parts->signature, &signature) ||
        (key->algorithm == JWT_ES256 && !ecdsa_der(a, signature, &signature)))
        return refuse(d, "its signature has the wrong form");
    return signed_with(key, parts->signed_part, signature) ? NULL : refuse(d, "its signature is wrong");
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

static err_t read_claims(struct arena *a, struct str payload, struct err_detail *d, struct jwt_claims *ret)
{
    struct token_claims t = {0};
    if (!read_segment(a, payload, token_claims_codec, &t))
        return refuse(d, "its claims cannot be read");
    *ret = (struct jwt_claims){.issuer = t.iss,
                               .audience = t.aud,
                               .subject = t.sub,
                               .tenant_id = t.tid,
                               .issued_s = t.iat.n,
                               .not_before_s = t.nbf.n,
                               .expires_s = t.exp.n};
    return NULL;
}

struct outside_claims {
    struct str iss, aud;
    struct opt_i64 iat, nbf, exp;
};
static const struct codec outside_claims_codec[] = {
    CODEC_TEXT(struct outside_claims, iss, "iss", CLAIM_MAX, CODEC_MUST),
    CODEC_JSON(struct outside_claims, aud, "aud", JWT_MAX, CODEC_MUST),
    CODEC_I64(struct outside_claims, iat, "iat", 0, TIME_MAX_S, 0),
    CODEC_I64(struct outside_claims, nbf, "nbf", 0, TIME_MAX_S, 0),
    CODEC_I64(struct outside_claims, exp, "exp", 0, TIME_MAX_S, CODEC_MUST),
    CODEC_END,
};

/* A text, or a list with that text in it. */
static bool names(const json_t *aud, struct str audience)
{
    bool found = str_same(str_of(json_string_value(aud)), audience);
    for (size_t i = 0; !found && i < json_array_size(aud); i++)
        found = str_same(str_of(json_string_value(json_array_get(aud, i))), audience);
    return found;
}

/* A claim that is a text; absent: it is none, or too long. */
static struct str claim_text(struct arena *a, const json_t *all, struct str name)
{
    const struct str text = str_of(json_string_value(json_object_get(all, arena_str(a, name).p)));
    return text.n && text.n <= CLAIM_MAX ? arena_str(a, text) : (struct str){NULL, 0};
}

static err_t read_outside(struct arena *a, const struct jwt_rules *rules, struct str payload, struct err_detail *d,
                          struct jwt_claims *ret)
{
    struct bytes bytes;
    struct outside_claims t = {.iss = {NULL, 0}};
    json_auto_t *all = NULL;
    if (!dec_base64url(a, payload, &bytes) || json_read(bytes_str(bytes), NULL, &all) ||
        codec_decode(a, outside_claims_codec, 0, (struct json_in){all, bytes_str(bytes)}, &t, NULL))
        return refuse(d, "its claims cannot be read");
    if (!str_same(t.iss, rules->issuer))
        return refuse(d, "it is of another issuer");
    if (!names(json_object_get(all, "aud"), rules->audience))
        return refuse(d, "it is for another audience");
    *ret = (struct jwt_claims){.issuer = t.iss,
                               .audience = rules->audience,
                               .subject = claim_text(a, all, rules->subject_claim),
                               .issued_s = t.iat.n,
                               .not_before_s = t.nbf.n,
                               .expires_s = t.exp.n};
    if (rules->tenant_claim.p)
        ret->tenant_id = claim_text(a, all, rules->tenant_claim);
    if (!ret->subject.p || (rules->tenant_claim.p && !ret->tenant_id.p))
        return refuse(d, "it does not say who it is, or of which tenant");
    return NULL;
}

static err_t verify_new(struct arena *a, const struct jwt_keys *keys, struct str token, struct err_detail *d,
                        struct jwt_claims *ret)
{
    const struct jwt_key *key = NULL;
    struct token_parts parts = {.header = {NULL, 0}};
    struct jwt_claims claims = {0};
    TRY(split(token, d, &parts));
    TRY(check_header(a, keys, parts.header, d, &key));
    assert(key);
    TRY(keys->rules ? read_outside(a, keys->rules, parts.payload, d, &claims)
                    : read_claims(a, parts.payload, d, &claims));
    TRY(check_signature(a, key, &parts, d));
    *ret = claims;
    return NULL;
}

struct issuer_claim {
    struct str iss;
};
static const struct codec issuer_claim_codec[] = {
    CODEC_TEXT(struct issuer_claim, iss, "iss", CLAIM_MAX, CODEC_MUST),
    CODEC_END,
};

err_t jwt_issuer(struct arena *a, struct str token, struct err_detail *d, struct str *ret_issuer)
{
    struct token_parts parts = {.header = {NULL, 0}};
    struct issuer_claim claim = {.iss = {NULL, 0}};
    if (!token.n || token.n > JWT_MAX)
        return refuse(d, token.n ? "it is too long" : "it is empty");
    TRY(split(token, d, &parts));
    if (!read_segment(a, parts.payload, issuer_claim_codec, &claim))
        return refuse(d, "its claims cannot be read");
    *ret_issuer = claim.iss;
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

/* What makes a token good: its bytes, the keys in use, and how it is read. (A text of a rule is a line: it has no end
 * of line in it, and none stands before the first key of ours.) */
static struct sha256 identity(struct arena *a, const struct jwt_keys *keys, struct str token)
{
    struct text t;
    const struct jwt_rules *r = keys->rules;
    text_init(&t, a, token.n + keys->count * SHA256_BYTES + 4 * CLAIM_MAX);
    if (r)
        text_printf(&t, "%.*s\n%.*s\n%.*s\n%.*s\n", STR_ARG(r->issuer), STR_ARG(r->audience), STR_ARG(r->subject_claim),
                    STR_ARG(r->tenant_claim));
    for (size_t i = 0; i < keys->count; i++)
        text_add(&t, bytes_str(sha256_bytes(&keys->at[i]->fingerprint)));
    text_add(&t, token);
    return crypt_sha256(text_bytes(&t));
}

static struct jwt_claims copy_claims(struct arena *a, const struct jwt_claims *from)
{
    return (struct jwt_claims){.issuer = arena_str(a, from->issuer),
                               .audience = arena_str(a, from->audience),
                               .subject = arena_str(a, from->subject),
                               .tenant_id = arena_str(a, from->tenant_id),
                               .issued_s = from->issued_s,
                               .not_before_s = from->not_before_s,
                               .expires_s = from->expires_s};
}

static void remember(struct cache *to, struct str id, int64_t now_us, const struct jwt_claims *c)
{
    struct jwt_claims *kept = cache_make(to, id, sizeof *kept, now_us);
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
    const struct str id = bytes_str(sha256_bytes(&hash));
    const struct jwt_claims *known = cache_find(keys->verified, id, now_us);
    struct jwt_claims claims = known ? copy_claims(a, known) : (struct jwt_claims){.issued_s = 0};
    cache_release(known);
    if (!known)
        TRY(verify_new(a, keys, token, d, &claims));
    TRY(check_times(&claims, now_us, d));
    if (!known)
        remember(keys->verified, id, now_us, &claims);
    *ret = claims;
    return NULL;
}
