/* fuzz_sas.c: any Authorization header. None may pass for a key that nobody knows; what is parsed can be made again. */
#include "fuzz.h"

#include <string.h>

#include "core/attest/diagnose.h"
#include "core/sas.h"

enum { TOLD_EACH = 4 }; /* telling is hundreds of hashes, and the parser is what has most to read */

/* Neither an enrollment with that key nor an id that is not enrolled lets it in. */
static void is_refused(struct arena *a, struct str header, const struct sas *s)
{
    const struct presented presented = {.authorization = header};
    const struct attest_claim claim = {&presented, STR("0ne0000beef"), STR("line7-unit042"), 0, NULL, NULL};
    struct str key = enc_base64(a, fuzz_unknown_key());
    struct symmetric_key keys = {key, key};
    const struct attestation sent = {.type = ATTEST_SYMMETRIC_KEY, .symmetric_key = &keys};
    struct attest_row row = {fuzz_ring(), {.id_scope = claim.id_scope, .key = claim.registration_id}};
    HOLDS(!sas_signed_with(s, fuzz_unknown_key()));
    HOLDS(attest_check(a, &row, &claim, NULL) == E(UNAUTHORIZED));
    HOLDS(!attest_seal(a, &row, &sent, NULL, &row.stored));
    HOLDS(attest_check(a, &row, &claim, NULL) == E(UNAUTHORIZED));
}

/* What the log says of it shows no key and nothing that is no text, whether that key is the device's own or a group's.
 */
static void is_told_plainly(struct arena *a, struct str header)
{
    const struct presented presented = {.authorization = header};
    const struct attest_claim claim = {
        .presented = &presented, .id_scope = STR("0ne0000beef"), .registration_id = STR("line7-unit042")};
    const struct keypair own = {fuzz_unknown_key(), fuzz_unknown_key()};
    struct attest_suspect group = {STR("hall"), own};
    struct str ids[] = {STR("line7-unit041")};
    const struct attest_suspects known[] = {{.enrolled = true, .own = &own},
                                            {.groups = &group, .group_count = 1, .ids = {ids, 1, true}}};
    for (size_t i = 0; i < 2; i++) {
        struct str told = attest_diagnose(a, &claim, &known[i]);
        HOLDS(told.n < ERR_DETAIL_MAX && !(told.p && strstr(told.p, enc_base64(a, fuzz_unknown_key()).p)));
        for (size_t at = 0; at < told.n; at++)
            HOLDS(told.p[at] >= ' ' && told.p[at] < 0x7f);
    }
}

static void can_be_made_again(struct arena *a, const struct sas *s)
{
    struct sas again;
    struct str token = sas_make(a, s->resource, s->key_name, fuzz_unknown_key(), s->expiry_s);
    if (!s->resource.n || token.n > SAS_TOKEN_MAX)
        return;
    HOLDS(!sas_parse(a, token, NULL, &again));
    HOLDS(str_same(again.resource, s->resource) && str_same(again.key_name, s->key_name));
    HOLDS(again.expiry_s == s->expiry_s && sas_signed_with(&again, fuzz_unknown_key()));
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
    if (size % TOLD_EACH == 0)
        is_told_plainly(a, header);
    can_be_made_again(a, &s);
    return 0;
}
