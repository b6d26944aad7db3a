/* symmetric.c: attestation with symmetric keys: a device signs its token with one of two keys, which the hub that gets
 * the device knows too. It must never tell a device why it was refused: an unknown id, a wrong key and an old token
 * look alike to it. */
#include "core/attest/type.h"
#include "core/keypair.h"
#include "core/sas.h"

enum { PART_PRIMARY, PART_SECONDARY, PARTS };

/* --- stored ------------------------------------------------------------------------------------------------------- */

/* HMAC-SHA256 of the group's key over the device's id (wire.md 4.4). From no key comes none. */
static struct bytes derive(struct arena *a, struct bytes key, struct str id)
{
    if (!key.n)
        return key;
    struct sha256 hash = crypt_hmac_sha256(key, str_bytes(id));
    return str_bytes(arena_str(a, bytes_str(sha256_bytes(&hash))));
}

/* Those of the row, or of the group's device that the row is looked at for. */
static err_t open_keys(struct arena *a, const struct attest_row *row, struct err_detail *d, struct keypair *ret)
{
    struct bytes packed, parts[PARTS];
    struct str id = row->stored.derived_from;
    TRY(attest_open(a, row, d, &packed));
    if (!attest_unpack(packed, parts, PARTS))
        return err_say(d, E(SEAL_BROKEN), "the stored attestation is not in a form that this version knows");
    *ret = (struct keypair){parts[PART_PRIMARY], parts[PART_SECONDARY]};
    if (id.p)
        *ret = (struct keypair){derive(a, ret->primary, id), derive(a, ret->secondary, id)};
    return NULL;
}

static const struct symmetric_key *sent_keys(const struct attestation *in)
{
    static const struct symmetric_key none = {{NULL, 0}, {NULL, 0}};
    return in->symmetric_key ? in->symmetric_key : &none;
}

/* A key that is absent stays as it is; an empty one is made new. */
static enum attest_kept kept(const struct attestation *in)
{
    const struct symmetric_key *sent = sent_keys(in);
    if (sent->primary.p && sent->secondary.p)
        return ATTEST_KEEPS_NOTHING;
    return sent->primary.p || sent->secondary.p ? ATTEST_KEEPS_SOME : ATTEST_KEEPS_ALL;
}

static err_t pack(struct arena *a, const struct attestation *in, const struct attest_row *old, struct err_detail *d,
                  struct bytes *ret)
{
    const struct symmetric_key *sent = sent_keys(in);
    struct keypair keys, before = {{NULL, 0}, {NULL, 0}};
    if (old)
        TRY(open_keys(a, old, d, &before));
    TRY(keypair_read(a, sent, "attestation.symmetricKey", DEVICE_KEY_BYTES, d, &keys));
    struct bytes parts[PARTS] = {
        [PART_PRIMARY] = old && !sent->primary.p ? before.primary : keys.primary,
        [PART_SECONDARY] = old && !sent->secondary.p ? before.secondary : keys.secondary,
    };
    *ret = attest_pack(a, parts, PARTS);
    return NULL;
}

/* --- shown -------------------------------------------------------------------------------------------------------- */

/* All of it is secret, so the row need not even be opened. */
static err_t mask(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    (void)row;
    (void)d;
    *ret = (struct attestation){.type = ATTEST_SYMMETRIC_KEY, .symmetric_key = ARENA_NEW(a, struct symmetric_key)};
    return NULL;
}

static err_t show(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    struct keypair keys;
    TRY(open_keys(a, row, d, &keys));
    TRY(mask(a, row, d, ret));
    *ret->symmetric_key = keypair_text(a, &keys);
    return NULL;
}

static err_t hub(struct arena *a, const struct attest_row *row, struct bytes evidence, struct err_detail *d,
                 struct hub_authentication *ret)
{
    struct attestation shown;
    (void)evidence;
    TRY(show(a, row, d, &shown));
    *ret = (struct hub_authentication){.type = HUB_AUTH_SAS, .symmetric_key = shown.symmetric_key};
    return NULL;
}

/* --- checked ------------------------------------------------------------------------------------------------------ */

/* The token is well formed, for this registration, alive, and skn is absent or "registration". */
static err_t read_token(struct arena *a, const struct attest_claim *c, struct err_detail *d, struct sas *ret)
{
    TRY(sas_parse(a, c->presented->authorization, d, ret));
    struct str audience = arena_printf(a, "%.*s/registrations/%.*s", STR_ARG(c->id_scope), STR_ARG(c->registration_id));
    if (!sas_covers(ret, audience))
        return err_say(d, E(UNAUTHORIZED), "the SAS token is for another resource");
    if (ret->key_name.p && !str_same_nocase(ret->key_name, STR("registration")))
        return err_say(d, E(UNAUTHORIZED), "skn of the SAS token is not \"registration\"");
    if (!sas_alive(ret, c->now_us))
        return err_say(d, E(UNAUTHORIZED), "the SAS token has expired");
    return NULL;
}

bool attest_may_be_signed(struct arena *a, const struct attest_claim *claim)
{
    struct sas token;
    return !read_token(a, claim, NULL, &token);
}

/* … and signed with either key. */
err_t attest_check_token(struct arena *a, const struct attest_claim *c, const struct keypair *keys,
                         struct err_detail *d)
{
    struct sas token;
    TRY(read_token(a, c, d, &token));
    if (!sas_signed_with(&token, keys->primary) && !sas_signed_with(&token, keys->secondary))
        return err_say(d, E(UNAUTHORIZED), "the SAS token was signed with another key");
    return NULL;
}

/* As much work as opening what is stored, for an id of which nothing is. */
static void seal_nobodys(struct arena *a, const struct attest_row *row)
{
    const struct bytes parts[PARTS] = {
        [PART_PRIMARY] = keypair_of_nobody.primary, [PART_SECONDARY] = keypair_of_nobody.secondary};
    (void)attest_sealed(a, row, ATTEST_SYMMETRIC_KEY, attest_pack(a, parts, PARTS));
}

/* The token of an id that is not enrolled is checked with nobody's keys. */
static err_t check(struct arena *a, const struct attest_row *row, const struct attest_claim *c, struct err_detail *d)
{
    struct keypair keys = keypair_of_nobody;
    bool enrolled = row->stored.sealed.p;
    if (enrolled)
        TRY(open_keys(a, row, d, &keys));
    else
        seal_nobodys(a, row);
    if (enrolled && !c->presented->authorization.n)
        return err_say(d, E(UNAUTHORIZED), "the device sent no token; the enrollment has symmetric keys");
    TRY(attest_check_token(a, c, &keys, d));
    if (!enrolled)
        return err_say(d, E(UNAUTHORIZED), "there is no enrollment of this registration id");
    return NULL;
}

/* Clients know the member beside groups alone. */
static struct admitted_by **told(const struct attest_stored *stored, struct registration_state *to)
{
    return stored->of_group ? &to->symmetric_key : NULL;
}

const struct attest_type attest_symmetric = {.for_groups = true,
                                             .kept = kept,
                                             .pack = pack,
                                             .show = show,
                                             .mask = mask,
                                             .check = check,
                                             .hub = hub,
                                             .told = told};
