/* fuzz_attest.c: any bytes in place of a stored attestation, sealed as they are and raw, of each type and of a group.
 * Whatever a row holds, no type admits a device by it that has not its key; what can be read is written again byte for
 * byte, and what is shown can be stored again and shown as the same. */
#include "fuzz.h"

#include "core/attest/type.h"
#include "core/sas.h"

enum { PARTS_MAX = 4 };

static void is_read_one_way(struct arena *a, struct bytes packed)
{
    for (size_t count = 0; count <= PARTS_MAX; count++) {
        struct bytes parts[PARTS_MAX];
        if (!attest_unpack(packed, parts, count))
            continue;
        for (size_t i = 0; i < count; i++)
            HOLDS(parts[i].p >= packed.p && parts[i].n <= (size_t)(packed.p + packed.n - parts[i].p));
        HOLDS(crypt_same(attest_pack(a, parts, count), packed));
    }
}

/* A token that is good but for its key; of a device that the row is of, or of a group of such devices. */
static bool admits(struct arena *a, struct attest_row row)
{
    struct str token = sas_make(a, STR("0ne1/registrations/D"), (struct str){NULL, 0}, fuzz_unknown_key(), 1893456000);
    const struct presented presented = {.authorization = token};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("D"), 0, NULL, NULL};
    struct err_detail d = {""};
    struct str derived_from;
    err_t refused = attest_refuse(a, &row, &claim, &d);
    HOLDS(!refused || refused == E(UNAUTHORIZED) || refused == E(SEAL_BROKEN));
    HOLDS(attest_group_type(a, &claim) == ATTEST_SYMMETRIC_KEY);
    HOLDS(!attest_body(&row.stored, &presented, &d));
    bool own = !attest_check(a, &row, &claim, &d);
    row.stored.of_group = true;
    return own || !attest_admit(a, &row, &claim, &d, &derived_from);
}

/* Sealed for the row, so that every byte of it reaches the types. */
static struct attest_row row_with(struct arena *a, int type, struct bytes packed)
{
    struct attest_row row = {fuzz_ring(), {.id_scope = STR("0ne1"), .key = STR("d"), .type = type}};
    row.stored = attest_sealed(a, &row, type, packed);
    return row;
}

static void is_stored_again(struct arena *a, const struct attest_row *row, const struct attestation *shown)
{
    struct attest_row again = {row->ring, {.id_scope = row->stored.id_scope, .key = row->stored.key}};
    struct attestation back;
    struct err_detail d = {""};
    struct text first, second;
    if (attest_form(a, shown, &d) || attest_fits(shown, false, &d) || attest_seal(a, &again, shown, &d, &again.stored))
        return;
    text_init(&first, a, 256);
    text_init(&second, a, 256);
    HOLDS(attest_kept(shown) <= ATTEST_KEEPS_ALL && !attest_show(a, &again, &d, &back));
    codec_encode(&first, attestation_codec, &back);
    HOLDS(!attest_seal(a, &again, &back, &d, &again.stored) && !attest_show(a, &again, &d, &back));
    codec_encode(&second, attestation_codec, &back);
    HOLDS(str_same(text_str(&first), text_str(&second)));
}

/* A nonce is opened by its row, and by no row that has another device. */
static void is_handed(struct arena *a, const struct attest_row *row)
{
    struct attest_nonce nonce;
    struct err_detail d = {""};
    struct bytes key;
    struct str text;
    if (!attest_is_handed(&row->stored) || attest_nonce_new(a, row, &d, &nonce))
        return;
    HOLDS(!attest_nonce_open(a, row, &nonce, &d, &key) && key.n == SHA256_BYTES);
    (void)attest_hand(a, row, (struct bytes){NULL, 0}, key, &d, &text);
    nonce.device.b[0] ^= 1;
    HOLDS(!attest_nonce_open(a, row, &nonce, &d, &key) && !key.p);
}

static void reaches(struct arena *a, int type, struct bytes packed)
{
    struct attest_row row = row_with(a, type, packed);
    const struct presented presented = {.leaf = packed};
    struct attestation shown, masked;
    struct hub_authentication identity;
    struct err_detail d = {""};
    err_t e = attest_show(a, &row, &d, &shown);
    HOLDS(!e || (e == E(SEAL_BROKEN) && *d.text));
    HOLDS(e || !attest_mask(a, &row, &d, &masked));
    struct bytes evidence = attest_evidence(a, &row.stored, &presented);
    err_t told = attest_hub_identity(a, &row, evidence, &d, &identity);
    HOLDS(!told || told == E(SEAL_BROKEN));
    HOLDS(attest_cost(&row.stored) == (type == ATTEST_SYMMETRIC_KEY ? ATTEST_CHEAP : ATTEST_DEAR));
    HOLDS(!admits(a, row));
    is_handed(a, &row);
    if (!e)
        is_stored_again(a, &row, &shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct bytes packed = {data, size}, parts[2];
    struct attestation shown;
    struct err_detail d = {""};
    is_read_one_way(a, packed);
    struct attest_row row = row_with(a, ATTEST_SYMMETRIC_KEY, packed);
    HOLDS(attest_unpack(packed, parts, 2) == !attest_show(a, &row, &d, &shown));
    for (int type = ATTEST_SYMMETRIC_KEY; type < ATTEST_NONE; type++)
        reaches(a, type, packed);
    row.stored.sealed = packed; /* as it came: no seal of ours */
    if (size)
        HOLDS(attest_show(a, &row, &d, &shown) == E(SEAL_BROKEN) && !admits(a, row));
    row.stored.sealed = (struct bytes){NULL, 0}; /* nobody's */
    HOLDS(!admits(a, row));
    return 0;
}
