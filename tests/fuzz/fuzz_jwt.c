/* fuzz_jwt.c: any bearer token, which may not pass for a key that was made for this run; and any texts as claims, which
 * come out of a token as they went in, while it is alive and not a bit of it was changed. */
#include "fuzz.h"

#include "core/cache.h"
#include "core/jwt.h"

/* One key, which lives as long as the run. */
static const struct jwt_keys *fresh_keys(void)
{
    static struct jwt_key *key;
    static struct jwt_keys keys = {&key, 1, NULL};
    static struct arena *forever;
    if (forever)
        return &keys;
    forever = arena_new();
    HOLDS(!jwt_key_load(forever, STR("k1"), jwt_key_new_pem(forever), &key));
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
                                 .role = STR("reader"),
                                 .issued_s = NOW_S,
                                 .not_before_s = NOW_S,
                                 .expires_s = NOW_S + LIFE_S};
    struct str token;
    HOLDS(!jwt_sign(a, fresh_keys()->at[0], &c, &token));
    HOLDS(!verified_at(a, token, NOW_S, &back) && str_same(back.subject, said) && str_same(back.audience, said));
    HOLDS(back.expires_s == c.expires_s && str_same(back.role, c.role));
    HOLDS(verified_at(a, token, NOW_S + LIFE_S + JWT_LEEWAY_S, &back));
    HOLDS(verified_at(a, token, NOW_S - JWT_LEEWAY_S - 1, &back));
    is_spoilt(a, token, token.n / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str token = arena_copy(a, (const char *)data, size);
    struct jwt_claims claims;
    HOLDS(verified_at(a, token, NOW_S, &claims));
    if (is_plain(token)) {
        HOLDS(jwt_key_jwk(a, fresh_keys()->at[0]).n);
        comes_back(a, token);
    }
    return 0;
}
