/* diagnose.c: which mistake lies behind a refused SAS token: what it asks for, whose key it was signed with, and how
 * that was used (misuse.c). It must never let anybody in, nor put a key into its words. */
#include "core/attest/diagnose.h"

#include "core/attest/misuse.h"

enum {
    NAMED_MAX = 160,     /* bytes of the names of groups in one sentence */
    LOOKED_INTO_MAX = 8, /* groups whose keys may have been used wrongly: each costs hundreds of hashes */
};

static const struct str NOTHING = {NULL, 0};

static bool read_keys(struct arena *a, const struct symmetric_key *text, struct keypair *ret)
{
    *ret = (struct keypair){{NULL, 0}, {NULL, 0}};
    return text && dec_base64(a, text->primary, &ret->primary) && dec_base64(a, text->secondary, &ret->secondary);
}

bool attest_keys(struct arena *a, const struct attest_row *row, struct keypair *ret)
{
    struct attestation shown;
    struct err_detail unsaid;
    if (!row->stored.sealed.p || row->stored.type != ATTEST_SYMMETRIC_KEY || attest_show(a, row, &unsaid, &shown))
        return false;
    return read_keys(a, shown.symmetric_key, ret);
}

bool attest_hub_keys(struct arena *a, const struct attest_row *row, struct keypair *ret)
{
    struct hub_authentication at_hub;
    struct err_detail unsaid;
    if (row->stored.type != ATTEST_TPM || attest_hub_identity(a, row, (struct bytes){NULL, 0}, &unsaid, &at_hub))
        return false;
    return read_keys(a, at_hub.symmetric_key, ret);
}

bool attest_check_words(struct arena *a, const struct attest_row *row, struct check_words *ret)
{
    struct keypair keys;
    if (!attest_keys(a, row, &keys))
        return false;
    *ret = (struct check_words){keypair_check_word(a, keys.primary), keypair_check_word(a, keys.secondary)};
    return true;
}

/* --- sr ----------------------------------------------------------------------------------------------------------- */

/* Absent: sr names what it should. */
static struct str wrong_resource(const struct suspicion *s)
{
    struct str scope = s->claim->id_scope, id = s->claim->registration_id, theirs, word, rest;
    if (sas_covers(s->token, arena_printf(s->a, "%.*s/registrations/%.*s", STR_ARG(scope), STR_ARG(id))))
        return NOTHING;
    rest = str_split(str_split(s->token->resource, '/', &theirs), '/', &word);
    if (!str_same_nocase(word, STR("registrations")))
        return arena_printf(s->a,
                            "sr of the token is %s and names no registration; it must be {ID scope}/registrations/{id}",
                            misuse_quoted(s->a, s->token->resource).p);
    if (!str_same_nocase(theirs, scope))
        return arena_printf(s->a, "sr of the token names the ID scope %s, and the call another one",
                            misuse_quoted(s->a, theirs).p);
    return arena_printf(s->a, "sr of the token names the registration id %s, and the call another one",
                        misuse_quoted(s->a, rest).p);
}

/* --- the right key ------------------------------------------------------------------------------------------------ */

enum { PRIMARY, SECONDARY, KEYS };

static struct bytes key_at(const struct keypair *keys, int which)
{
    return which == PRIMARY ? keys->primary : keys->secondary;
}

static const char *word_of(int which)
{
    return which == PRIMARY ? "primary" : "secondary";
}

static struct right_key own_key(const struct suspicion *s, const struct keypair *own, int which)
{
    return (struct right_key){.name = arena_printf(s->a, "the %s key", word_of(which)).p, .key = key_at(own, which)};
}

static struct right_key group_key(const struct suspicion *s, const struct attest_suspect *group, int which)
{
    return (struct right_key){.name = arena_printf(s->a, "the %s key of the enrollment group %s", word_of(which),
                                                   misuse_quoted(s->a, group->whose).p)
                                          .p,
                              .key = key_at(&group->keys, which),
                              .derives = true};
}

/* Signed as it should be, so that only the time can be wrong. */
static struct str wrong_time(const struct suspicion *s, const struct right_key *right)
{
    int64_t minutes = (s->claim->now_us / 1000000 - s->token->expiry_s) / 60;
    if (sas_alive(s->token, s->claim->now_us))
        return NOTHING;
    return arena_printf(s->a,
                        "signed with %s%s, but the token expired %lld minutes before the time of this service: the "
                        "device's clock is behind, or it keeps old tokens",
                        right->derives ? "a key that derives from " : "", right->name, (long long)minutes);
}

static struct str wrong_for_own(const struct suspicion *s, const struct right_key *right)
{
    return arena_printf(s->a,
                        "signed with a key that derives from %s, but the id has an enrollment of its own, which alone "
                        "counts",
                        right->name);
}

/* False: it was signed with no key that the device should sign with. */
static bool by_right_key(const struct suspicion *s, const struct attest_suspects *all, struct str *ret)
{
    for (int which = 0; all->own && which < KEYS; which++) {
        struct right_key right = own_key(s, all->own, which);
        if (!misuse_absent(s, &right))
            continue;
        *ret = wrong_time(s, &right);
        return true;
    }
    for (size_t i = 0; i < all->group_count * KEYS; i++) {
        struct right_key right = group_key(s, &all->groups[i / KEYS], (int)(i % KEYS));
        if (!misuse_absent(s, &right))
            continue;
        *ret = all->enrolled ? wrong_for_own(s, &right) : wrong_time(s, &right);
        return true;
    }
    return false;
}

/* --- another one -------------------------------------------------------------------------------------------------- */

/* Whose it is stands between `before` and `behind`. */
static struct str of_another(const struct suspicion *s, const struct attest_suspect *at, size_t count,
                             const char *before, const char *behind)
{
    for (size_t i = 0; i < count * KEYS; i++) {
        const struct attest_suspect *one = &at[i / KEYS];
        int which = (int)(i % KEYS);
        if (sas_signed_with(s->token, key_at(&one->keys, which)))
            return arena_printf(s->a, "signed with the %s key of %s%.*s%s", word_of(which), before, STR_ARG(one->whose),
                                behind);
    }
    return NOTHING;
}

static struct str used_wrongly(const struct suspicion *s, const struct attest_suspects *all)
{
    struct str found = NOTHING;
    for (int which = 0; all->own && which < KEYS && !found.p; which++) {
        struct right_key right = own_key(s, all->own, which);
        found = misuse_of(s, &right);
    }
    for (size_t i = 0; i < all->group_count * KEYS && i < LOOKED_INTO_MAX * KEYS && !found.p; i++) {
        struct right_key right = group_key(s, &all->groups[i / KEYS], (int)(i % KEYS));
        found = misuse_of(s, &right);
        if (!found.p)
            found = misuse_of_derived(s, &right, all->ids);
    }
    return found;
}

/* So many of the names as there is room for. */
static struct str names_of(struct arena *a, const struct attest_suspect *groups, size_t count)
{
    struct text t;
    size_t n = 0;
    text_init(&t, a, NAMED_MAX);
    for (; n < count && t.n + groups[n].whose.n < NAMED_MAX; n++)
        text_printf(&t, "%s%s", n ? ", " : "", misuse_quoted(a, groups[n].whose).p);
    if (n < count)
        text_printf(&t, " and %zu more", count - n);
    return text_str(&t);
}

/* With a key that nobody knows. */
static struct str unknown_key(const struct suspicion *s, const struct attest_suspects *all)
{
    if (all->own)
        return arena_printf(s->a, "signed with a key that is not the enrollment's, whose check words are %s and %s",
                            keypair_check_word(s->a, all->own->primary).p,
                            keypair_check_word(s->a, all->own->secondary).p);
    if (all->enrolled)
        return NOTHING;
    if (!all->group_count)
        return STR("the instance has no enrollment group with symmetric keys");
    return arena_printf(s->a, "signed with a key that derives from none of the enrollment groups %s",
                        names_of(s->a, all->groups, all->group_count).p);
}

struct str attest_diagnose(struct arena *a, const struct attest_claim *claim, const struct attest_suspects *all)
{
    struct sas token;
    struct err_detail unsaid;
    const struct suspicion s = {a, &token, claim};
    if (sas_parse(a, claim->presented->authorization, &unsaid, &token))
        return NOTHING;
    struct str found = wrong_resource(&s);
    if (found.p || by_right_key(&s, all, &found))
        return found;
    found = of_another(&s, all->others, all->other_count, "", "");
    if (!found.p)
        found = of_another(&s, all->groups, all->group_count, "the enrollment group \"",
                           "\" itself, from which devices derive theirs");
    if (!found.p)
        found = used_wrongly(&s, all);
    return found.p ? found : unknown_key(&s, all);
}
