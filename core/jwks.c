/* jwks.c: sets of keys of outside issuers. It must never take a key of which two readers could think differently: one
 * of two with the same kid, one on another curve, one that is too short. */
#include "jwks.h"

#include <ctype.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "codec.h"
#include "id.h"
#include "limits.h"

enum { P256_BYTES = 32, POINT_BYTES = 1 + 2 * P256_BYTES, UNCOMPRESSED = 4 };
enum { RSA_BYTES_LEAST = 256, RSA_BYTES_MOST = 1024, EXPONENT_BYTES_MOST = 4, KEY_TEXT_MAX = 6000 };

struct jwk {
    struct str kty, kid, use, alg, crv, n, e, x, y;
};
static const struct codec jwk_codec[] = {
    CODEC_TEXT(struct jwk, kty, "kty", 16, CODEC_MUST), CODEC_TEXT(struct jwk, kid, "kid", KID_MOST, 0),
    CODEC_TEXT(struct jwk, use, "use", 16, 0),          CODEC_TEXT(struct jwk, alg, "alg", 32, 0),
    CODEC_TEXT(struct jwk, crv, "crv", 16, 0),          CODEC_TEXT(struct jwk, n, "n", KEY_TEXT_MAX, 0),
    CODEC_TEXT(struct jwk, e, "e", KEY_TEXT_MAX, 0),    CODEC_TEXT(struct jwk, x, "x", KEY_TEXT_MAX, 0),
    CODEC_TEXT(struct jwk, y, "y", KEY_TEXT_MAX, 0),    CODEC_END,
};
struct jwks {
    struct obj_list keys;
};
static const struct codec jwks_codec[] = {
    CODEC_OBJECTS(struct jwks, keys, "keys", jwk_codec, struct jwk, JWKS_KEYS_MAX, CODEC_MUST),
    CODEC_END,
};

static void drop_pkey(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}
static void drop_context(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}
static void drop_build(OSSL_PARAM_BLD **b)
{
    OSSL_PARAM_BLD_free(*b);
}
static void drop_params(OSSL_PARAM **p)
{
    OSSL_PARAM_free(*p);
}
static void drop_bn(BIGNUM **n)
{
    BN_free(*n);
}
#define CLEANUP(how) __attribute__((cleanup(how)))

/* The key as DER; false when OpenSSL does not take its numbers for a key (a point that is not on the curve). */
static bool write_key(struct arena *a, const char *type, OSSL_PARAM *params, struct bytes *ret)
{
    CLEANUP(drop_pkey) EVP_PKEY *key = NULL;
    CLEANUP(drop_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    unsigned char *der = NULL;
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return false;
    int n = i2d_PUBKEY(key, &der);
    if (n <= 0)
        return false;
    struct str copy = arena_copy(a, (const char *)der, (size_t)n);
    OPENSSL_free(der);
    *ret = str_bytes(copy);
    return true;
}

static bool read_rsa(struct arena *a, const struct jwk *k, struct bytes *ret)
{
    struct bytes n, e;
    if (!dec_base64url(a, k->n, &n) || !dec_base64url(a, k->e, &e) || n.n < RSA_BYTES_LEAST || n.n > RSA_BYTES_MOST ||
        n.p[0] == 0 || !(n.p[n.n - 1] & 1) || !e.n || e.n > EXPONENT_BYTES_MOST || !(e.p[e.n - 1] & 1) ||
        (e.n == 1 && e.p[0] < 3))
        return false;
    CLEANUP(drop_bn) BIGNUM *modulus = BN_bin2bn(n.p, (int)n.n, NULL);
    CLEANUP(drop_bn) BIGNUM *exponent = BN_bin2bn(e.p, (int)e.n, NULL);
    CLEANUP(drop_build) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    crypt_must(build && modulus && exponent && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
                   OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1,
               "RSA key");
    CLEANUP(drop_params) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    return write_key(a, "RSA", params, ret);
}

static bool read_p256(struct arena *a, const struct jwk *k, struct bytes *ret)
{
    struct bytes x, y;
    uint8_t point[POINT_BYTES] = {UNCOMPRESSED};
    char group[] = "prime256v1";
    if (!str_same(k->crv, STR("P-256")) || !dec_base64url(a, k->x, &x) || !dec_base64url(a, k->y, &y) ||
        x.n != P256_BYTES || y.n != P256_BYTES)
        return false;
    memcpy(point + 1, x.p, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y.p, P256_BYTES);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    return write_key(a, "EC", params, ret);
}

/* Is it of that type, and for nothing else than signatures of that algorithm? */
static bool is_for(const struct jwk *k, struct str type, struct str algorithm)
{
    return str_same(k->kty, type) && (!k->alg.p || str_same(k->alg, algorithm)) &&
           (!k->use.p || str_same(k->use, STR("sig")));
}

static bool read_key(struct arena *a, const struct jwk *k, struct jwks_key *ret)
{
    ret->kid = k->kid;
    if (is_for(k, STR("RSA"), STR("RS256"))) {
        ret->algorithm = JWT_RS256;
        return read_rsa(a, k, &ret->public);
    }
    ret->algorithm = JWT_ES256;
    return is_for(k, STR("EC"), STR("ES256")) && read_p256(a, k, &ret->public);
}

static bool has_kid(const struct jwks_key *keys, size_t count, struct str kid)
{
    for (size_t i = 0; i < count; i++)
        if (str_same(keys[i].kid, kid))
            return true;
    return false;
}

err_t jwks_read(struct arena *a, struct str text, struct err_detail *d, struct jwks_key **ret, size_t *ret_count)
{
    struct jwks set = {.keys = {NULL, 0, false}};
    size_t count = 0;
    if (text.n > JWKS_BYTES_MAX)
        return err_say(d, E(BAD_FIELD), "The set of keys is longer than %d bytes.", JWKS_BYTES_MAX);
    TRY(codec_read(a, jwks_codec, CODEC_KEEP_UNKNOWN, text, &set, d));
    const struct jwk *all = set.keys.at;
    struct jwks_key *keys = ARENA_NEW_ARRAY(a, set.keys.n + 1, struct jwks_key);
    for (size_t i = 0; i < set.keys.n; i++) {
        if (!all[i].kid.n || !read_key(a, &all[i], &keys[count]))
            continue;
        if (has_kid(keys, count, all[i].kid))
            return err_say(d, E(BAD_FIELD), "Two keys have the same kid.");
        count++;
    }
    if (!count)
        return err_say(d, E(BAD_FIELD), "There is no key for RS256 or ES256 that has a kid.");
    *ret = keys;
    *ret_count = count;
    return NULL;
}

/* --- where they are ----------------------------------------------------------------------------------------------- */

struct discovery {
    struct str issuer, jwks_uri;
};
static const struct codec discovery_codec[] = {
    CODEC_TEXT(struct discovery, issuer, "issuer", ISSUER_URL_MOST, CODEC_MUST),
    CODEC_TEXT(struct discovery, jwks_uri, "jwks_uri", ISSUER_URL_MOST, CODEC_MUST),
    CODEC_END,
};

err_t jwks_discover(struct arena *a, struct str text, struct str issuer, struct err_detail *d, struct str *ret_url)
{
    struct discovery found = {.issuer = {NULL, 0}};
    if (text.n > JWKS_BYTES_MAX)
        return err_say(d, E(BAD_FIELD), "The discovery document is longer than %d bytes.", JWKS_BYTES_MAX);
    TRY(codec_read(a, discovery_codec, CODEC_KEEP_UNKNOWN, text, &found, d));
    if (!str_same(found.issuer, issuer))
        return err_say(d, E(BAD_FIELD), "The discovery document is of another issuer.");
    *ret_url = found.jwks_uri;
    return NULL;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isgraph((unsigned char)s.p[i]) || strchr("#?\\\"<>", s.p[i]))
            return false;
    return true;
}

bool jwks_url(struct str url, struct str *ret_host, int *ret_port, struct str *ret_path)
{
    static const struct str scheme = {"https://", 8};
    if (url.n > ISSUER_URL_MOST || !str_starts(url, scheme) || !is_printable(url))
        return false;
    struct str rest = {url.p + scheme.n, url.n - scheme.n}, authority;
    struct str behind = str_split(rest, '/', &authority);
    *ret_path = behind.p ? (struct str){behind.p - 1, behind.n + 1} : STR("");
    return id_authority(authority, ret_host, ret_port);
}
