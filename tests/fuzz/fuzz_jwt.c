/* fuzz_jwt.c: any bearer token, which may not pass for keys that were made for this run, ours or an outside issuer's;
 * and any texts as claims, which come out of a token as they went in, while it is alive and not a bit of it was
 * changed. */
#include "fuzz.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "core/cache.h"
#include "core/jwt.h"

/* One key, which lives as long as the run. */
static const struct jwt_keys *fresh_keys(void)
{
    static struct jwt_key *key;
    static struct jwt_keys keys = {&key, 1, NULL, NULL};
    static struct arena *forever;
    if (forever)
        return &keys;
    forever = arena_new();
    HOLDS(!jwt_key_load(forever, STR("k1"), jwt_key_new_pem(forever), &key));
    keys.verified = cache_new(10, 1000000);
    return &keys;
}

/* The same of an outside issuer: one key of each algorithm. */
static const struct jwt_keys *outside_keys(void)
{
    static const struct jwt_rules rules = {{"i", 1}, {"a", 1}, {"sub", 3}, {"tid", 3}};
    static struct jwt_key *at[2];
    static struct jwt_keys keys = {at, 2, NULL, &rules};
    static struct arena *forever;
    if (forever)
        return &keys;
    forever = arena_new();
    EVP_PKEY *const made[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256")};
    for (size_t i = 0; i < 2; i++) {
        unsigned char *der = NULL;
        int n = i2d_PUBKEY(made[i], &der);
        HOLDS(n > 0);
        at[i] = jwt_key_outside(forever, i ? STR("k2") : STR("k1"), i ? JWT_ES256 : JWT_RS256,
                                (struct bytes){der, (size_t)n});
        EVP_PKEY_free(made[i]);
    }
    keys.verified = cache_new(10, 1000000);
    return &keys;
}

enum { NOW_S = 1900000000, LIFE_S = 3600, SAID_BYTES = 24 };

static err_t verified_at(struct arena *a, struct str token, int64_t s, struct jwt_claims *ret)
{
    struct err_detail d = {""};
    err_t e = jwt_verify(a, fresh_keys(), token, s * 1000000, &d, ret);
    HOLDS(!e == !*d.text && (!e || e == E(INVALID_TOKEN)));
    return e;
}

static void is_spoilt(struct arena *a, struct str token, size_t at)
{
    struct jwt_claims unread;
    char *bytes = arena_alloc(a, token.n);
    for (size_t i = 0; i < token.n; i++)
        bytes[i] = token.p[i];
    bytes[at] = bytes[at] == 'A' ? 'B' : 'A';
    HOLDS(verified_at(a, (struct str){bytes, token.n}, NOW_S, &unread) == E(INVALID_TOKEN));
}

/* A text that JSON holds as it is; of one length alone, since signing is slow. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return s.n == SAID_BYTES;
}

static void comes_back(struct arena *a, struct str said)
{
    struct jwt_claims back;
    const struct jwt_claims c = {.issuer = STR("https://x"),
                                 .audience = said,
                                 .subject = said,
                                 .tenant_id = STR("t"),
                                 .issued_s = NOW_S,
                                 .not_before_s = NOW_S,
                                 .expires_s = NOW_S + LIFE_S};
    struct str token;
    HOLDS(!jwt_sign(a, fresh_keys()->at[0], &c, &token));
    HOLDS(!verified_at(a, token, NOW_S, &back) && str_same(back.subject, said) && str_same(back.audience, said));
    HOLDS(back.expires_s == c.expires_s);
    HOLDS(verified_at(a, token, NOW_S + LIFE_S + JWT_LEEWAY_S, &back));
    HOLDS(verified_at(a, token, NOW_S - JWT_LEEWAY_S - 1, &back));
    is_spoilt(a, token, token.n / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str token = arena_copy(a, (const char *)data, size);
    struct jwt_claims claims;
    struct str issuer = {NULL, 0};
    HOLDS(verified_at(a, token, NOW_S, &claims));
    HOLDS(jwt_verify(a, outside_keys(), token, NOW_S * INT64_C(1000000), NULL, &claims) == E(INVALID_TOKEN));
    HOLDS(!jwt_issuer(a, token, NULL, &issuer) == !!issuer.p);
    if (is_plain(token)) {
        HOLDS(jwt_key_jwk(a, fresh_keys()->at[0]).n);
        comes_back(a, token);
    }
    return 0;
}
