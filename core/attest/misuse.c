/* misuse.c: the ways in which a device uses the right key wrongly. It must never let anybody in, nor put a key into its
 * words. */
#include "core/attest/misuse.h"

#include <ctype.h>

enum { QUOTED_MAX = 80, FRONT_STEP = 3 /* bytes in four characters of base64 */ };

struct str misuse_quoted(struct arena *a, struct str s)
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

static struct str changed_case(struct arena *a, struct str s, int (*change)(int c))
{
    struct text t;
    text_init(&t, a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        text_add_char(&t, (char)change((unsigned char)s.p[i]));
    return text_str(&t);
}

/* --- signed with what --------------------------------------------------------------------------------------------- */

static bool signed_with_derived(const struct suspicion *s, struct bytes key, struct str text)
{
    if (!key.n)
        return false;
    struct sha256 derived = crypt_hmac_sha256(key, str_bytes(text));
    return sas_signed_with(s->token, sha256_bytes(&derived));
}

/* With a key that was taken for the right one, and used as that is. */
static bool signed_with(const struct suspicion *s, const struct right_key *right, struct bytes key)
{
    return right->derives ? signed_with_derived(s, key, s->claim->registration_id) : sas_signed_with(s->token, key);
}

bool misuse_absent(const struct suspicion *s, const struct right_key *right)
{
    return signed_with(s, right, right->key) ||
           (right->derives && signed_with_derived(s, right->key, arena_lower(s->a, s->claim->registration_id)));
}

/* --- the key is not whole ----------------------------------------------------------------------------------------- */

/* How many bytes of the key are left; 0: it was not cut. */
static size_t cut_to(const struct suspicion *s, const struct right_key *right)
{
    struct bytes key = right->key;
    for (size_t n = key.n; n-- > 1;)
        if (signed_with(s, right, (struct bytes){key.p, n}))
            return n;
    for (size_t gone = FRONT_STEP; gone < key.n; gone += FRONT_STEP)
        if (signed_with(s, right, (struct bytes){key.p + gone, key.n - gone}))
            return key.n - gone;
    return 0;
}

/* Who reads padding as bytes of zero makes the key longer, which shows where that passes a block of the hash. */
static bool signed_with_padding(const struct suspicion *s, const struct right_key *right)
{
    uint8_t *padded = arena_alloc(s->a, right->key.n + 2);
    for (size_t i = 0; i < right->key.n; i++)
        padded[i] = right->key.p[i];
    return signed_with(s, right, (struct bytes){padded, right->key.n + 1}) ||
           signed_with(s, right, (struct bytes){padded, right->key.n + 2});
}

/* The text of a key as its bytes: as it is, without its padding, with the line's end that was pasted along. */
static bool signed_with_text(const struct suspicion *s, const struct right_key *right, struct str text)
{
    struct str bare = text;
    while (bare.n && bare.p[bare.n - 1] == '=')
        bare.n--;
    return signed_with(s, right, str_bytes(text)) || signed_with(s, right, str_bytes(bare)) ||
           signed_with(s, right, str_bytes(arena_printf(s->a, "%s\n", text.p)));
}

/* The bytes of a key as base64 that was written in letters of another case. */
static bool signed_in_case(const struct suspicion *s, const struct right_key *right, struct str text,
                           int (*change)(int c))
{
    struct bytes key;
    return dec_base64(s->a, changed_case(s->a, text, change), &key) && signed_with(s, right, key);
}

static struct str misuse_of_text(const struct suspicion *s, const struct right_key *right)
{
    const char *with = right->derives ? "signed with a key that derives from" : "signed with";
    struct str text = enc_base64(s->a, right->key);
    size_t left = cut_to(s, right);
    if (left)
        return arena_printf(s->a, "%s %s cut to %zu of its %zu bytes", with, right->name, left, right->key.n);
    if (signed_with_padding(s, right))
        return arena_printf(s->a, "%s %s padded with zeros", with, right->name);
    if (signed_with_text(s, right, text))
        return arena_printf(s->a, "%s the text of %s, which must be decoded from base64 first", with, right->name);
    if (signed_in_case(s, right, text, tolower) || signed_in_case(s, right, text, toupper))
        return arena_printf(s->a, "%s %s in letters of another case", with, right->name);
    return (struct str){NULL, 0};
}

/* --- what was made with it is not right --------------------------------------------------------------------------- */

/* Over sr in another spelling than the one that was sent. */
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

struct str misuse_of(const struct suspicion *s, const struct right_key *right)
{
    if (!right->key.n)
        return (struct str){NULL, 0};
    struct str found = misuse_of_text(s, right);
    if (found.p || right->derives)
        return found;
    if (signed_with_derived(s, right->key, s->claim->registration_id))
        return arena_printf(s->a, "signed with a key derived from %s; this device must sign with that key itself",
                            right->name);
    if (signed_otherwise(s, right->key))
        return arena_printf(s->a, "signed with %s over another spelling of sr than the one that was sent", right->name);
    return (struct str){NULL, 0};
}

/* --- a group's key ------------------------------------------------------------------------------------------------ */

static struct str derived_for(const struct suspicion *s, const struct right_key *of, struct str text)
{
    if (!signed_with_derived(s, of->key, text))
        return (struct str){NULL, 0};
    return arena_printf(s->a, "signed with a key that derives from %s, but for %s in place of its registration id",
                        of->name, misuse_quoted(s->a, text).p);
}

/* Absent: for none of the texts that may be taken for the device's id. */
static struct str derived_for_another(const struct suspicion *s, const struct right_key *of, struct str_list ids)
{
    struct str id = s->claim->registration_id, found = {NULL, 0};
    const struct str texts[] = {changed_case(s->a, id, toupper), arena_printf(s->a, "%.*s\n", STR_ARG(id)),
                                s->token->resource, s->token->resource_raw, s->claim->id_scope};
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !found.p; i++)
        found = derived_for(s, of, texts[i]);
    for (size_t i = 0; i < ids.n && !found.p; i++)
        if (!str_same_nocase(ids.at[i], id))
            found = derived_for(s, of, ids.at[i]);
    return found;
}

struct str misuse_of_derived(const struct suspicion *s, const struct right_key *of, struct str_list ids)
{
    struct sha256 hash = crypt_hmac_sha256(of->key, str_bytes(s->claim->registration_id));
    const struct right_key derived = {.name = arena_printf(s->a, "the key that derives from %s", of->name).p,
                                      .key = {hash.b, sizeof hash.b}};
    if (!of->key.n)
        return (struct str){NULL, 0};
    struct str found = derived_for_another(s, of, ids);
    return found.p ? found : misuse_of(s, &derived);
}
