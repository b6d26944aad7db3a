/* diagnose.c: which mistake lies behind a refused SAS token. Each is tried by making the token as the mistaken device
 * would have. It must never let anybody in, nor put a key into its words. */
#include "core/attest/diagnose.h"

#include <ctype.h>

#include "core/sas.h"

enum { QUOTED_MAX = 80, FRONT_STEP = 3 /* bytes in four characters of base64 */ };

/* A token that is looked into. */
struct suspicion {
    struct arena *a;
    const struct sas *token;
    const struct attest_claim *claim;
};

/* One of the enrollment's keys. */
struct own_key {
    const char *name; /* primary or secondary */
    struct bytes key;
};

bool attest_keys(struct arena *a, const struct attest_row *row, struct keypair *ret)
{
    struct attestation shown;
    struct err_detail unsaid;
    if (!row->stored.sealed.p || row->stored.type != ATTEST_SYMMETRIC_KEY || attest_show(a, row, &unsaid, &shown))
        return false;
    *ret = (struct keypair){{NULL, 0}, {NULL, 0}};
    return dec_base64(a, shown.symmetric_key->primary, &ret->primary) &&
           dec_base64(a, shown.symmetric_key->secondary, &ret->secondary);
}

bool attest_check_words(struct arena *a, const struct attest_row *row, struct check_words *ret)
{
    struct keypair keys;
    if (!attest_keys(a, row, &keys))
        return false;
    *ret = (struct check_words){keypair_check_word(a, keys.primary), keypair_check_word(a, keys.secondary)};
    return true;
}

/* What a device sent, fit for a sentence. */
static struct str quoted(struct arena *a, struct str s)
{
    size_t n = s.n < QUOTED_MAX ? s.n : QUOTED_MAX;
    struct text t;
    text_init(&t, a, n + 2);
    text_add_char(&t, '"');
    for (size_t i = 0; i < n; i++)
        text_add_char(&t, s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '"' ? s.p[i] : '?');
    text_add_char(&t, '"');
    return text_str(&t);
}

static struct bytes bytes_of(struct str s)
{
    return (struct bytes){(const uint8_t *)s.p, s.n};
}

/* --- sr ----------------------------------------------------------------------------------------------------------- */

/* Absent: sr names what it should. */
static struct str wrong_resource(const struct suspicion *s)
{
    struct str scope = s->claim->id_scope, id = s->claim->registration_id, theirs, word, rest;
    if (sas_covers(s->token, arena_printf(s->a, "%.*s/registrations/%.*s", STR_ARG(scope), STR_ARG(id))))
        return (struct str){NULL, 0};
    rest = str_split(str_split(s->token->resource, '/', &theirs), '/', &word);
    if (!str_same_nocase(word, STR("registrations")))
        return arena_printf(s->a,
                            "sr of the token is %s and names no registration; it must be {ID scope}/registrations/{id}",
                            quoted(s->a, s->token->resource).p);
    if (!str_same_nocase(theirs, scope))
        return arena_printf(s->a, "sr of the token names the ID scope %s, and the call another one",
                            quoted(s->a, theirs).p);
    return arena_printf(s->a, "sr of the token names the registration id %s, and the call another one",
                        quoted(s->a, rest).p);
}

/* --- keys that are not right -------------------------------------------------------------------------------------- */

static struct str changed_case(struct arena *a, struct str s, int (*change)(int c))
{
    struct text t;
    text_init(&t, a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        text_add_char(&t, (char)change((unsigned char)s.p[i]));
    return text_str(&t);
}

/* The bytes of a key as base64 that was written in letters of another case. */
static bool signed_in_case(const struct suspicion *s, struct str text, int (*change)(int c))
{
    struct bytes key;
    return dec_base64(s->a, changed_case(s->a, text, change), &key) && sas_signed_with(s->token, key);
}

/* How many bytes of the key are left; 0: it was not cut. */
static size_t cut_to(const struct sas *token, struct bytes key)
{
    for (size_t n = key.n - 1; n; n--)
        if (sas_signed_with(token, (struct bytes){key.p, n}))
            return n;
    for (size_t gone = FRONT_STEP; gone < key.n; gone += FRONT_STEP)
        if (sas_signed_with(token, (struct bytes){key.p + gone, key.n - gone}))
            return key.n - gone;
    return 0;
}

/* The text of a key as its bytes: as it is, without its padding, with the line's end that was pasted along. */
static bool signed_with_text(const struct suspicion *s, struct str text)
{
    struct str bare = text;
    while (bare.n && bare.p[bare.n - 1] == '=')
        bare.n--;
    return sas_signed_with(s->token, bytes_of(text)) || sas_signed_with(s->token, bytes_of(bare)) ||
           sas_signed_with(s->token, bytes_of(arena_printf(s->a, "%s\n", text.p)));
}

/* Who reads padding as bytes of zero makes the key longer, which shows where that passes a block of the hash. */
static bool signed_with_padding(const struct suspicion *s, struct bytes key)
{
    uint8_t *padded = arena_alloc(s->a, key.n + 2);
    for (size_t i = 0; i < key.n; i++)
        padded[i] = key.p[i];
    return sas_signed_with(s->token, (struct bytes){padded, key.n + 1}) ||
           sas_signed_with(s->token, (struct bytes){padded, key.n + 2});
}

static bool signed_with_derived(const struct suspicion *s, struct bytes key)
{
    struct sha256 derived = crypt_hmac_sha256(key, bytes_of(s->claim->registration_id));
    return sas_signed_with(s->token, (struct bytes){derived.b, sizeof derived.b});
}

/* With the right key, over sr in another spelling than the one that was sent. */
static bool signed_otherwise(const struct suspicion *s, struct bytes key)
{
    const struct str spellings[] = {s->token->resource, enc_percent(s->a, s->token->resource),
                                    arena_lower(s->a, s->token->resource_raw),
                                    arena_lower(s->a, enc_percent(s->a, s->token->resource))};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct sas other = *s->token;
        other.resource_raw = spellings[i];
        if (sas_signed_with(&other, key))
            return true;
    }
    return false;
}

/* A mistake with one of the enrollment's keys; absent: none of them. */
static struct str wrong_use(const struct suspicion *s, const struct own_key *own)
{
    struct str text = enc_base64(s->a, own->key);
    size_t left = cut_to(s->token, own->key);
    if (left)
        return arena_printf(s->a, "signed with the %s key cut to %zu of its %zu bytes", own->name, left, own->key.n);
    if (signed_with_padding(s, own->key))
        return arena_printf(s->a, "signed with the %s key padded with zeros", own->name);
    if (signed_with_text(s, text))
        return arena_printf(s->a, "signed with the text of the %s key, which must be decoded from base64 first",
                            own->name);
    if (signed_in_case(s, text, tolower) || signed_in_case(s, text, toupper))
        return arena_printf(s->a, "signed with the %s key in letters of another case", own->name);
    if (signed_with_derived(s, own->key))
        return arena_printf(s->a,
                            "signed with a key derived from the %s key, as devices of a group do; this one must sign "
                            "with the key itself",
                            own->name);
    if (signed_otherwise(s, own->key))
        return arena_printf(s->a, "signed with the %s key over another spelling of sr than the one that was sent",
                            own->name);
    return (struct str){NULL, 0};
}

static struct str of_another(const struct suspicion *s, const struct attest_suspect *suspects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct keypair *k = &suspects[i].keys;
        bool primary = sas_signed_with(s->token, k->primary);
        if (primary || sas_signed_with(s->token, k->secondary))
            return arena_printf(s->a, "signed with the %s key of %.*s", primary ? "primary" : "secondary",
                                STR_ARG(suspects[i].whose));
    }
    return (struct str){NULL, 0};
}

static struct str wrong_key(const struct suspicion *s, const struct own_key own[2],
                            const struct attest_suspect *suspects, size_t count)
{
    struct str found = of_another(s, suspects, count);
    for (int i = 0; i < 2 && !found.p; i++)
        found = wrong_use(s, &own[i]);
    return found.p
               ? found
               : arena_printf(s->a, "signed with a key that is not the enrollment's, whose check words are %s and %s",
                              keypair_check_word(s->a, own[0].key).p, keypair_check_word(s->a, own[1].key).p);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static struct str too_old(const struct suspicion *s, const char *key)
{
    int64_t minutes = (s->claim->now_us / 1000000 - s->token->expiry_s) / 60;
    return arena_printf(s->a,
                        "signed with the %s key, but the token expired %lld minutes before the time of this service: "
                        "the device's clock is behind, or it keeps old tokens",
                        key, (long long)minutes);
}

struct str attest_diagnose(struct arena *a, const struct keypair *own, const struct attest_claim *claim,
                           const struct attest_suspect *suspects, size_t count)
{
    struct sas token;
    struct err_detail unsaid;
    const struct suspicion s = {a, &token, claim};
    const struct own_key keys[2] = {{"primary", own->primary}, {"secondary", own->secondary}};
    if (sas_parse(a, claim->presented->authorization, &unsaid, &token))
        return (struct str){NULL, 0};
    struct str found = wrong_resource(&s);
    if (found.p)
        return found;
    for (int i = 0; i < 2; i++)
        if (sas_signed_with(&token, keys[i].key))
            return sas_alive(&token, claim->now_us) ? (struct str){NULL, 0} : too_old(&s, keys[i].name);
    return wrong_key(&s, keys, suspects, count);
}

struct str attest_diagnose_stranger(struct arena *a, const struct attest_claim *claim,
                                    const struct attest_suspect *suspects, size_t count)
{
    struct sas token;
    struct err_detail unsaid;
    const struct suspicion s = {a, &token, claim};
    if (sas_parse(a, claim->presented->authorization, &unsaid, &token))
        return (struct str){NULL, 0};
    struct str found = wrong_resource(&s);
    return found.p ? found : of_another(&s, suspects, count);
}
