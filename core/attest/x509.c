/* x509.c: attestation with certificates: a device proves to the edge that it has the key of one of two stored
 * certificates, whoever signed them; or of one that a group's signing certificates vouch for, or CA certificates of the
 * instance that are named. It must never tell a device why it was refused, nor admit by who signed a certificate where
 * the certificate itself is stored. */
#include "core/attest/type.h"
#include "core/attest/x509_ca.h"
#include "core/attest/x509_cert.h"
#include "core/attest/x509_chain.h"
#include "core/id.h"

/* What is stored: certificates, or in their place names of CA certificates of the instance. */
enum { PRIMARY, SECONDARY, PLACES, NAMES = PLACES, PARTS = 2 * PLACES };
static const char *const places[PLACES] = {"primary", "secondary"};

/* --- stored ------------------------------------------------------------------------------------------------------- */

static bool names_any(const struct bytes parts[PARTS])
{
    return parts[NAMES + PRIMARY].n || parts[NAMES + SECONDARY].n;
}

/* n 0: there is none in that place. */
static err_t open_parts(struct arena *a, const struct attest_row *row, struct err_detail *d, struct bytes ret[PARTS])
{
    struct bytes packed;
    TRY(attest_open(a, row, d, &packed));
    if (attest_unpack(packed, ret, PARTS) && (ret[PRIMARY].n || ret[SECONDARY].n) != names_any(ret))
        return NULL;
    return err_say(d, E(SEAL_BROKEN), "the stored attestation is not in a form that this version knows");
}

static struct str name_at(const struct bytes parts[PARTS], int place)
{
    const struct bytes name = parts[NAMES + place];
    return (struct str){name.n ? (const char *)name.p : NULL, name.n};
}

static struct x509_references named(struct arena *a, struct bytes packed)
{
    struct bytes parts[PARTS];
    struct x509_references ret = {{NULL, 0}, {NULL, 0}};
    if (!attest_unpack(packed, parts, PARTS) || !names_any(parts))
        return ret;
    struct str *const to[PLACES] = {&ret.primary, &ret.secondary};
    for (int i = 0; i < PLACES; i++)
        if (name_at(parts, i).n)
            *to[i] = arena_lower(a, name_at(parts, i));
    return ret;
}

static bool has_any(const struct x509_pair *pair)
{
    return pair && (pair->primary || pair->secondary);
}

/* The pair that was sent: after `fits` there is no other. */
static bool is_signing(const struct attestation *in)
{
    return in->x509 && has_any(in->x509->signing);
}

static const struct x509_entry *sent_entry(const struct attestation *in, int place)
{
    const struct x509_pair *pair = is_signing(in) ? in->x509->signing : in->x509 ? in->x509->client : NULL;
    if (!pair)
        return NULL;
    return place == PRIMARY ? pair->primary : pair->secondary;
}

static const char *member_of(struct arena *a, const struct attestation *in, int place)
{
    return arena_printf(a, "attestation.x509.%sCertificates.%s.certificate", is_signing(in) ? "signing" : "client",
                        places[place])
        .p;
}

/* An entry that is left out is taken away, unless all of x509 is; one without its text is as it was. */
static enum attest_kept kept(const struct attestation *in)
{
    if (!in->x509)
        return ATTEST_KEEPS_ALL;
    for (int i = 0; i < PLACES; i++)
        if (sent_entry(in, i) && !sent_entry(in, i)->certificate.p)
            return ATTEST_KEEPS_SOME;
    return ATTEST_KEEPS_NOTHING;
}

static struct str thumbprint(struct arena *a, struct bytes der)
{
    struct sha256 hash = crypt_sha256(der);
    return der.n ? enc_hex(a, sha256_bytes(&hash), true) : STR("none");
}

/* The stored certificate that an entry without a text stands for: the one that its info names, else the one of its
 * place. */
static err_t find_stored(struct arena *a, const struct attestation *in, int place, const struct bytes old[PARTS],
                         struct err_detail *d, struct bytes *ret)
{
    const struct x509_entry *sent = sent_entry(in, place);
    bool by_info = sent && sent->info && sent->info->sha256.p;
    for (int i = 0; i < PLACES; i++) {
        bool found = by_info ? str_same_nocase(thumbprint(a, old[i]), sent->info->sha256) : i == place;
        if (!old[i].n || !found)
            continue;
        *ret = old[i];
        return NULL;
    }
    return err_say(d, E(BAD_FIELD), "%s is required, since no certificate is stored that %s.", member_of(a, in, place),
                   by_info ? "has the sha256Thumbprint of its info" : "it could keep");
}

static bool has_names(const struct x509_references *ca)
{
    return ca && (ca->primary.n || ca->secondary.n);
}

static err_t check_names(const struct x509_references *ca, struct err_detail *d)
{
    const struct str at[PLACES] = {ca->primary, ca->secondary};
    for (int i = 0; i < PLACES; i++)
        if (at[i].n && !id_certificate_name_valid(at[i]))
            return err_say(d, E(BAD_FIELD),
                           "attestation.x509.caReferences.%s must be the name of a CA certificate of the instance.",
                           places[i]);
    return NULL;
}

/* A group says who signs, a device's own enrollment which certificate it is, or who signs as well. */
static err_t fits(const struct attestation *in, bool of_group, struct err_detail *d)
{
    const struct x509_attestation *x = in->x509;
    const char *kind = of_group ? "signing" : "client";
    if (!x)
        return NULL;
    if (has_any(of_group ? x->client : x->signing))
        return err_say(d, E(BAD_FIELD), "attestation.x509.%s.",
                       of_group ? "clientCertificates belong to individual enrollments"
                                : "signingCertificates belong to enrollment groups");
    bool has_own = has_any(of_group ? x->signing : x->client);
    if (has_own && has_names(x->ca))
        return err_say(d, E(BAD_FIELD), "attestation.x509 must have %sCertificates or caReferences, not both.", kind);
    if (!has_own && !has_names(x->ca))
        return err_say(d, E(BAD_FIELD),
                       "attestation.x509.%sCertificates must have a primary or a secondary certificate, or "
                       "caReferences a name.",
                       kind);
    return has_own ? NULL : check_names(x->ca, d);
}

/* A certificate that could vouch for nobody helps no group. */
static err_t read_sent(struct arena *a, const struct attestation *in, int place, struct str text, struct err_detail *d,
                       struct bytes *ret)
{
    return (is_signing(in) ? x509_ca_read : x509_cert_read)(a, text, member_of(a, in, place), d, ret);
}

static err_t pack_certificates(struct arena *a, const struct attestation *in, const struct bytes before[PARTS],
                               struct err_detail *d, struct bytes parts[PARTS])
{
    for (int i = 0; i < PLACES; i++) {
        const struct x509_entry *sent = sent_entry(in, i);
        if (sent && sent->certificate.p)
            TRY(read_sent(a, in, i, sent->certificate, d, &parts[i]));
        else if (sent)
            TRY(find_stored(a, in, i, before, d, &parts[i]));
    }
    return NULL;
}

static err_t pack(struct arena *a, const struct attestation *in, const struct attest_row *old, struct err_detail *d,
                  struct bytes *ret)
{
    static const struct bytes none = {NULL, 0};
    struct bytes before[PARTS] = {none, none, none, none}, parts[PARTS] = {none, none, none, none};
    if (!in->x509)
        return err_say(d, E(BAD_FIELD), "attestation.x509 is required where nothing of this type is stored.");
    if (old)
        TRY(open_parts(a, old, d, before));
    TRY(pack_certificates(a, in, before, d, parts));
    if (has_names(in->x509->ca)) {
        parts[NAMES + PRIMARY] = str_bytes(in->x509->ca->primary);
        parts[NAMES + SECONDARY] = str_bytes(in->x509->ca->secondary);
    }
    *ret = attest_pack(a, parts, PARTS);
    return NULL;
}

/* --- shown -------------------------------------------------------------------------------------------------------- */

static struct x509_entry *entry_of(struct arena *a, struct bytes der, bool whole)
{
    X509 *x X509_CLEANUP = x509_cert_open(der);
    if (!x)
        return NULL;
    struct x509_entry *ret = ARENA_NEW(a, struct x509_entry);
    *ret = (struct x509_entry){whole ? x509_cert_pem(a, der) : (struct str){NULL, 0}, x509_cert_info(a, x, der)};
    return ret;
}

static struct x509_attestation *show_parts(struct arena *a, const struct bytes stored[PARTS], bool of_group, bool whole)
{
    struct x509_attestation *x = ARENA_NEW(a, struct x509_attestation);
    if (names_any(stored)) {
        x->ca = ARENA_NEW(a, struct x509_references);
        *x->ca = (struct x509_references){name_at(stored, PRIMARY), name_at(stored, SECONDARY)};
        return x;
    }
    struct x509_pair *pair = ARENA_NEW(a, struct x509_pair);
    *pair = (struct x509_pair){entry_of(a, stored[PRIMARY], whole), entry_of(a, stored[SECONDARY], whole)};
    *(of_group ? &x->signing : &x->client) = pair;
    return x;
}

static err_t show_certificates(struct arena *a, const struct attest_row *row, bool whole, struct err_detail *d,
                               struct attestation *ret)
{
    struct bytes stored[PARTS];
    TRY(open_parts(a, row, d, stored));
    *ret = (struct attestation){.type = ATTEST_X509, .x509 = show_parts(a, stored, row->stored.of_group, whole)};
    return NULL;
}

/* Certificates are no secrets, but lists are long. */
static err_t mask(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    return show_certificates(a, row, false, d, ret);
}

static err_t show(struct arena *a, const struct attest_row *row, struct err_detail *d, struct attestation *ret)
{
    return show_certificates(a, row, true, d, ret);
}

/* --- checked ------------------------------------------------------------------------------------------------------ */

static err_t check_shown(const struct attest_claim *c, struct err_detail *d)
{
    if (c->presented->leaf.n)
        return NULL;
    return err_say(d, E(UNAUTHORIZED), "the device showed no certificate; the enrollment has X.509 certificates");
}

/* Is it one of the two that are stored? */
static err_t check_which(struct arena *a, const struct attest_claim *c, const struct bytes stored[PARTS],
                         struct err_detail *d)
{
    struct bytes leaf = c->presented->leaf;
    TRY(check_shown(c, d));
    if (!crypt_same(leaf, stored[PRIMARY]) && !crypt_same(leaf, stored[SECONDARY]))
        return err_say(d, E(UNAUTHORIZED),
                       "the certificate with the SHA-256 thumbprint %s is neither of those that are stored: %s, %s",
                       thumbprint(a, leaf).p, thumbprint(a, stored[PRIMARY]).p, thumbprint(a, stored[SECONDARY]).p);
    return NULL;
}

static err_t check_leaf(struct arena *a, const struct attest_claim *c, const struct bytes stored[PARTS],
                        struct err_detail *d)
{
    TRY(check_which(a, c, stored, d));
    X509 *x X509_CLEANUP = x509_cert_open(c->presented->leaf);
    if (!x)
        return err_say(d, E(UNAUTHORIZED), "the certificate cannot be read");
    TRY(x509_cert_dates(a, x, c->now_us, d));
    return x509_cert_names(a, x, c->registration_id, d);
}

/* The CA certificate of the instance that has this name; p NULL: none that is verified. */
static struct bytes ca_named(const struct attest_cas *cas, struct str name)
{
    for (size_t i = 0; cas && i < cas->count; i++)
        if (cas->at[i].is_verified && str_same_nocase(cas->at[i].name_key, name))
            return cas->at[i].der;
    return (struct bytes){NULL, 0};
}

/* What any CA of the instance has revoked: it may stand below what is trusted. */
static struct bytes *crls_of(struct arena *a, const struct attest_cas *cas)
{
    size_t count = cas ? cas->count : 0;
    struct bytes *crls = ARENA_NEW_ARRAY(a, count, struct bytes);
    for (size_t i = 0; i < count; i++)
        crls[i] = cas->at[i].crl;
    return crls;
}

/* What is stored, and what is named of the instance's, as far as it is there. */
static struct x509_trust trust_in(struct arena *a, const struct bytes stored[PARTS], const struct attest_cas *cas)
{
    struct bytes *anchors = ARENA_NEW_ARRAY(a, PLACES, struct bytes);
    for (int i = 0; i < PLACES; i++)
        anchors[i] = names_any(stored) ? ca_named(cas, name_at(stored, i)) : stored[i];
    return (struct x509_trust){
        .anchors = anchors, .anchor_count = PLACES, .crls = crls_of(a, cas), .crl_count = cas ? cas->count : 0};
}

static err_t check_chain(struct arena *a, const struct attest_claim *c, const struct bytes stored[PARTS],
                         struct err_detail *d)
{
    const struct x509_trust trust = trust_in(a, stored, c->cas);
    size_t which;
    return x509_chain_check(a, c, &trust, 1, d, NULL, &which, NULL);
}

static err_t check(struct arena *a, const struct attest_row *row, const struct attest_claim *c, struct err_detail *d)
{
    struct bytes stored[PARTS];
    if (row->stored.of_group)
        return err_say(d, E(UNAUTHORIZED), "of groups that trust certificates the nearest decides");
    TRY(open_parts(a, row, d, stored));
    return names_any(stored) ? check_chain(a, c, stored, d) : check_leaf(a, c, stored, d);
}

/* Whoever shows none is refused as fast as an id that is not enrolled. */
static err_t refuse(struct arena *a, const struct attest_row *row, const struct attest_claim *c, struct err_detail *d)
{
    struct bytes stored[PARTS];
    TRY(open_parts(a, row, d, stored));
    return check_shown(c, d);
}

bool attest_names_cas(struct arena *a, const struct attest_row *row)
{
    struct bytes stored[PARTS];
    bool is_own = row->stored.type == ATTEST_X509 && !row->stored.of_group;
    return is_own && !open_parts(a, row, NULL, stored) && names_any(stored);
}

/* What the row trusts; nothing, with the reason in `d`, where that does not open. */
static struct x509_trust trust_of(struct arena *a, const struct attest_row *row, const struct attest_cas *cas,
                                  struct err_detail *d)
{
    static const struct x509_trust nothing = {.anchor_count = 0};
    struct bytes stored[PARTS];
    err_t e = row->stored.type == ATTEST_X509 ? open_parts(a, row, d, stored) : E(UNAUTHORIZED);
    return e ? nothing : trust_in(a, stored, cas);
}

err_t attest_nearest(struct arena *a, const struct attest_row *rows, size_t count, const struct attest_claim *claim,
                     struct err_detail *d, struct err_detail *ret_reasons, size_t *ret, int64_t *ret_until_us)
{
    struct x509_trust *trusts = ARENA_NEW_ARRAY(a, count, struct x509_trust);
    for (size_t i = 0; i < count; i++)
        trusts[i] = trust_of(a, &rows[i], claim->cas, d);
    return x509_chain_check(a, claim, trusts, count, d, ret_reasons, ret, ret_until_us);
}

/* --- at the hub --------------------------------------------------------------------------------------------------- */

static struct bytes evidence(struct arena *a, const struct presented *p)
{
    struct sha256 *hash = ARENA_NEW(a, struct sha256);
    *hash = crypt_sha256(p->leaf);
    return (struct bytes){hash->b, sizeof hash->b};
}

/* The hub is told of the certificate that the device used, whichever place it has here. */
static err_t hub(struct arena *a, const struct attest_row *row, struct bytes evidence_of_it, struct err_detail *d,
                 struct hub_authentication *ret)
{
    (void)row;
    if (evidence_of_it.n != SHA256_BYTES)
        return err_say(d, E(SEAL_BROKEN), "it is not known which certificate the device presented");
    struct thumbprints *t = ARENA_NEW(a, struct thumbprints);
    t->primary = enc_hex(a, evidence_of_it, true);
    *ret = (struct hub_authentication){.type = HUB_AUTH_SELF_SIGNED, .x509_thumbprint = t};
    return NULL;
}

static struct admitted_by **told(const struct attest_stored *stored, struct registration_state *to)
{
    (void)stored;
    return &to->x509;
}

const struct attest_type attest_x509 = {.for_groups = true,
                                        .fits = fits,
                                        .kept = kept,
                                        .pack = pack,
                                        .named = named,
                                        .show = show,
                                        .mask = mask,
                                        .check = check,
                                        .refuse = refuse,
                                        .evidence = evidence,
                                        .hub = hub,
                                        .told = told};
