/* attest.c: what all types of attestation have in common: their table, their canonical bytes, and the seal that binds
 * these to their row and type. It must never open what was sealed for another row or as another type. */
#include "core/attest/type.h"

enum { PACK_VERSION = 1, LENGTH_BYTES = 4 };

/* The rows of attest.def in their order, and by type. */
static const int rows[] = {
#define ATTEST(type, functions, cost) ATTEST_##type,
#include "core/attest/attest.def"
#undef ATTEST
};
static const struct attest_type *const types[ATTEST_NONE] = {
#define ATTEST(type, functions, cost) [ATTEST_##type] = &attest_##functions,
#include "core/attest/attest.def"
#undef ATTEST
};

/* A build for tests takes all that is stored for dear: most tests enroll keys. */
#ifdef IDSCOPE_ALL_DEAR
#define COST(cost) ATTEST_DEAR
#else
#define COST(cost) ATTEST_##cost
#endif
static const enum attest_cost costs[ATTEST_NONE] = {
#define ATTEST(type, functions, cost) [ATTEST_##type] = COST(cost),
#include "core/attest/attest.def"
#undef ATTEST
};

/* NULL: it has no row. */
static const struct attest_type *type_of(int type)
{
    return type > ATTEST_ABSENT && type < ATTEST_NONE ? types[type] : NULL;
}

static const char *word_of(int type)
{
    return attestation_type_words[type - 1];
}

/* --- canonical bytes ---------------------------------------------------------------------------------------------- */

struct bytes attest_pack(struct arena *a, const struct bytes *parts, size_t count)
{
    struct text t;
    text_init(&t, a, 160);
    text_add_char(&t, PACK_VERSION);
    for (size_t i = 0; i < count; i++) {
        for (int shift = 8 * (LENGTH_BYTES - 1); shift >= 0; shift -= 8)
            text_add_char(&t, (char)(parts[i].n >> shift & 0xff));
        text_add(&t, bytes_str(parts[i]));
    }
    return text_bytes(&t);
}

/* Takes a part off the front of `rest`. */
static bool take_part(struct bytes *rest, struct bytes *ret)
{
    size_t n = 0;
    if (rest->n < LENGTH_BYTES)
        return false;
    for (int i = 0; i < LENGTH_BYTES; i++)
        n = n << 8 | rest->p[i];
    if (n > rest->n - LENGTH_BYTES)
        return false;
    *ret = (struct bytes){rest->p + LENGTH_BYTES, n};
    *rest = (struct bytes){ret->p + n, rest->n - LENGTH_BYTES - n};
    return true;
}

bool attest_unpack(struct bytes packed, struct bytes *ret_parts, size_t count)
{
    if (!packed.n || packed.p[0] != PACK_VERSION)
        return false;
    struct bytes rest = {packed.p + 1, packed.n - 1};
    for (size_t i = 0; i < count; i++)
        if (!take_part(&rest, &ret_parts[i]))
            return false;
    return rest.n == 0;
}

/* --- in its row --------------------------------------------------------------------------------------------------- */

static struct bytes identity(struct arena *a, const struct attest_row *row, int type)
{
    return seal_row(a, row->stored.of_group ? "enrollment_group" : "enrollment", row->stored.id_scope, row->stored.key,
                    word_of(type));
}

struct attest_stored attest_sealed(struct arena *a, const struct attest_row *row, int type, struct bytes packed)
{
    struct attest_stored stored = row->stored;
    stored.type = type;
    stored.sealed = seal(a, row->ring, identity(a, row, type), packed);
    return stored;
}

err_t attest_open(struct arena *a, const struct attest_row *row, struct err_detail *d, struct bytes *ret_packed)
{
    if (!unseal(a, row->ring, identity(a, row, row->stored.type), row->stored.sealed, ret_packed))
        return NULL;
    return err_say(d, E(SEAL_BROKEN),
                   "the stored attestation cannot be opened: it was sealed for another row, or under a key that is not "
                   "in the key ring");
}

/* The functions of a stored attestation; NULL, with the reason in `d`, when they are not known. */
static const struct attest_type *find_type(const struct attest_row *row, struct err_detail *d)
{
    const struct attest_type *type = type_of(row->stored.type);
    if (!type)
        err_say(d, E(SEAL_BROKEN), "the stored attestation is of a type that this version does not know");
    return type;
}

/* --- what a client of the service plane sends and is shown -------------------------------------------------------- */

static err_t refuse_type(struct arena *a, struct err_detail *d)
{
    struct text known;
    text_init(&known, a, 64);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        text_printf(&known, "%s%s", i ? " or " : "", word_of(rows[i]));
    return err_say(d, E(BAD_FIELD), "attestation.type must be %.*s; other kinds come in a later version.",
                   STR_ARG(text_str(&known)));
}

err_t attest_form(struct arena *a, const struct attestation *in, struct err_detail *d)
{
    if (!type_of(in->type))
        return refuse_type(a, d);
    for (int type = ATTEST_ABSENT + 1; type < ATTEST_NONE; type++)
        if (type != in->type && attestation_has(in, type))
            return err_say(d, E(BAD_FIELD), "attestation.%s does not belong to attestation.type %s.", word_of(type),
                           word_of(in->type));
    return NULL;
}

err_t attest_fits(const struct attestation *in, bool of_group, struct err_detail *d)
{
    const struct attest_type *type = types[in->type];
    if (of_group && !type->for_groups)
        return err_say(d, E(BAD_FIELD), "attestation.type %s is for individual enrollments alone.", word_of(in->type));
    return type->fits ? type->fits(in, of_group, d) : NULL;
}

enum attest_kept attest_kept(const struct attestation *in)
{
    return types[in->type]->kept(in);
}

err_t attest_seal(struct arena *a, const struct attest_row *row, const struct attestation *in, struct err_detail *d,
                  struct attest_stored *ret)
{
    struct bytes packed;
    bool has_old = row->stored.sealed.p && row->stored.type == in->type;
    TRY(types[in->type]->pack(a, in, has_old ? row : NULL, d, &packed));
    *ret = attest_sealed(a, row, in->type, packed);
    if (types[in->type]->named)
        ret->ca = types[in->type]->named(a, packed);
    return NULL;
}

err_t attest_show(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    const struct attest_type *type = find_type(row, d);
    return type ? type->show(a, row, d, ret) : E(SEAL_BROKEN);
}

err_t attest_mask(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    const struct attest_type *type = find_type(row, d);
    return type ? type->mask(a, row, d, ret) : E(SEAL_BROKEN);
}

/* --- a device registers ------------------------------------------------------------------------------------------- */

err_t attest_check(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                   struct err_detail *d)
{
    const struct attest_type *type = row->stored.sealed.p ? find_type(row, d) : types[rows[0]];
    return type ? type->check(a, row, claim, d) : E(SEAL_BROKEN);
}

err_t attest_refuse(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                    struct err_detail *d)
{
    const struct attest_type *type = type_of(row->stored.type);
    return type && type->refuse ? type->refuse(a, row, claim, d) : NULL;
}

err_t attest_body(const struct attest_stored *stored, const struct presented *p, struct err_detail *d)
{
    if (!p->tpm_sent || types[stored->type]->takes_tpm)
        return NULL;
    return err_say(d, E(BAD_FIELD), "tpm: the enrollment's attestation is %s, which has no use for it.",
                   word_of(stored->type));
}

err_t attest_admit(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                   struct err_detail *d, struct str *ret_derived_from)
{
    struct attest_row member = *row;
    struct str lower = arena_lower(a, claim->registration_id);
    *ret_derived_from = (struct str){NULL, 0};
    if (!row->stored.of_group)
        return attest_check(a, row, claim, d);
    member.stored.derived_from = claim->registration_id;
    err_t e = attest_check(a, &member, claim, d);
    if (e == E(UNAUTHORIZED) && !str_same(lower, claim->registration_id)) {
        member.stored.derived_from = lower;
        e = attest_check(a, &member, claim, d);
    }
    if (!e)
        *ret_derived_from = member.stored.derived_from;
    return e;
}

int attest_group_type(struct arena *a, const struct attest_claim *claim)
{
    if (claim->presented->authorization.n)
        return attest_may_be_signed(a, claim) ? ATTEST_SYMMETRIC_KEY : ATTEST_ABSENT;
    return claim->presented->leaf.n ? ATTEST_X509 : ATTEST_ABSENT;
}

enum attest_cost attest_cost(const struct attest_stored *stored)
{
    return stored->sealed.p && type_of(stored->type) ? costs[stored->type] : ATTEST_CHEAP;
}

struct bytes attest_evidence(struct arena *a, const struct attest_stored *stored, const struct presented *presented)
{
    const struct attest_type *type = type_of(stored->type);
    return type && type->evidence ? type->evidence(a, presented) : (struct bytes){NULL, 0};
}

void attest_tell(struct arena *a, const struct attest_stored *stored, struct str group, struct registration_state *to)
{
    const struct attest_type *type = type_of(stored->type);
    struct admitted_by **at = type && type->told ? type->told(stored, to) : NULL;
    if (!at)
        return;
    *at = ARENA_NEW(a, struct admitted_by);
    if (stored->of_group)
        (*at)->enrollment_group_id = group;
}

/* --- a device is handed keys -------------------------------------------------------------------------------------- */

bool attest_is_handed(const struct attest_stored *stored)
{
    const struct attest_type *type = stored->sealed.p ? type_of(stored->type) : NULL;
    return type && type->hand;
}

err_t attest_hand(struct arena *a, const struct attest_row *row, struct bytes root, struct bytes key,
                  struct err_detail *d, struct str *ret)
{
    return types[row->stored.type]->hand(a, row, root, key, d, ret);
}

static struct bytes nonce_identity(struct arena *a, const struct attest_row *row, const struct sha256 *device)
{
    struct str of = enc_hex(a, (struct bytes){device->b, sizeof device->b}, false);
    return seal_row(a, "challenge", row->stored.id_scope, row->stored.key, of.p);
}

err_t attest_nonce_new(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attest_nonce *ret)
{
    uint8_t key[SHA256_BYTES];
    TRY(types[row->stored.type]->device(a, row, d, &ret->device));
    crypt_random(key, sizeof key);
    ret->sealed = seal(a, row->ring, nonce_identity(a, row, &ret->device), (struct bytes){key, sizeof key});
    crypt_wipe(key, sizeof key);
    return NULL;
}

err_t attest_nonce_open(struct arena *a, const struct attest_row *row, const struct attest_nonce *nonce,
                        struct err_detail *d, struct bytes *ret)
{
    struct sha256 device;
    *ret = (struct bytes){NULL, 0};
    TRY(types[row->stored.type]->device(a, row, d, &device));
    if (!crypt_same(sha256_bytes(&device), sha256_bytes(&nonce->device)))
        return NULL;
    if (unseal(a, row->ring, nonce_identity(a, row, &device), nonce->sealed, ret))
        return err_say(d, E(SEAL_BROKEN), "the stored nonce cannot be opened");
    return NULL;
}

/* --- its hub ------------------------------------------------------------------------------------------------------ */

err_t attest_hub_identity(struct arena *a, const struct attest_row *row, struct bytes evidence, struct err_detail *d,
                          struct hub_authentication *ret)
{
    const struct attest_type *type = find_type(row, d);
    return type ? type->hub(a, row, evidence, d, ret) : E(SEAL_BROKEN);
}
