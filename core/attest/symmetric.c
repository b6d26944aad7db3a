/* symmetric.c: does the credential that a device presents fit its enrollment? It must never tell a caller why not,
 * other than in the detail for logs: an unknown id, a wrong key and an old token look alike to a device. */
#include "core/attest/attest.h"

struct sha256 attest_derive(struct bytes group_key, struct str registration_id)
{
    return crypt_hmac_sha256(group_key, (struct bytes){(const uint8_t *)registration_id.p, registration_id.n});
}

err_t attest_symmetric(struct arena *a, struct str authorization, struct str id_scope, struct str registration_id,
                       const struct keypair *keys, int64_t now_us, struct err_detail *d)
{
    struct sas token;
    TRY(sas_parse(a, authorization, d, &token));
    struct str audience = arena_printf(a, "%.*s/registrations/%.*s", STR_ARG(id_scope), STR_ARG(registration_id));
    if (!sas_covers(&token, audience))
        return err_say(d, E(UNAUTHORIZED), "the SAS token is for another resource");
    if (token.key_name.p && !str_same_nocase(token.key_name, STR("registration")))
        return err_say(d, E(UNAUTHORIZED), "skn of the SAS token is not \"registration\"");
    if (!sas_alive(&token, now_us))
        return err_say(d, E(UNAUTHORIZED), "the SAS token has expired");
    if (!sas_signed_with(&token, keys->primary) && !sas_signed_with(&token, keys->secondary))
        return err_say(d, E(UNAUTHORIZED), "the SAS token was signed with another key");
    return NULL;
}
