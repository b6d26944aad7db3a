/* test_x509.c: attestation by a client certificate: the texts that hold one, what is shown of it, what an update keeps,
 * whom it admits, why it refuses, and what the hub is told. All certificates are made here, by OpenSSL. */
#include "core/attest/type.h"
#include "core/attest/x509_cert.h"

#include "x509_make.h"

#define ID "line7-unit042"
#define CLIENT "attestation.x509.clientCertificates."

static struct key_ring *ring;                     /* of the whole run */
static const struct made *first, *second, *third; /* three certificates of ID; the third is signed by a CA */
static const struct bytes NOTHING = {NULL, 0};

static int up(void **state)
{
    (void)state;
    const struct made *ca = make((struct wish){.cn = "Plant CA", .ca = true});
    first = make((struct wish){.cn = ID});
    second = make((struct wish){.cn = ID});
    third = make((struct wish){.cn = ID, .by = ca});
    return key_ring_parse(STR("7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), NULL, &ring) != NULL;
}

static int down(void **state)
{
    key_ring_free(ring);
    return made_down(state);
}

static struct str pem(struct arena *a, const struct made *m)
{
    return x509_cert_pem(a, made_der(a, m));
}

static struct str thumbprint(struct arena *a, const struct made *m)
{
    struct sha256 hash = crypt_sha256(made_der(a, m));
    return enc_hex(a, (struct bytes){hash.b, sizeof hash.b}, true);
}

/* Each `from` of the text becomes `to`. */
static struct str replaced(struct arena *a, struct str in, char from, const char *to)
{
    struct text t;
    text_init(&t, a, in.n * 2);
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == from)
            text_add(&t, str_of(to));
        else
            text_add_char(&t, in.p[i]);
    }
    return text_str(&t);
}

static struct str base64_of(struct arena *a, struct str in)
{
    return enc_base64(a, (struct bytes){(const uint8_t *)in.p, in.n});
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

static void a_certificate_is_read_out_of_every_form(void **state)
{
    struct arena *a = *state;
    struct bytes der = made_der(a, first), got;
    struct str lines = pem(a, first), base64 = enc_base64(a, der);
    const struct str forms[] = {
        lines,
        replaced(a, lines, '\n', "\r\n"),
        replaced(a, lines, '\n', " "),
        replaced(a, lines, '\n', ""),
        arena_printf(a, "  \n%s  \r\n", lines.p),
        arena_printf(a, "subject=CN = " ID "\nissuer=CN = " ID "\n%s", lines.p),
        base64,
        arena_printf(a, " %.64s\r\n%s\n", base64.p, base64.p + 64),
        base64_of(a, lines),
        base64_of(a, replaced(a, lines, '\n', "\r\n")),
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct err_detail d = {""};
        err_t e = x509_cert_read(a, forms[i], "member", &d, &got);
        if (e)
            print_error("form %zu: %s\n", i, d.text);
        assert_ok(e);
        assert_true(crypt_same(got, der));
    }
}

static void other_texts_are_refused_by_name(void **state)
{
    struct arena *a = *state;
    struct str lines = pem(a, first), base64 = enc_base64(a, made_der(a, first));
    struct bytes twice = made_der(a, first), got;
    uint8_t *big = arena_alloc(a, X509_PRESENTED_MOST + 1);
    memcpy(big, twice.p, twice.n);
    const struct {
        struct str text;
        const char *words;
    } rows[] = {
        {STR(""), "is no X.509 certificate"},
        {STR("no base64!"), "must be PEM, or base64 of DER or of PEM"},
        {STR("AAECAwQF"), "is no X.509 certificate"},
        {arena_printf(a, "%s%s", lines.p, lines.p), "must hold one certificate and nothing beside it"},
        {arena_printf(a, "%s-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", lines.p),
         "nothing beside"},
        {STR("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"), "is PEM of something else"},
        {(struct str){lines.p, lines.n - 10}, "its END line is missing"},
        {STR("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"), "base64 is broken"},
        {arena_printf(a, "%.*s", (int)(base64.n - 4), base64.p), "is no X.509 certificate"},
        {base64_of(a, (struct str){(const char *)twice.p, twice.n - 1}), "is no X.509 certificate"},
        {enc_base64(a, (struct bytes){big, twice.n + 1}), "is no X.509 certificate"},
        {enc_base64(a, (struct bytes){big, X509_PRESENTED_MOST + 1}), "is larger than 12 KiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err_detail d = {""};
        assert_err(x509_cert_read(a, rows[i].text, "member", &d, &got), BAD_FIELD);
        assert_true(str_starts(str_of(d.text), STR("member ")));
        assert_says(d, rows[i].words);
    }
}

static void all_of_the_info_is_there(void **state)
{
    struct arena *a = *state;
    const struct made *ca = make((struct wish){.cn = "Plant, \"CA\" \xc3\x9c", .ca = true});
    const struct made *m = make((struct wish){.cn = ID, .by = ca, .from_days = -1, .to_days = 1});
    struct x509_info *info = x509_cert_info(a, m->x, made_der(a, m));
    assert_text(info->subject, "CN=" ID);
    assert_text(info->issuer, "CN=Plant\\, \\\"CA\\\" \xc3\x9c");
    assert_text(info->not_before, "2027-01-14T08:00:00Z");
    assert_text(info->not_after, "2027-01-16T08:00:00Z");
    assert_text(info->sha256, thumbprint(a, m).p);
    assert_int_equal(info->sha1.n, 40);
    assert_true(info->serial.n >= 4);
    assert_int_equal(info->version.n, 3);
}

/* --- stored ------------------------------------------------------------------------------------------------------- */

static struct x509_entry *by_text(struct arena *a, const struct made *m)
{
    struct x509_entry *e = ARENA_NEW(a, struct x509_entry);
    e->certificate = pem(a, m);
    return e;
}

/* What a GET gave, sent back. `m` NULL: its thumbprint is left out. */
static struct x509_entry *by_info(struct arena *a, const struct made *m)
{
    struct x509_entry *e = ARENA_NEW(a, struct x509_entry);
    e->info = ARENA_NEW(a, struct x509_info);
    if (m)
        e->info->sha256 = arena_lower(a, thumbprint(a, m));
    return e;
}

static struct attestation sent(struct arena *a, struct x509_entry *primary, struct x509_entry *secondary)
{
    struct x509_attestation *x = ARENA_NEW(a, struct x509_attestation);
    x->client = ARENA_NEW(a, struct x509_pair);
    *x->client = (struct x509_pair){primary, secondary};
    return (struct attestation){.type = ATTEST_X509, .x509 = x};
}

static struct attest_row stored(struct arena *a, const struct made *primary, const struct made *secondary)
{
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = STR(ID)}};
    struct attestation in = sent(a, primary ? by_text(a, primary) : NULL, secondary ? by_text(a, secondary) : NULL);
    struct err_detail d = {""};
    assert_ok(attest_form(a, &in, &d));
    assert_ok(attest_fits(&in, false, &d));
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    assert_int_equal(row.stored.type, ATTEST_X509);
    return row;
}

static void shows(struct arena *a, const struct attest_row *row, const struct made *primary,
                  const struct made *secondary)
{
    struct attestation out, masked;
    struct err_detail d;
    assert_ok(attest_show(a, row, &d, &out));
    assert_ok(attest_mask(a, row, &d, &masked));
    const struct x509_pair *p = out.x509->client, *m = masked.x509->client;
    const struct made *wanted[] = {primary, secondary};
    const struct x509_entry *got[] = {p->primary, p->secondary}, *seen[] = {m->primary, m->secondary};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got[i] != NULL, wanted[i] != NULL);
        assert_int_equal(seen[i] != NULL, wanted[i] != NULL);
        if (!wanted[i])
            continue;
        assert_text(got[i]->certificate, pem(a, wanted[i]).p);
        assert_text(got[i]->info->sha256, thumbprint(a, wanted[i]).p);
        assert_text(seen[i]->certificate, NULL);
        assert_text(seen[i]->info->sha256, thumbprint(a, wanted[i]).p);
    }
}

static void certificates_are_shown_by_their_info(void **state)
{
    struct attest_row both = stored(*state, first, second), one = stored(*state, first, NULL);
    struct attest_row other = stored(*state, NULL, second);
    shows(*state, &both, first, second);
    shows(*state, &one, first, NULL);
    shows(*state, &other, NULL, second);
}

/* The stored row has `first` and `second`. NULL in the outcome: refused. */
static void an_update_keeps_what_it_names(void **state)
{
    struct arena *a = *state;
    const struct {
        struct x509_entry *primary, *secondary;
        enum attest_kept kept;
        const struct made *now[2]; /* NULL twice: refused */
    } rows[] = {
        {by_text(a, third), by_text(a, first), ATTEST_KEEPS_NOTHING, {third, first}},
        {by_text(a, third), NULL, ATTEST_KEEPS_NOTHING, {third, NULL}},
        {by_info(a, first), by_info(a, second), ATTEST_KEEPS_SOME, {first, second}},
        {by_info(a, NULL), by_info(a, NULL), ATTEST_KEEPS_SOME, {first, second}},
        {by_info(a, first), by_text(a, third), ATTEST_KEEPS_SOME, {first, third}},
        {by_text(a, third), by_info(a, second), ATTEST_KEEPS_SOME, {third, second}},
        {by_info(a, second), by_info(a, first), ATTEST_KEEPS_SOME, {second, first}},
        {by_info(a, second), NULL, ATTEST_KEEPS_SOME, {second, NULL}},
        {NULL, by_info(a, NULL), ATTEST_KEEPS_SOME, {NULL, second}},
        {by_info(a, third), NULL, ATTEST_KEEPS_SOME, {NULL, NULL}},
        {NULL, NULL, ATTEST_KEEPS_NOTHING, {NULL, NULL}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attest_row row = stored(a, first, second);
        struct attestation in = sent(a, rows[i].primary, rows[i].secondary);
        struct err_detail d = {""};
        assert_int_equal(attest_kept(&in), rows[i].kept);
        err_t e = attest_fits(&in, false, &d);
        e = e ? e : attest_seal(a, &row, &in, &d, &row.stored);
        if (rows[i].now[0] || rows[i].now[1])
            assert_ok(e);
        else
            assert_err(e, BAD_FIELD);
        shows(a, &row, e ? first : rows[i].now[0], e ? second : rows[i].now[1]);
    }
    assert_int_equal(attest_kept(&(struct attestation){.type = ATTEST_X509}), ATTEST_KEEPS_ALL);
}

static void is_refused(struct arena *a, const struct attestation *in, const char *words)
{
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = STR(ID)}};
    struct err_detail d = {""};
    err_t e = attest_fits(in, false, &d);
    assert_err(e ? e : attest_seal(a, &row, in, &d, &row.stored), BAD_FIELD);
    assert_says(d, words);
}

static void what_cannot_be_stored_is_named(void **state)
{
    struct arena *a = *state;
    struct attestation in = sent(a, by_info(a, NULL), NULL);
    struct x509_references named = {.primary = STR("plant-ca")};
    is_refused(a, &(struct attestation){.type = ATTEST_X509}, "attestation.x509 is required where nothing");
    in.x509->client->primary = NULL;
    is_refused(
        a, &in,
        "attestation.x509.clientCertificates must have a primary or a secondary certificate, or caReferences a name.");
    in = sent(a, by_info(a, NULL), NULL);
    is_refused(a, &in, CLIENT "primary.certificate is required, since no certificate is stored that it could keep.");
    in = sent(a, NULL, by_info(a, first));
    is_refused(a, &in, CLIENT "secondary.certificate is required, since no certificate is stored that has the sha256");
    in = sent(a, by_text(a, first), by_text(a, second));
    in.x509->client->secondary->certificate = STR("nonsense!");
    is_refused(a, &in, CLIENT "secondary.certificate must be PEM");
    in = sent(a, by_text(a, first), NULL);
    in.x509->signing = ARENA_NEW(a, struct x509_pair);
    in.x509->signing->secondary = by_text(a, second);
    is_refused(a, &in, "attestation.x509.signingCertificates belong to enrollment groups.");
    in.x509->signing = NULL;
    in.x509->ca = &named;
    is_refused(a, &in, "attestation.x509 must have clientCertificates or caReferences, not both.");
    in.x509->client = NULL;
    named.secondary = STR("a b");
    is_refused(a, &in, "attestation.x509.caReferences.secondary must be the name of a CA certificate of the instance.");
}

/* What is left out and what is null, as clients write them, is no member. */
static void members_of_null_are_none(void **state)
{
    struct attestation in = {0};
    struct err_detail d = {""};
    assert_ok(codec_read(*state, attestation_codec, CODEC_KEEP_UNKNOWN,
                         arena_printf(*state,
                                      "{\"type\":\"x509\",\"tpm\":null,\"symmetricKey\":null,\"x509\":{"
                                      "\"clientCertificates\":{\"primary\":{\"certificate\":\"%s\",\"info\":null},"
                                      "\"secondary\":null},\"signingCertificates\":{\"primary\":null},"
                                      "\"caReferences\":{\"primary\":null,\"secondary\":null}}}",
                                      enc_base64(*state, made_der(*state, first)).p),
                         &in, &d));
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = STR(ID)}};
    assert_ok(attest_form(*state, &in, &d));
    assert_ok(attest_fits(&in, false, &d));
    assert_ok(attest_seal(*state, &row, &in, &d, &row.stored));
    shows(*state, &row, first, NULL);
}

static void a_stored_value_without_certificates_is_broken(void **state)
{
    struct attest_row row = stored(*state, first, NULL);
    const struct bytes none[2] = {{NULL, 0}, {NULL, 0}};
    struct attestation out;
    struct err_detail d;
    row.stored = attest_sealed(*state, &row, ATTEST_X509, attest_pack(*state, none, 2));
    assert_err(attest_show(*state, &row, &d, &out), SEAL_BROKEN);
    assert_says(d, "not in a form that this version knows");
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static struct attest_row group_of(struct arena *a, const char *key, const struct made *primary,
                                  const struct made *secondary)
{
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = str_of(key), .of_group = true}};
    struct attestation in = sent(a, primary ? by_text(a, primary) : NULL, secondary ? by_text(a, secondary) : NULL);
    struct err_detail d = {""};
    in.x509->signing = in.x509->client;
    in.x509->client = NULL;
    assert_ok(attest_fits(&in, true, &d));
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    return row;
}

static void a_group_has_signing_certificates(void **state)
{
    struct arena *a = *state;
    const struct made *ca = make((struct wish){.cn = "Plant CA", .ca = true});
    struct attest_row row = group_of(a, "hall", ca, NULL);
    struct attestation out, in = sent(a, by_text(a, first), NULL);
    struct err_detail d = {""};
    assert_ok(attest_show(a, &row, &d, &out));
    assert_null(out.x509->client);
    assert_text(out.x509->signing->primary->certificate, pem(a, ca).p);
    assert_err(attest_fits(&in, true, &d), BAD_FIELD);
    assert_says(d, "attestation.x509.clientCertificates belong to individual enrollments.");
    in.x509->signing = in.x509->client;
    in.x509->client = NULL;
    assert_ok(attest_fits(&in, true, &d));
    assert_err(attest_seal(a, &row, &in, &d, &row.stored), BAD_FIELD);
    assert_says(d, "attestation.x509.signingCertificates.primary.certificate is not a CA's");
    in.x509->signing->primary = NULL;
    assert_err(attest_fits(&in, true, &d), BAD_FIELD);
    assert_says(d, "attestation.x509.signingCertificates must have");
}

/* By itself it admits nobody: a nearer group may refuse. What does not open, or is of another type, decides nothing. */
static void of_groups_the_nearest_decides(void **state)
{
    struct arena *a = *state;
    const struct made *root = make((struct wish){.cn = "Root", .ca = true});
    const struct made *plant = make((struct wish){.cn = "Plant", .ca = true, .by = root});
    const struct made *leaf = make((struct wish){.cn = ID, .by = plant});
    struct attest_row groups[] = {group_of(a, "broken", plant, NULL), group_of(a, "all", root, NULL),
                                  group_of(a, "hall", plant, NULL)};
    const struct presented presented = {.leaf = made_der(a, leaf), .chain = made_der(a, plant)};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, NULL};
    struct err_detail d = {""};
    size_t who = 9;
    groups[0].stored.key = STR("another row");
    assert_ok(attest_nearest(a, groups, 3, &claim, &d, NULL, &who, NULL));
    assert_int_equal(who, 2);
    groups[2].stored.type = ATTEST_SYMMETRIC_KEY;
    assert_ok(attest_nearest(a, groups, 3, &claim, &d, NULL, &who, NULL));
    assert_int_equal(who, 1);
    assert_err(attest_nearest(a, groups, 1, &claim, &d, NULL, &who, NULL), UNAUTHORIZED);
    assert_err(attest_check(a, &groups[1], &claim, &d), UNAUTHORIZED);
    assert_says(d, "the nearest decides");
    assert_int_equal(attest_group_type(a, &claim), ATTEST_X509);
    const struct presented none = {.chain = presented.chain};
    assert_int_equal(attest_group_type(a, &(struct attest_claim){.presented = &none}), ATTEST_ABSENT);
}

/* --- CA certificates of the instance ------------------------------------------------------------------------------ */

static struct attest_row naming(struct arena *a, const char *key, bool of_group, const char *primary,
                                const char *secondary)
{
    struct x509_references ca = {str_of(primary), secondary ? str_of(secondary) : (struct str){NULL, 0}};
    struct x509_attestation x = {.ca = &ca};
    const struct attestation in = {.type = ATTEST_X509, .x509 = &x};
    struct attest_row row = {ring, {.id_scope = STR("0ne1"), .key = str_of(key), .of_group = of_group}};
    struct err_detail d = {""};
    assert_ok(attest_form(a, &in, &d));
    assert_ok(attest_fits(&in, of_group, &d));
    assert_ok(attest_seal(a, &row, &in, &d, &row.stored));
    return row;
}

/* What is sealed knows them as they were sent; what stands beside it, in lower case. */
static void names_are_stored_and_shown(void **state)
{
    struct attest_row row = naming(*state, ID, false, "Plant-CA", NULL), both = naming(*state, "g", true, "A", "B");
    struct attestation shown;
    struct err_detail d;
    assert_text(row.stored.ca.primary, "plant-ca");
    assert_null(row.stored.ca.secondary.p);
    assert_text(both.stored.ca.secondary, "b");
    assert_true(attest_names_cas(*state, &row) &&
                !attest_names_cas(*state, &both)); /* a group is asked beside others */
    for (int i = 0; i < 2; i++) {
        assert_ok((i ? attest_mask : attest_show)(*state, &row, &d, &shown));
        assert_text(shown.x509->ca->primary, "Plant-CA");
        assert_null(shown.x509->ca->secondary.p);
        assert_true(!shown.x509->client && !shown.x509->signing);
    }
    row = stored(*state, first, second);
    assert_null(row.stored.ca.primary.p);
    assert_false(attest_names_cas(*state, &row));
}

/* A device below one of them is admitted, while that one is there and verified. */
static void a_device_below_a_named_ca_is_admitted(void **state)
{
    struct arena *a = *state;
    const struct made *root = make((struct wish){.cn = "Root", .ca = true}),
                      *other = make((struct wish){.cn = "Other", .ca = true});
    struct attest_ca at[] = {{STR("root"), true, made_der(a, root), NOTHING},
                             {STR("other"), true, made_der(a, other), NOTHING}};
    const struct attest_cas cas = {at, 2};
    struct presented presented = {.leaf = made_der(a, make((struct wish){.cn = ID, .by = root}))};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, &cas};
    const struct attest_row row = naming(a, ID, false, "none", "ROOT"), wrong = naming(a, ID, false, "other", NULL);
    const struct attest_row groups[] = {naming(a, "wrong", true, "Other", NULL),
                                        naming(a, "right", true, "Root", NULL)};
    struct err_detail d = {""};
    size_t who;
    assert_ok(attest_check(a, &row, &claim, &d));
    assert_err(attest_check(a, &wrong, &claim, &d), UNAUTHORIZED);
    assert_ok(attest_nearest(a, groups, 2, &claim, &d, NULL, &who, NULL));
    assert_int_equal(who, 1);
    assert_err(attest_nearest(a, groups, 1, &claim, &d, NULL, &who, NULL), UNAUTHORIZED);
    at[0].is_verified = false;
    assert_err(attest_check(a, &row, &claim, &d), UNAUTHORIZED);
    assert_says(d, "the CA certificates that the enrollment names are not there, or not verified");
    assert_err(attest_nearest(a, groups, 2, &claim, &d, NULL, &who, NULL), UNAUTHORIZED);
    at[0] = (struct attest_ca){STR("root"), true, made_der(a, other), NOTHING};
    assert_err(attest_check(a, &row, &claim, &d), UNAUTHORIZED);
}

/* --- a device registers ------------------------------------------------------------------------------------------- */

static err_t check(struct arena *a, const struct attest_row *row, const struct made *shown, const char *id,
                   int64_t now_us, struct err_detail *d)
{
    const struct presented presented = {.leaf = shown ? made_der(a, shown) : NOTHING};
    const struct attest_claim claim = {&presented, STR("0ne1"), str_of(id), now_us, NULL, NULL};
    return attest_check(a, row, &claim, d);
}

static void either_certificate_admits(void **state)
{
    struct attest_row both = stored(*state, first, third), one = stored(*state, NULL, third);
    assert_ok(check(*state, &both, first, ID, MADE_AT_US, NULL));
    assert_ok(check(*state, &both, third, ID, MADE_AT_US, NULL));
    assert_ok(check(*state, &one, third, "LINE7-Unit042", MADE_AT_US, NULL));
}

/* Each with one flaw, and the twin that lacks it. */
static void each_flaw_refuses_with_its_reason(void **state)
{
    struct arena *a = *state;
    const struct made *ca = make((struct wish){.cn = "Plant CA", .ca = true});
    const struct {
        struct wish bad, good;
        const char *words;
    } rows[] = {
        {{.cn = ID, .from_days = -9, .to_days = -1},
         {.cn = ID, .from_days = -9, .to_days = 1},
         "expired at 2027-01-14"},
        {{.cn = ID, .by = ca, .from_days = -9, .to_days = -2},
         {.cn = ID, .by = ca},
         "has expired at 2027-01-13T08:00:00Z"},
        {{.cn = ID, .from_days = 1, .to_days = 9},
         {.cn = ID, .from_days = -1, .to_days = 9},
         "not valid before 2027-01-16"},
        {{.cn = ID "x"}, {.cn = ID}, "is CN=" ID "x; its CN must be the registration id"},
        {{.cn = "line7"}, {.cn = "LINE7-UNIT042"}, "its CN must be the registration id"},
        {{.cn = NULL}, {.cn = ID}, "is O=nobody; its CN must be"},
        {{.cn = ID, .second_cn = "other"}, {.cn = ID}, "its CN must be the registration id"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct made *bad = make(rows[i].bad), *good = make(rows[i].good);
        struct attest_row with_bad = stored(a, bad, first), with_good = stored(a, good, first);
        struct err_detail d = {""};
        assert_err(check(a, &with_bad, bad, ID, MADE_AT_US, &d), UNAUTHORIZED);
        assert_says(d, rows[i].words);
        assert_ok(check(a, &with_good, good, ID, MADE_AT_US, &d));
    }
}

static void dates_count_to_the_second(void **state)
{
    const struct made *m = make((struct wish){.cn = ID, .from_days = -1, .to_days = 1});
    struct attest_row row = stored(*state, m, NULL);
    const int64_t day = INT64_C(86400000000), second_us = 1000000;
    struct err_detail d = {""};
    assert_err(check(*state, &row, m, ID, MADE_AT_US - day - second_us, &d), UNAUTHORIZED);
    assert_ok(check(*state, &row, m, ID, MADE_AT_US - day, &d));
    assert_ok(check(*state, &row, m, ID, MADE_AT_US + day - second_us, &d));
    assert_err(check(*state, &row, m, ID, MADE_AT_US + day + second_us, &d), UNAUTHORIZED);
}

static void another_credential_is_refused(void **state)
{
    struct arena *a = *state;
    struct attest_row row = stored(a, first, NULL);
    const struct made *twin = make((struct wish){.cn = ID, .key = first});
    struct presented presented = {.authorization = STR("SharedAccessSignature sr=a&sig=b&se=1893456000")};
    struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, NULL};
    struct err_detail d = {""};
    assert_err(check(a, &row, second, ID, MADE_AT_US, &d), UNAUTHORIZED);
    assert_says(d, thumbprint(a, second).p);
    assert_says(d, thumbprint(a, first).p);
    assert_says(d, ", none");
    assert_err(check(a, &row, twin, ID, MADE_AT_US, &d), UNAUTHORIZED); /* the key does not stand for the certificate */
    assert_err(attest_check(a, &row, &claim, &d), UNAUTHORIZED);
    assert_says(d, "showed no certificate");
    assert_err(attest_refuse(a, &row, &claim, &d), UNAUTHORIZED);
    presented.leaf = made_der(a, second);
    assert_ok(attest_refuse(a, &row, &claim, &d)); /* whoever shows one is not looked at cheaply */
    presented.leaf = made_der(a, first);
    assert_ok(attest_check(a, &row, &claim, &d));
    presented.tpm_sent = true;
    assert_err(attest_body(&row.stored, &presented, &d), BAD_FIELD);
    assert_says(d, "tpm: the enrollment's attestation is x509");
    assert_int_equal(attest_cost(&row.stored), ATTEST_DEAR);
}

static void the_hub_is_told_the_certificate_that_was_shown(void **state)
{
    struct arena *a = *state;
    struct attest_row row = stored(a, first, second);
    const struct presented presented = {.leaf = made_der(a, second)};
    struct hub_authentication identity;
    struct err_detail d;
    struct text json;
    struct bytes evidence = attest_evidence(a, &row.stored, &presented);
    assert_int_equal(evidence.n, SHA256_BYTES);
    assert_ok(attest_hub_identity(a, &row, evidence, &d, &identity));
    text_init(&json, a, 256);
    codec_encode(&json, hub_authentication_codec, &identity);
    assert_text(text_str(&json),
                arena_printf(a,
                             "{\"x509Thumbprint\":{\"primaryThumbprint\":\"%s\",\"secondaryThumbprint\":null},"
                             "\"type\":\"selfSigned\"}",
                             thumbprint(a, second).p)
                    .p);
    assert_err(attest_hub_identity(a, &row, NOTHING, &d, &identity), SEAL_BROKEN);
    row.stored.type = ATTEST_SYMMETRIC_KEY;
    assert_null(attest_evidence(a, &row.stored, &presented).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_certificate_is_read_out_of_every_form),
        UNIT(other_texts_are_refused_by_name),
        UNIT(all_of_the_info_is_there),
        UNIT(certificates_are_shown_by_their_info),
        UNIT(an_update_keeps_what_it_names),
        UNIT(what_cannot_be_stored_is_named),
        UNIT(members_of_null_are_none),
        UNIT(a_stored_value_without_certificates_is_broken),
        UNIT(a_group_has_signing_certificates),
        UNIT(of_groups_the_nearest_decides),
        UNIT(names_are_stored_and_shown),
        UNIT(a_device_below_a_named_ca_is_admitted),
        UNIT(either_certificate_admits),
        UNIT(each_flaw_refuses_with_its_reason),
        UNIT(dates_count_to_the_second),
        UNIT(another_credential_is_refused),
        UNIT(the_hub_is_told_the_certificate_that_was_shown),
    };
    return cmocka_run_group_tests_name("x509", tests, up, down);
}
