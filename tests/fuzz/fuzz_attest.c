/* fuzz_attest.c: any bytes in place of a stored attestation, sealed as they are and raw. Whatever a row holds, no type
 * admits a device by it that has not its key, and what can be read is written again byte for byte. */
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

/* A token that is good but for its key. */
static bool admits(struct arena *a, const struct attest_row *row)
{
    struct str token = sas_make(a, STR("0ne1/registrations/d"), (struct str){NULL, 0}, fuzz_unknown_key(), 1893456000);
    const struct presented presented = {.authorization = token};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR("d"), 0, NULL, NULL};
    return !attest_check(a, row, &claim, NULL);
}

/* Sealed for the row, so that every byte of it reaches the types. */
static struct attest_row row_with(struct arena *a, struct bytes packed)
{
    struct attest_row row = {fuzz_ring(), {.id_scope = STR("0ne1"), .key = STR("d"), .type = ATTEST_SYMMETRIC_KEY}};
    struct bytes identity = seal_row(a, "enrollment", STR("0ne1"), STR("d"), "symmetricKey");
    row.stored.sealed = seal(a, row.ring, identity, packed);
    return row;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct bytes packed = {data, size}, parts[2];
    struct attestation shown;
    struct hub_authentication identity;
    struct err_detail d = {""};
    is_read_one_way(a, packed);
    struct attest_row row = row_with(a, packed);
    bool readable = attest_unpack(packed, parts, 2);
    HOLDS(readable == !attest_show(a, &row, &d, &shown));
    HOLDS(readable == !attest_hub_identity(a, &row, (struct bytes){NULL, 0}, &d, &identity));
    HOLDS(readable || *d.text);
    HOLDS(!admits(a, &row));
    row.stored.sealed = packed; /* as it came: no seal of ours */
    if (size)
        HOLDS(attest_show(a, &row, &d, &shown) == E(SEAL_BROKEN) && !admits(a, &row));
    return 0;
}
