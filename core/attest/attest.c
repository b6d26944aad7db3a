/* attest.c: what all types of attestation have in common: their table, their canonical bytes, and the seal that binds
 * these to their row and type. It must never open what was sealed for another row or as another type. */
#include "core/attest/type.h"

enum { PACK_VERSION = 1, LENGTH_BYTES = 4, NOBODYS_BYTES = 1 + 2 * (LENGTH_BYTES + 64) };

static const struct {
    const struct attest_type *type;
    enum attest_cost cost;
} types[] = {
#define ATTEST(type, functions, cost) [ATTEST_##type] = {&attest_##functions, ATTEST_##cost},
#include "core/attest/attest.def"
#undef ATTEST
};

/* NULL: it has no row. */
static const struct attest_type *type_of(int type)
{
    return type > ATTEST_ABSENT && (size_t)type < sizeof types / sizeof *types ? types[type].type : NULL;
}

static const char *word_of(int type)
{
    return attestation_type_words[type - 1];
}

enum attest_cost attest_cost(int type)
{
    return types[type].cost;
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
        text_add(&t, (struct str){(const char *)parts[i].p, parts[i].n});
    }
    return (struct bytes){(const uint8_t *)t.p, t.n};
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

struct attest_row attest_enrollment(const struct key_ring *ring, struct str id_scope, struct str registration_key,
                                    struct attest_stored stored)
{
    return (struct attest_row){ring, {"enrollment", id_scope, registration_key}, stored};
}

static struct bytes identity(struct arena *a, const struct attest_row *row, int type)
{
    return seal_row(a, row->id.kind, row->id.owner, row->id.name, word_of(type));
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

err_t attest_form(const struct attestation *in, struct err_detail *d)
{
    const bool sent[] = {
        [ATTEST_SYMMETRIC_KEY] = in->symmetric_key, [ATTEST_X509] = in->x509.p, [ATTEST_TPM] = in->tpm.p};
    if (!type_of(in->type))
        return err_say(d, E(BAD_FIELD), "attestation.type must be symmetricKey; other kinds come in a later version.");
    for (int type = ATTEST_ABSENT + 1; type < ATTEST_NONE; type++)
        if (sent[type] && type != in->type)
            return err_say(d, E(BAD_FIELD), "attestation.%s does not belong to attestation.type %s.", word_of(type),
                           word_of(in->type));
    return NULL;
}

enum attest_kept attest_kept(const struct attestation *in)
{
    return types[in->type].type->kept(in);
}

err_t attest_seal(struct arena *a, const struct attest_row *row, const struct attestation *in, struct err_detail *d,
                  struct attest_stored *ret)
{
    struct bytes packed;
    bool has_old = row->stored.sealed.p && row->stored.type == in->type;
    err_t e = types[in->type].type->pack(a, in, has_old ? row : NULL, d, &packed);
    if (!e)
        *ret = (struct attest_stored){in->type, seal(a, row->ring, identity(a, row, in->type), packed)};
    return e;
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

/* As much work as opening what is stored, for an id of which nothing is. */
static void seal_for_nobody(struct arena *a, const struct attest_row *row)
{
    static const uint8_t nobodys[NOBODYS_BYTES];
    (void)seal(a, row->ring, identity(a, row, ATTEST_SYMMETRIC_KEY), (struct bytes){nobodys, sizeof nobodys});
}

err_t attest_check(struct arena *a, const struct attest_row *row, const struct attest_claim *claim,
                   struct err_detail *d)
{
    /* For an id that is not enrolled the work of the commonest type is done. */
    const struct attest_type *type = row->stored.sealed.p ? find_type(row, d) : &attest_symmetric;
    if (!row->stored.sealed.p)
        seal_for_nobody(a, row);
    return type ? type->check(a, row, claim, d) : E(SEAL_BROKEN);
}

err_t attest_hub_identity(struct arena *a, const struct attest_row *row, struct err_detail *d,
                          struct hub_authentication *ret)
{
    const struct attest_type *type = find_type(row, d);
    return type ? type->hub(a, row, d, ret) : E(SEAL_BROKEN);
}
