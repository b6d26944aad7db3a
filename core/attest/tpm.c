/* tpm.c: attestation with a TPM: a device shows its endorsement key and proves that it holds it by signing with a key
 * that only that TPM can have unwrapped (wire.md 4.6). The key for the hub is made here, stored with the enrollment and
 * handed over in the same way. It must never tell a device why it was refused, nor take an endorsement key, which is
 * no secret, for a proof. */
#include "core/attest/tpm_public.h"
#include "core/attest/tpm_wrap.h"
#include "core/attest/type.h"
#include "core/keypair.h"

enum { PART_ENDORSEMENT, PART_ROOT, PART_PRIMARY, PART_SECONDARY, PARTS };

/* An attestation in clear: public areas as they were sent (root.n 0: none was), and the keys for the hub. */
struct stored {
    struct bytes endorsement, root;
    struct keypair hub;
};

static const struct stored NOTHING;

/* --- stored ------------------------------------------------------------------------------------------------------- */

static struct bytes pack_stored(struct arena *a, const struct stored *s)
{
    const struct bytes parts[PARTS] = {[PART_ENDORSEMENT] = s->endorsement,
                                       [PART_ROOT] = s->root,
                                       [PART_PRIMARY] = s->hub.primary,
                                       [PART_SECONDARY] = s->hub.secondary};
    return attest_pack(a, parts, PARTS);
}

static err_t open_stored(struct arena *a, const struct attest_row *row, struct err_detail *d, struct stored *ret)
{
    struct bytes packed, parts[PARTS];
    struct tpm_public key;
    TRY(attest_open(a, row, d, &packed));
    if (!attest_unpack(packed, parts, PARTS) || tpm_public_parse(parts[PART_ENDORSEMENT], &key) ||
        (parts[PART_ROOT].n && tpm_public_parse(parts[PART_ROOT], &key)))
        return err_say(d, E(SEAL_BROKEN), "the stored attestation is not in a form that this version knows");
    *ret = (struct stored){parts[PART_ENDORSEMENT], parts[PART_ROOT], {parts[PART_PRIMARY], parts[PART_SECONDARY]}};
    return NULL;
}

/* With a TPM all that clients know is sent each time; what stays is the key for the hub. */
static enum attest_kept kept(const struct attestation *in)
{
    (void)in;
    return ATTEST_KEEPS_SOME;
}

static err_t read_public(struct arena *a, struct str base64, const char *member, struct err_detail *d,
                         struct bytes *ret)
{
    struct tpm_public key;
    TRY(tpm_public_read(a, base64, member, d, &key));
    *ret = key.area;
    return NULL;
}

static err_t read_sent(struct arena *a, const struct attestation *in, struct err_detail *d, struct stored *ret)
{
    if (!in->tpm || !in->tpm->endorsement.n)
        return err_say(d, E(BAD_FIELD), "attestation.tpm.endorsementKey is required.");
    TRY(read_public(a, in->tpm->endorsement, "attestation.tpm.endorsementKey", d, &ret->endorsement));
    if (in->tpm->root.n)
        TRY(read_public(a, in->tpm->root, "attestation.tpm.storageRootKey", d, &ret->root));
    return NULL;
}

static struct bytes new_key(struct arena *a)
{
    uint8_t *key = arena_alloc(a, TPM_KEY_BYTES);
    crypt_random(key, TPM_KEY_BYTES);
    return (struct bytes){key, TPM_KEY_BYTES};
}

/* Another TPM gets other keys. What does not open is replaced as well, since all else of it was sent anew. */
static err_t pack(struct arena *a, const struct attestation *in, const struct attest_row *old, struct err_detail *d,
                  struct bytes *ret)
{
    struct stored s = NOTHING, before = NOTHING;
    TRY(read_sent(a, in, d, &s));
    if (old && !open_stored(a, old, NULL, &before) && crypt_same(before.endorsement, s.endorsement))
        s.hub = before.hub;
    else
        s.hub = (struct keypair){new_key(a), new_key(a)};
    *ret = pack_stored(a, &s);
    return NULL;
}

/* --- shown -------------------------------------------------------------------------------------------------------- */

/* A public area as clients know it: a TPM2B_PUBLIC. */
static struct bytes public_bytes(struct arena *a, struct bytes area)
{
    struct text t;
    text_init(&t, a, 2 + area.n);
    text_add_char(&t, (char)(area.n >> 8));
    text_add_char(&t, (char)(area.n & 0xff));
    text_add(&t, bytes_str(area));
    return text_bytes(&t);
}

static struct str public_text(struct arena *a, struct bytes area)
{
    return enc_base64(a, public_bytes(a, area));
}

/* Both are public, and the keys for the hub are shown to nobody. */
static err_t show(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    struct stored s = NOTHING;
    TRY(open_stored(a, row, d, &s));
    *ret = (struct attestation){.type = ATTEST_TPM, .tpm = ARENA_NEW(a, struct tpm_keys)};
    ret->tpm->endorsement = public_text(a, s.endorsement);
    if (s.root.n)
        ret->tpm->root = public_text(a, s.root);
    return NULL;
}

static err_t hub(struct arena *a, const struct attest_row *row, struct bytes evidence, struct err_detail *d,
                 struct hub_authentication *ret)
{
    struct stored s = NOTHING;
    (void)evidence;
    TRY(open_stored(a, row, d, &s));
    *ret = (struct hub_authentication){.type = HUB_AUTH_SAS, .symmetric_key = ARENA_NEW(a, struct symmetric_key)};
    *ret->symmetric_key = keypair_text(a, &s.hub);
    return NULL;
}

/* --- checked ------------------------------------------------------------------------------------------------------ */

/* Both are told by the check words of what clients know, which can be made of it with any tool. */
static err_t refuse_key(struct arena *a, const char *which, struct bytes shown, struct bytes stored,
                        struct err_detail *d)
{
    return err_say(d, E(UNAUTHORIZED),
                   "the %s key is not the enrollment's: its check word is %s, that of the enrollment's is %s", which,
                   keypair_check_word(a, public_bytes(a, shown)).p, keypair_check_word(a, public_bytes(a, stored)).p);
}

/* A storage root key belongs to its TPM only as long as nobody clears that; so it counts when the enrollment names one.
 */
static err_t check_shown(struct arena *a, const struct presented *p, const struct stored *s, struct err_detail *d)
{
    if (!crypt_same(p->tpm_endorsement, s->endorsement))
        return refuse_key(a, "endorsement", p->tpm_endorsement, s->endorsement, d);
    if (s->root.n && p->tpm_root.n && !crypt_same(p->tpm_root, s->root))
        return refuse_key(a, "storage root", p->tpm_root, s->root, d);
    if (!s->root.n && !p->tpm_root.n)
        return err_say(d, E(UNAUTHORIZED), "the device sent no storage root key, and the enrollment has none");
    return NULL;
}

static err_t refuse(struct arena *a, const struct attest_row *row, const struct attest_claim *c, struct err_detail *d)
{
    struct stored s = NOTHING;
    TRY(open_stored(a, row, d, &s));
    return c->presented->tpm_endorsement.p ? check_shown(a, c->presented, &s, d) : NULL;
}

static err_t check_nonce(struct arena *a, const struct attest_claim *c, struct err_detail *d)
{
    static const struct keypair none = {{NULL, 0}, {NULL, 0}};
    const struct keypair *nonce = c->handed ? c->handed : &none;
    err_t e = attest_check_token(a, c, nonce, d);
    if (e && nonce->primary.n && attest_may_be_signed(a, c))
        err_say(d, e, "the device signed with another key than the one that its TPM was handed");
    else if (e && attest_may_be_signed(a, c))
        err_say(d, e,
                "the device signed, and no challenge is open: the last one was met, is over, or was never asked for");
    return e;
}

/* A token is a proof only with a key that this device's TPM was handed; polls bear the token alone. */
static err_t check(struct arena *a, const struct attest_row *row, const struct attest_claim *c, struct err_detail *d)
{
    struct stored s = NOTHING;
    TRY(open_stored(a, row, d, &s));
    if (c->presented->tpm_endorsement.p)
        TRY(check_shown(a, c->presented, &s, d));
    else if (!c->presented->authorization.n)
        return err_say(d, E(UNAUTHORIZED), "the enrollment has a TPM, and the device sent none and no token");
    if (!c->presented->authorization.n)
        return E(CHALLENGE);
    return check_nonce(a, c, d);
}

/* --- handed to its TPM -------------------------------------------------------------------------------------------- */

static err_t device(struct arena *a, const struct attest_row *row, struct err_detail *d, struct sha256 *ret)
{
    struct stored s = NOTHING;
    TRY(open_stored(a, row, d, &s));
    *ret = crypt_sha256(s.endorsement);
    return NULL;
}

static err_t wrap_for(struct arena *a, const struct stored *s, struct bytes root, struct bytes key,
                      struct err_detail *d, struct str *ret)
{
    struct tpm_public endorsement_key, root_key;
    struct bytes blob;
    if (tpm_public_parse(s->endorsement, &endorsement_key) || tpm_public_parse(s->root.n ? s->root : root, &root_key) ||
        !tpm_wrap(a, &endorsement_key, &root_key, key, &blob))
        return err_say(d, E(UNAUTHORIZED), "no key can be wrapped for the TPM's keys");
    *ret = enc_base64(a, blob);
    return NULL;
}

static err_t hand(struct arena *a, const struct attest_row *row, struct bytes root, struct bytes key,
                  struct err_detail *d, struct str *ret)
{
    struct stored s = NOTHING;
    TRY(open_stored(a, row, d, &s));
    return wrap_for(a, &s, root, key.p ? key : s.hub.primary, d, ret);
}

const struct attest_type attest_tpm = {.takes_tpm = true,
                                       .kept = kept,
                                       .pack = pack,
                                       .show = show,
                                       .mask = show,
                                       .check = check,
                                       .refuse = refuse,
                                       .hub = hub,
                                       .device = device,
                                       .hand = hand};
