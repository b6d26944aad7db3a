/* fuzz_jwt.c: any bearer token. None may pass for a key that was made for this run. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str token = arena_copy(a, (const char *)data, size);
    struct err_detail d = {""};
    struct jwt_claims claims;
    HOLDS(jwt_verify(a, fresh_keys(), token, INT64_C(1900000000000000), &d, &claims) == E(INVALID_TOKEN));
    HOLDS(*d.text);
    return 0;
}
