/* fuzz_sas.c: any Authorization header. None may pass for a key that nobody knows; what is parsed can be made again. */
#include "fuzz.h"

#include <string.h>

#include "core/attest/attest.h"

/* Drawn once per run, so that no corpus can hold a token for it. */
static struct bytes unknown_key(void)
{
    static uint8_t key[DEVICE_KEY_BYTES];
    static bool drawn;
    if (!drawn)
        crypt_random(key, sizeof key);
    drawn = true;
    return (struct bytes){key, sizeof key};
}

static void is_refused(struct arena *a, struct str header, const struct sas *s)
{
    struct keypair keys = {unknown_key(), {NULL, 0}};
    HOLDS(!sas_signed_with(s, keys.primary));
    HOLDS(attest_symmetric(a, header, STR("0ne0000BEEF"), STR("line7-unit042"), &keys, 0, NULL) == E(UNAUTHORIZED));
}

static void can_be_made_again(struct arena *a, const struct sas *s)
{
    struct sas again;
    struct str token = sas_make(a, s->resource, s->key_name, unknown_key(), s->expiry_s);
    if (!s->resource.n || token.n > SAS_TOKEN_MAX)
        return;
    HOLDS(!sas_parse(a, token, NULL, &again));
    HOLDS(str_same(again.resource, s->resource) && str_same(again.key_name, s->key_name));
    HOLDS(again.expiry_s == s->expiry_s && sas_signed_with(&again, unknown_key()));
    HOLDS(sas_covers(&again, s->resource));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str header = arena_copy(a, (const char *)data, size);
    struct err_detail d = {""};
    struct sas s;
    if (sas_parse(a, header, &d, &s)) {
        HOLDS(*d.text);
        return 0;
    }
    HOLDS(!memchr(s.resource.p, '\0', s.resource.n));
    HOLDS(!s.resource.n || s.resource.p[s.resource.n - 1] != '/');
    sas_alive(&s, INT64_MAX);
    sas_covers(&s, STR("0ne0000BEEF/registrations/line7-unit042"));
    is_refused(a, header, &s);
    can_be_made_again(a, &s);
    return 0;
}
