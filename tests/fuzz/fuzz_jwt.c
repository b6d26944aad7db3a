/* fuzz_jwt.c: any bearer token. None may pass for a key that was made for this run. */
#include "fuzz.h"

#include "core/jwt.h"

static const struct jwt_key *fresh_key(void)
{
    static struct jwt_key *key;
    if (key)
        return key;
    ARENA_CLEANUP struct arena *a = arena_new();
    HOLDS(!jwt_key_load(STR("k1"), jwt_key_new_pem(a), &key));
    return key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    const struct jwt_key *key = fresh_key();
    struct str token = arena_copy(a, (const char *)data, size);
    struct err_detail d = {""};
    struct jwt_claims claims;
    HOLDS(jwt_verify(a, &key, 1, token, INT64_C(1900000000000000), &d, &claims) == E(INVALID_TOKEN));
    HOLDS(*d.text);
    return 0;
}
