/* test_attest.c: attestation as one value: what may be stored, what an update keeps, what is shown to whom, what admits
 * a device and what its hub is told; and that a stored value opens for its row and its type only. The tokens were
 * computed apart from this code. */
#include "core/attest/type.h"
#include "core/sas.h"

#include "sas_vectors.h"
#include "unit.h"

#define RING "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define OTHER_RING "8:Hh0cGxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAAA=\n"

static const struct bytes NOTHING = {NULL, 0};
static struct key_ring *ring, *other_ring; /* of the whole run */

static int rings_up(void **state)
{
    (void)state;
    return key_ring_parse(STR(RING), NULL, &ring) || key_ring_parse(STR(OTHER_RING), NULL, &other_ring);
}

static int rings_down(void **state)
{
    (void)state;
    key_ring_free(ring);
    key_ring_free(other_ring);
    return 0;
}

/* An attestation as a client sends it; NULL is an absent key. */
static struct attestation sent(struct arena *a, const char *primary, const char *secondary)
{
    struct symmetric_key *keys = ARENA_NEW(a, struct symmetric_key);
    *keys = (struct symmetric_key){str_of(primary), str_of(secondary)};
    return (struct attestation){.type = ATTEST_SYMMETRIC_KEY, .symmetric_key = keys};
}

static struct attest_row nothing_stored(const char *scope, const char *key)
{
    return (struct attest_row){ring, {.id_scope = str_of(scope), .key = str_of(key)}};
}

/* The row when somebody writes into it what is stored elsewhere. */
static struct attest_row row_of(const char *scope, const char *key, struct attest_stored from)
{
    struct attest_row row = nothing_stored(scope, key);
    row.stored.type = from.type;
    row.stored.sealed = from.sealed;
    return row;
}

/* The row after a client sent the keys. */
static struct attest_row stored(struct arena *a, const char *scope, const char *key, const char *primary,
                                const char *secondary)
{
    struct attest_row row = nothing_stored(scope, key);
    struct attestation in = sent(a, primary, secondary);
    struct err_detail d;
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    assert_int_equal(row.stored.type, ATTEST_SYMMETRIC_KEY);
    return row;
}

static struct symmetric_key shown(struct arena *a, const struct attest_row *row)
{
    struct attestation out;
    struct err_detail d;
    assert_ok(attest_show(a, row, &d, &out));
    assert_int_equal(out.type, ATTEST_SYMMETRIC_KEY);
    return *out.symmetric_key;
}

/* --- stored and shown --------------------------------------------------------------------------------------------- */

static void other_kinds_are_refused_by_name(void **state)
{
    struct err_detail d;
    for (int type = ATTEST_ABSENT; type <= ATTEST_NONE; type++) {
        if (type == ATTEST_SYMMETRIC_KEY || type == ATTEST_X509 || type == ATTEST_TPM)
            continue;
        assert_err(attest_form(*state, &(struct attestation){.type = type}, &d), BAD_FIELD);
        assert_text(str_of(d.text),
                    "attestation.type must be symmetricKey or x509 or tpm; other kinds come in a later version.");
    }
    struct attestation in = {.type = ATTEST_SYMMETRIC_KEY};
    assert_ok(attest_form(*state, &in, &d));
    in.x509 = ARENA_NEW(*state, struct x509_attestation);
    assert_err(attest_form(*state, &in, &d), BAD_FIELD);
    assert_text(str_of(d.text), "attestation.x509 does not belong to attestation.type symmetricKey.");
    in = (struct attestation){.type = ATTEST_SYMMETRIC_KEY, .tpm = &(struct tpm_keys){.root = {NULL, 0}}};
    assert_err(attest_form(*state, &in, &d), BAD_FIELD);
    assert_says(d, "attestation.tpm does not belong");
}

static void keys_are_shown_as_they_were_sent(void **state)
{
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY);
    assert_text(shown(*state, &row).primary, DEVICE_KEY);
    assert_text(shown(*state, &row).secondary, GROUP_KEY);
}

static void keys_are_left_out_for_everybody_else(void **state)
{
    struct attestation out;
    struct err_detail d;
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY);
    assert_ok(attest_mask(*state, &row, &d, &out));
    assert_int_equal(out.type, ATTEST_SYMMETRIC_KEY);
    assert_null(out.symmetric_key->primary.p);
    assert_null(out.symmetric_key->secondary.p);
}

static void keys_that_were_left_out_are_made_new(void **state)
{
    struct attest_row row = nothing_stored("0ne1", "d");
    struct err_detail d;
    struct bytes raw;
    assert_ok(attest_seal(*state, &row, &(struct attestation){.type = ATTEST_SYMMETRIC_KEY}, &d, &row.stored));
    struct symmetric_key keys = shown(*state, &row);
    assert_true(dec_base64(*state, keys.primary, &raw));
    assert_int_equal(raw.n, DEVICE_KEY_BYTES);
    assert_false(str_same(keys.primary, keys.secondary));
    row = stored(*state, "0ne1", "d", DEVICE_KEY, NULL);
    assert_text(shown(*state, &row).primary, DEVICE_KEY);
    assert_true(dec_base64(*state, shown(*state, &row).secondary, &raw));
    assert_int_equal(raw.n, DEVICE_KEY_BYTES);
}

static void an_update_keeps_what_it_leaves_out(void **state)
{
    static const struct {
        const char *primary, *secondary;
        enum attest_kept kept;
        const char *primary_after, *secondary_after; /* NULL: a new one */
    } rows[] = {
        {NULL, NULL, ATTEST_KEEPS_ALL, DEVICE_KEY, GROUP_KEY},
        {SERVICE_KEY, NULL, ATTEST_KEEPS_SOME, SERVICE_KEY, GROUP_KEY},
        {NULL, SERVICE_KEY, ATTEST_KEEPS_SOME, DEVICE_KEY, SERVICE_KEY},
        {SERVICE_KEY, DEVICE_KEY, ATTEST_KEEPS_NOTHING, SERVICE_KEY, DEVICE_KEY},
        {"", NULL, ATTEST_KEEPS_SOME, NULL, GROUP_KEY},
        {"", "", ATTEST_KEEPS_NOTHING, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY);
        struct attestation in = sent(*state, rows[i].primary, rows[i].secondary);
        struct err_detail d;
        assert_int_equal(attest_kept(&in), rows[i].kept);
        assert_ok(attest_seal(*state, &row, &in, &d, &row.stored));
        struct symmetric_key after = shown(*state, &row);
        if (rows[i].primary_after)
            assert_text(after.primary, rows[i].primary_after);
        else
            assert_false(str_same(after.primary, STR(DEVICE_KEY)));
        if (rows[i].secondary_after)
            assert_text(after.secondary, rows[i].secondary_after);
        else
            assert_false(str_same(after.secondary, STR(GROUP_KEY)));
    }
    assert_int_equal(attest_kept(&(struct attestation){.type = ATTEST_SYMMETRIC_KEY}), ATTEST_KEEPS_ALL);
}

static void a_bad_key_is_named_and_nothing_is_sealed(void **state)
{
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY), before = row;
    struct attestation in = sent(*state, NULL, "c2hvcnQ=");
    struct err_detail d;
    assert_err(attest_seal(*state, &row, &in, &d, &row.stored), BAD_FIELD);
    assert_text(str_of(d.text), "attestation.symmetricKey.secondaryKey must be base64 of 16 to 64 bytes.");
    assert_ptr_equal(row.stored.sealed.p, before.stored.sealed.p);
}

/* --- bound to row and type ---------------------------------------------------------------------------------------- */

static void is_broken(struct arena *a, const struct attest_row *row, const char *words)
{
    struct attestation out, part = sent(a, SERVICE_KEY, NULL);
    struct hub_authentication identity;
    struct presented presented = {.authorization = STR(UPPER)};
    struct attest_claim claim = {&presented, STR("0ne0000beef"), STR("line7-unit042"), 0, NULL, NULL};
    struct attest_stored again;
    struct err_detail d = {""};
    assert_err(attest_show(a, row, &d, &out), SEAL_BROKEN);
    assert_says(d, words);
    assert_err(attest_check(a, row, &claim, &d), SEAL_BROKEN);
    assert_err(attest_hub_identity(a, row, NOTHING, &d, &identity), SEAL_BROKEN);
    if (row->stored.type == ATTEST_SYMMETRIC_KEY)
        assert_err(attest_seal(a, row, &part, &d, &again), SEAL_BROKEN);
}

static void a_stored_value_opens_for_its_row_only(void **state)
{
    struct attest_stored s = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY).stored;
    struct attest_row scope = row_of("0ne2", "d", s), key = row_of("0ne1", "e", s), cut = row_of("0ne1", "d", s);
    is_broken(*state, &scope, "sealed for another row");
    is_broken(*state, &key, "sealed for another row");
    cut.stored.sealed.n--;
    is_broken(*state, &cut, "cannot be opened");
    struct attest_row ours = row_of("0ne1", "d", s);
    ours.ring = other_ring;
    is_broken(*state, &ours, "not in the key ring");
}

static void a_type_without_a_row_in_the_table_opens_nothing(void **state)
{
    struct attest_stored s = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY).stored;
    static const int types[] = {ATTEST_ABSENT, ATTEST_NONE, ATTEST_NONE + 1, -1};
    struct attestation out;
    struct err_detail d;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct attest_row row = row_of("0ne1", "d", (struct attest_stored){.type = types[i], .sealed = s.sealed});
        is_broken(*state, &row, "of a type that this version does not know");
        assert_err(attest_mask(*state, &row, &d, &out), SEAL_BROKEN);
    }
}

/* A value sealed as one type must not be read as another, even when somebody changed the column beside it. */
static void the_type_is_part_of_the_seal(void **state)
{
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY);
    struct bytes packed, wrong = seal_row(*state, "enrollment", STR("0ne1"), STR("d"), "x509"), back;
    struct err_detail d;
    assert_err(unseal(*state, ring, wrong, row.stored.sealed, &back), SEAL_BROKEN);
    assert_ok(attest_open(*state, &row, &d, &packed));
    row.stored.sealed = seal(*state, ring, wrong, packed);
    is_broken(*state, &row, "cannot be opened");
}

static void keys_of_another_type_are_not_taken_over(void **state)
{
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY);
    struct attestation in = sent(*state, SERVICE_KEY, NULL);
    struct err_detail d;
    row.stored.type = ATTEST_TPM;
    assert_ok(attest_seal(*state, &row, &in, &d, &row.stored));
    assert_text(shown(*state, &row).primary, SERVICE_KEY);
    assert_false(str_same(shown(*state, &row).secondary, STR(GROUP_KEY)));
}

/* --- canonical bytes ---------------------------------------------------------------------------------------------- */

static void what_is_packed_is_unpacked(void **state)
{
    const struct bytes in[] = {unit_bytes("first"), {NULL, 0}, unit_bytes("third")};
    struct bytes out[3], packed = attest_pack(*state, in, 3);
    assert_int_equal(packed.n, 1 + 4 + 5 + 4 + 4 + 5);
    assert_memory_equal(packed.p,
                        "\x01\x00\x00\x00\x05"
                        "first",
                        10);
    assert_true(attest_unpack(packed, out, 3));
    for (size_t i = 0; i < 3; i++)
        assert_true(crypt_same(in[i], out[i]));
    assert_false(attest_unpack(packed, out, 2));
}

static void garbled_bytes_are_not_unpacked(void **state)
{
    const struct bytes in[] = {unit_bytes("first"), unit_bytes("second")};
    struct bytes out[3], packed = attest_pack(*state, in, 2);
    uint8_t *copy = arena_alloc(*state, packed.n + 1);
    memcpy(copy, packed.p, packed.n);
    for (size_t n = 0; n < packed.n; n++)
        assert_false(attest_unpack((struct bytes){copy, n}, out, 2));
    assert_false(attest_unpack((struct bytes){copy, packed.n + 1}, out, 2));
    copy[0] = 2; /* a version to come */
    assert_false(attest_unpack((struct bytes){copy, packed.n}, out, 2));
    copy[0] = 1;
    copy[1] = 0xff; /* a length beyond the end */
    assert_false(attest_unpack((struct bytes){copy, packed.n}, out, 2));
}

/* Sealed for the right row and yet in no form that the type knows: a newer version wrote it. */
static void a_form_of_another_version_is_not_read(void **state)
{
    struct attest_row row = nothing_stored("0ne1", "d");
    const struct bytes part = unit_bytes("only one");
    struct bytes identity = seal_row(*state, "enrollment", STR("0ne1"), STR("d"), "symmetricKey");
    row.stored.type = ATTEST_SYMMETRIC_KEY;
    row.stored.sealed = seal(*state, ring, identity, attest_pack(*state, &part, 1));
    is_broken(*state, &row, "not in a form that this version knows");
}

/* --- a device registers ------------------------------------------------------------------------------------------- */

/* The token of line7-unit042 in 0ne0000BEEF as seen by an enrollment. */
static err_t attest_as(void **state, const char *header, const char *scope, const char *id, const char *primary,
                       const char *secondary, int64_t now_us, struct err_detail *d)
{
    const struct presented presented = {.authorization = str_of(header)};
    const struct attest_claim claim = {&presented, str_of(scope), str_of(id), now_us, NULL, NULL};
    struct attest_row row = stored(*state, scope, arena_lower(*state, str_of(id)).p, primary, secondary);
    return attest_check(*state, &row, &claim, d);
}

static void either_key_of_the_enrollment_admits(void **state)
{
    assert_ok(attest_as(state, UPPER, "0ne0000BEEF", "line7-unit042", DEVICE_KEY, SERVICE_KEY, 0, NULL));
    assert_ok(
        attest_as(state, UPPER "&skn=registration", "0NE0000beef", "LINE7-unit042", SERVICE_KEY, DEVICE_KEY, 0, NULL));
    assert_ok(attest_as(state, LOWER "&skn=Registration", "0ne0000beef", "line7-unit042", SERVICE_KEY, DEVICE_KEY,
                        EXPIRY_US, NULL));
}

static void nothing_else_admits(void **state)
{
    struct err_detail d;
    assert_err(attest_as(state, UPPER, "0ne0000BEEF", "line7-unit042", GROUP_KEY, SERVICE_KEY, 0, &d), UNAUTHORIZED);
    assert_says(d, "another key");
    assert_err(attest_as(state, UPPER, "0ne0000BEEF", "line7-unit042", "", "", 0, &d), UNAUTHORIZED);
    assert_err(attest_as(state, UPPER, "0ne0000BEEF", "line7-unit043", DEVICE_KEY, DEVICE_KEY, 0, &d), UNAUTHORIZED);
    assert_says(d, "another resource");
    assert_err(attest_as(state, UPPER, "0ne0000BEEE", "line7-unit042", DEVICE_KEY, DEVICE_KEY, 0, &d), UNAUTHORIZED);
    assert_err(attest_as(state, UPPER "&skn=owner", "0ne0000BEEF", "line7-unit042", DEVICE_KEY, DEVICE_KEY, 0, &d),
               UNAUTHORIZED);
    assert_says(d, "skn");
    assert_err(attest_as(state, UPPER, "0ne0000BEEF", "line7-unit042", DEVICE_KEY, DEVICE_KEY, EXPIRY_US * 2, &d),
               UNAUTHORIZED);
    assert_says(d, "expired");
    assert_err(attest_as(state, "", "0ne0000BEEF", "line7-unit042", DEVICE_KEY, DEVICE_KEY, 0, &d), UNAUTHORIZED);
}

/* Keys of no bytes cannot be stored by a client; were one stored all the same, it would admit nobody. */
static void an_empty_key_admits_nobody(void **state)
{
    struct str token =
        sas_make(*state, STR("0ne0000BEEF/registrations/d"), str_of(NULL), (struct bytes){NULL, 0}, 1893456000);
    const struct presented presented = {.authorization = token};
    const struct attest_claim claim = {&presented, STR("0ne0000BEEF"), STR("d"), 0, NULL, NULL};
    const struct bytes empty[2] = {{NULL, 0}, {NULL, 0}};
    struct attest_row row = nothing_stored("0ne0000BEEF", "d");
    struct bytes identity = seal_row(*state, "enrollment", STR("0ne0000BEEF"), STR("d"), "symmetricKey");
    row.stored.type = ATTEST_SYMMETRIC_KEY;
    row.stored.sealed = seal(*state, ring, identity, attest_pack(*state, empty, 2));
    assert_err(attest_check(*state, &row, &claim, NULL), UNAUTHORIZED);
}

/* Its token is checked with keys that anybody may guess, so the check must not be the last word. */
static void an_id_that_is_not_enrolled_is_never_admitted(void **state)
{
    static const uint8_t nobodys[DEVICE_KEY_BYTES];
    struct str token = sas_make(*state, STR("0ne1/registrations/d"), str_of(NULL),
                                (struct bytes){nobodys, sizeof nobodys}, 1893456000);
    const struct presented presented = {.authorization = token}, strangers = {.authorization = STR(UPPER)};
    struct attest_row row = nothing_stored("0ne1", "d");
    struct err_detail d;
    assert_err(attest_check(*state, &row, &(struct attest_claim){&presented, STR("0ne1"), STR("d"), 0, NULL, NULL}, &d),
               UNAUTHORIZED);
    assert_says(d, "no enrollment");
    assert_err(attest_check(*state, &row, &(struct attest_claim){&strangers, STR("0ne1"), STR("d"), 0, NULL, NULL}, &d),
               UNAUTHORIZED);
}

/* What a check does: hashes, and bytes that went through the cipher. */
static struct {
    size_t hashes, bytes;
} work;

struct sha256 __real_crypt_hmac_sha256(struct bytes key, struct bytes text);
struct bytes __real_seal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes secret);
err_t __real_unseal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes sealed,
                    struct bytes *ret);
struct sha256 __wrap_crypt_hmac_sha256(struct bytes key, struct bytes text);
struct bytes __wrap_seal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes secret);
err_t __wrap_unseal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes sealed,
                    struct bytes *ret);

struct sha256 __wrap_crypt_hmac_sha256(struct bytes key, struct bytes text)
{
    work.hashes++;
    return __real_crypt_hmac_sha256(key, text);
}

struct bytes __wrap_seal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes secret)
{
    work.bytes += secret.n;
    return __real_seal(a, r, row, secret);
}

err_t __wrap_unseal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes sealed, struct bytes *ret)
{
    err_t e = __real_unseal(a, r, row, sealed, ret);
    work.bytes += e ? 0 : ret->n;
    return e;
}

static void an_id_that_is_not_enrolled_costs_what_a_wrong_key_costs(void **state)
{
    const struct presented presented = {.authorization = STR(UPPER)};
    const struct attest_claim claim = {&presented, STR("0ne0000beef"), STR("line7-unit042"), 0, NULL, NULL};
    struct attest_row enrolled = stored(*state, "0ne0000beef", "line7-unit042", NULL, NULL);
    struct attest_row nobody = nothing_stored("0ne0000beef", "line7-unit042");
    struct err_detail d;
    memset(&work, 0, sizeof work);
    assert_err(attest_check(*state, &enrolled, &claim, &d), UNAUTHORIZED);
    assert_int_equal(work.hashes, 2);
    size_t bytes = work.bytes;
    memset(&work, 0, sizeof work);
    assert_err(attest_check(*state, &nobody, &claim, &d), UNAUTHORIZED);
    assert_int_equal(work.hashes, 2);
    assert_int_equal(work.bytes, bytes);
}

static void a_tpm_does_not_fit_symmetric_keys(void **state)
{
    const struct presented without = {.authorization = STR(UPPER)},
                           with = {.authorization = STR(UPPER), .tpm_sent = true};
    const struct attest_claim claim = {&with, STR("0ne0000beef"), STR("line7-unit042"), 0, NULL, NULL};
    struct attest_row row = stored(*state, "0ne0000beef", "line7-unit042", DEVICE_KEY, GROUP_KEY);
    struct err_detail d;
    assert_ok(attest_check(*state, &row, &claim, &d));
    assert_ok(attest_body(&row.stored, &without, &d));
    assert_err(attest_body(&row.stored, &with, &d), BAD_FIELD);
    assert_says(d, "tpm: the enrollment's attestation is symmetricKey");
}

static void what_is_not_known_is_cheap(void **state)
{
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY), nothing = nothing_stored("0ne1", "d");
    assert_int_equal(attest_cost(&row.stored), ATTEST_CHEAP);
    assert_int_equal(attest_cost(&nothing.stored), ATTEST_CHEAP);
    row.stored.type = ATTEST_NONE;
    assert_int_equal(attest_cost(&row.stored), ATTEST_CHEAP);
    row.stored.type = ATTEST_ABSENT;
    assert_int_equal(attest_cost(&row.stored), ATTEST_CHEAP);
}

static void the_hub_is_told_both_keys(void **state)
{
    struct attest_row row = stored(*state, "0ne1", "d", DEVICE_KEY, GROUP_KEY);
    struct hub_authentication identity;
    struct err_detail d;
    struct text json;
    assert_ok(attest_hub_identity(*state, &row, NOTHING, &d, &identity));
    text_init(&json, *state, 256);
    codec_encode(&json, hub_authentication_codec, &identity);
    assert_text(text_str(&json), "{\"symmetricKey\":{\"primaryKey\":\"" DEVICE_KEY "\",\"secondaryKey\":\"" GROUP_KEY
                                 "\"},\"type\":\"sas\"}");
}

/* --- a group's devices -------------------------------------------------------------------------------------------- */

static struct attest_row stored_group(struct arena *a, const char *primary, const char *secondary)
{
    struct attest_row row = nothing_stored("0ne0000beef", "hall");
    struct attestation in = sent(a, primary, secondary);
    struct err_detail d;
    row.stored.of_group = true;
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    assert_true(row.stored.of_group);
    return row;
}

static err_t admit(struct arena *a, const struct attest_row *group, const char *header, const char *id,
                   struct str *ret_derived_from)
{
    const struct presented presented = {.authorization = str_of(header)};
    const struct attest_claim claim = {&presented, STR("0ne0000BEEF"), str_of(id), 0, NULL, NULL};
    return attest_admit(a, group, &claim, NULL, ret_derived_from);
}

static void a_groups_device_has_a_key_derived_from_either_of_the_groups(void **state)
{
    static const struct {
        const char *primary, *secondary, *header, *id, *derived_from; /* NULL: refused */
    } rows[] = {
        {GROUP_KEY, SERVICE_KEY, UPPER, "line7-unit042", "line7-unit042"},
        {SERVICE_KEY, GROUP_KEY, UPPER, "line7-unit042", "line7-unit042"},
        {GROUP_KEY, SERVICE_KEY, CAPITALS, "LINE7-UNIT042", "LINE7-UNIT042"},
        {GROUP_KEY, SERVICE_KEY, CAPITALS_SMALL_KEY, "LINE7-UNIT042", "line7-unit042"},
        {GROUP_KEY, SERVICE_KEY, CAPITALS, "line7-unit042", NULL},
        {SERVICE_KEY, SERVICE_KEY, UPPER, "line7-unit042", NULL},
        {DEVICE_KEY, DEVICE_KEY, UPPER, "line7-unit042", NULL}, /* the group's key itself */
        {GROUP_KEY, GROUP_KEY, UPPER, "line7-unit043", NULL},
        {GROUP_KEY, GROUP_KEY, "", "line7-unit042", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str derived_from;
        struct attest_row group = stored_group(*state, rows[i].primary, rows[i].secondary);
        err_t e = admit(*state, &group, rows[i].header, rows[i].id, &derived_from);
        if (rows[i].derived_from)
            assert_ok(e);
        else
            assert_err(e, UNAUTHORIZED);
        assert_true(str_same(derived_from, str_of(rows[i].derived_from)));
    }
}

static void an_empty_key_of_a_group_admits_nobody(void **state)
{
    const struct bytes empty[2] = {{NULL, 0}, {NULL, 0}};
    const struct sha256 key = crypt_hmac_sha256((struct bytes){NULL, 0}, (struct bytes){(const uint8_t *)"d", 1});
    struct str derived_from;
    struct attest_row row = stored_group(*state, GROUP_KEY, GROUP_KEY);
    struct str token = sas_make(*state, STR("0ne0000BEEF/registrations/d"), str_of(NULL),
                                (struct bytes){key.b, sizeof key.b}, 1893456000);
    row.stored = attest_sealed(*state, &row, ATTEST_SYMMETRIC_KEY, attest_pack(*state, empty, 2));
    assert_err(admit(*state, &row, token.p, "d", &derived_from), UNAUTHORIZED);
}

static void what_is_sealed_for_a_group_opens_for_no_device_of_its_name(void **state)
{
    struct attest_row row = stored_group(*state, GROUP_KEY, SERVICE_KEY);
    assert_text(shown(*state, &row).primary, GROUP_KEY);
    row.stored.of_group = false;
    is_broken(*state, &row, "another row");
}

static void the_hub_is_told_what_the_devices_keys_derive_to(void **state)
{
    static const struct {
        const char *derived_from, *primary, *secondary;
    } rows[] = {{"line7-unit042", DEVICE_KEY, MEMBER_KEY_SERVICE}, {"LINE7-UNIT042", MEMBER_KEY_CAPITALS, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attest_row row = stored_group(*state, GROUP_KEY, SERVICE_KEY);
        struct hub_authentication identity;
        row.stored.derived_from = str_of(rows[i].derived_from);
        assert_ok(attest_hub_identity(*state, &row, (struct bytes){NULL, 0}, NULL, &identity));
        assert_text(identity.symmetric_key->primary, rows[i].primary);
        if (rows[i].secondary)
            assert_text(identity.symmetric_key->secondary, rows[i].secondary);
    }
}

static void a_token_that_no_key_makes_good_is_known_as_such(void **state)
{
    const struct presented good = {.authorization = STR(UPPER)}, none = {.authorization = {NULL, 0}};
    assert_true(attest_may_be_signed(
        *state, &(struct attest_claim){&good, STR("0ne0000BEEF"), STR("line7-unit042"), 0, NULL, NULL}));
    assert_false(attest_may_be_signed(
        *state, &(struct attest_claim){&good, STR("0ne0000BEEF"), STR("line7-unit043"), 0, NULL, NULL}));
    assert_false(attest_may_be_signed(
        *state, &(struct attest_claim){&good, STR("0ne0000BEEF"), STR("line7-unit042"), EXPIRY_US * 2, NULL, NULL}));
    assert_false(attest_may_be_signed(
        *state, &(struct attest_claim){&none, STR("0ne0000BEEF"), STR("line7-unit042"), 0, NULL, NULL}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(other_kinds_are_refused_by_name),
        UNIT(keys_are_shown_as_they_were_sent),
        UNIT(keys_are_left_out_for_everybody_else),
        UNIT(keys_that_were_left_out_are_made_new),
        UNIT(an_update_keeps_what_it_leaves_out),
        UNIT(a_bad_key_is_named_and_nothing_is_sealed),
        UNIT(a_stored_value_opens_for_its_row_only),
        UNIT(a_type_without_a_row_in_the_table_opens_nothing),
        UNIT(the_type_is_part_of_the_seal),
        UNIT(keys_of_another_type_are_not_taken_over),
        UNIT(what_is_packed_is_unpacked),
        UNIT(garbled_bytes_are_not_unpacked),
        UNIT(a_form_of_another_version_is_not_read),
        UNIT(either_key_of_the_enrollment_admits),
        UNIT(nothing_else_admits),
        UNIT(an_empty_key_admits_nobody),
        UNIT(an_id_that_is_not_enrolled_is_never_admitted),
        UNIT(an_id_that_is_not_enrolled_costs_what_a_wrong_key_costs),
        UNIT(a_tpm_does_not_fit_symmetric_keys),
        UNIT(what_is_not_known_is_cheap),
        UNIT(the_hub_is_told_both_keys),
        UNIT(a_groups_device_has_a_key_derived_from_either_of_the_groups),
        UNIT(an_empty_key_of_a_group_admits_nobody),
        UNIT(what_is_sealed_for_a_group_opens_for_no_device_of_its_name),
        UNIT(the_hub_is_told_what_the_devices_keys_derive_to),
        UNIT(a_token_that_no_key_makes_good_is_known_as_such),
    };
    return cmocka_run_group_tests_name("attest", tests, rings_up, rings_down);
}
