/* admission.c: does what a device presents admit it? By the enrollment that is known for it; else the groups of its
 * instance are asked, whose keys it may derive from or whose CAs may vouch for it (wire.md 4.4, 4.5, 7.4; decisions.md
 * 5, 24). No name of a group comes over the wire, so all are tried, which is dear; the registration remembers the one
 * that fitted, though for certificates another may have come nearer since. It must never tell, by words or by time,
 * whether an id is enrolled, nor admit by a group a device that has an enrollment of its own. */
#include "api/op/admission.h"

#include <string.h>

#include "api/shared.h"
#include "core/attest/verdict.h"
#include "core/limits.h"
#include "db/certificate.h"

enum { TOLD_MAX = ERR_DETAIL_MAX - 32 }; /* bytes of the reasons of groups, before what tells how many more there are */

static struct attest_claim claim_of(const struct admission *m)
{
    const struct call *r = m->call;
    return (struct attest_claim){.presented = &r->presented,
                                 .id_scope = r->instance->id_scope,
                                 .registration_id = r->segments[SEGMENT_ID],
                                 .now_us = r->now_us,
                                 .handed = m->handed,
                                 .cas = &m->cas};
}

static bool is_dear_lane(const struct call *r)
{
    return r->work.class == LANE_DEVICE_DEAR;
}

static bool has_own(const struct admission *m)
{
    return m->stored.sealed.p && !m->stored.of_group;
}

/* The call begins anew in the lanes for such checks. */
static err_t leave_to_dear(struct call *r, const struct attest_row *row, const struct attest_claim *claim)
{
    TRY(attest_refuse(r->arena, row, claim, &r->log_detail));
    return E(DEAR_CHECK);
}

static err_t check_known(struct admission *m)
{
    struct call *r = m->call;
    const struct attest_row row = {r->shared->ring, m->stored};
    const struct attest_claim claim = claim_of(m);
    size_t which;
    r->enrolled = has_own(m);
    if (!is_dear_lane(r) && attest_cost(&m->stored) == ATTEST_DEAR)
        return leave_to_dear(r, &row, &claim);
    if (attest_names_cas(r->arena, &row))
        return verdict_nearest(r->shared->verdicts, r->arena, &row, 1, &claim, &r->log_detail, NULL, &which);
    return attest_admit(r->arena, &row, &claim, &r->log_detail, &m->derived_from);
}

static bool is_among(const struct str *at, size_t count, struct str wanted)
{
    size_t i = 0;
    while (i < count && !str_same(at[i], wanted))
        i++;
    return i < count;
}

/* Each of the instances once. */
static size_t scopes_of(struct arena *a, struct admission *const *at, size_t count, struct str **ret)
{
    size_t n = 0;
    *ret = ARENA_NEW_ARRAY(a, count, struct str);
    for (size_t i = 0; i < count; i++)
        if (!is_among(*ret, n, at[i]->id_scope))
            (*ret)[n++] = at[i]->id_scope;
    return n;
}

/* --- the CA certificates of an instance --------------------------------------------------------------------------- */

/* Those of its instance. */
static void take_cas(struct arena *a, const struct certificate_found *all, size_t count, struct admission *to)
{
    struct attest_ca *at = ARENA_NEW_ARRAY(a, count, struct attest_ca);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (str_same(all[i].id_scope, to->id_scope))
            at[n++] = all[i].ca;
    to->cas = (struct attest_cas){at, n};
}

/* For whoever shows a certificate. */
static err_t read_cas(struct arena *a, struct db *db, struct admission *const *at, size_t count)
{
    struct admission **showing = ARENA_NEW_ARRAY(a, count, struct admission *);
    struct certificate_found *all;
    struct str *scopes;
    size_t n = 0, all_count;
    for (size_t i = 0; i < count; i++)
        if (at[i]->call->presented.leaf.n)
            showing[n++] = at[i];
    if (!n)
        return NULL;
    size_t scope_count = scopes_of(a, showing, n, &scopes);
    TRY(db_certificates_of(db, a, scopes, scope_count, &all, &all_count));
    for (size_t i = 0; i < n; i++)
        take_cas(a, all, all_count, showing[i]);
    return NULL;
}

/* --- the groups of an instance ------------------------------------------------------------------------------------ */

struct groups {
    struct db_group_found *at;
    size_t count;
};

/* Whoever has an enrollment of its own is not admitted by a group, whatever fits. */
static bool admit(struct admission *m, const struct db_group_found *g, struct str derived_from)
{
    if (has_own(m))
        return false;
    m->group = g;
    m->derived_from = arena_str(m->call->arena, derived_from);
    m->call->error = NULL;
    m->call->log_detail.text[0] = '\0';
    return true;
}

/* Does it derive from a key of this one? What does not open is told to the operator, and stands in nobody's way. */
static bool fits(struct admission *m, const struct db_group_found *g, struct str *ret_derived_from)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct call *r = m->call;
    struct err_detail d = {.text = ""};
    const struct attest_row row = {r->shared->ring, g->attestation};
    const struct attest_claim claim = claim_of(m);
    struct str derived_from;
    err_t e = attest_admit(a, &row, &claim, &d, &derived_from);
    if (e == E(SEAL_BROKEN))
        r->log_detail = d;
    if (e)
        return false;
    *ret_derived_from = arena_str(r->arena, derived_from);
    return true;
}

/* Those of its instance. */
static size_t find_own_groups(const struct admission *m, const struct groups *all, const struct db_group_found **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++)
        if (str_same(all->at[i].attestation.id_scope, m->id_scope))
            ret[n++] = &all->at[i];
    return n;
}

/* By a key that is derived from a group's. */
static void try_keys(struct admission *m, const struct db_group_found *const *groups, size_t count)
{
    struct str derived_from;
    for (size_t i = 0; i < count; i++)
        if (fits(m, groups[i], &derived_from) && admit(m, groups[i], derived_from))
            return;
}

/* The reasons of so many groups as there is room for, the nearest first. */
static void say_tried(struct arena *a, const struct db_group_found *const *groups, size_t count, size_t nearest,
                      const struct err_detail *reasons, struct err_detail *d)
{
    struct text t;
    size_t told = 1;
    text_init(&t, a, sizeof d->text);
    text_printf(&t, "the enrollment group \"%.*s\": %s", STR_ARG(groups[nearest]->id), d->text);
    for (size_t i = 0; i < count && t.n + groups[i]->id.n + strlen(reasons[i].text) < TOLD_MAX; i++) {
        if (i == nearest)
            continue;
        text_printf(&t, "; \"%.*s\": %s", STR_ARG(groups[i]->id), reasons[i].text);
        told++;
    }
    if (told < count)
        text_printf(&t, "; and %zu groups more", count - told);
    err_say(d, NULL, "%.*s", STR_ARG(text_str(&t)));
}

/* By the nearest CA of a group; what it says is the reason of a refusal. */
static void try_chain(struct admission *m, const struct db_group_found *const *groups, size_t count)
{
    struct call *r = m->call;
    const struct attest_claim claim = claim_of(m);
    struct attest_row *rows = ARENA_NEW_ARRAY(r->arena, count, struct attest_row);
    struct err_detail d = {.text = ""}, *reasons = ARENA_NEW_ARRAY(r->arena, count, struct err_detail);
    size_t nearest;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct attest_row){r->shared->ring, groups[i]->attestation};
    err_t e = verdict_nearest(r->shared->verdicts, r->arena, rows, count, &claim, &d, reasons, &nearest);
    if (!e) {
        (void)admit(m, groups[nearest], arena_lower(r->arena, claim.registration_id));
        return;
    }
    if (nearest < count)
        say_tried(r->arena, groups, count, nearest, reasons, &d);
    if (!has_own(m))
        r->log_detail = d;
}

static void say_no_group(struct admission *m)
{
    struct call *r = m->call;
    struct sha256 hash = crypt_sha256(r->presented.leaf);
    struct str thumbprint = enc_hex(r->arena, sha256_bytes(&hash), true);
    if (!has_own(m))
        err_say(&r->log_detail, NULL,
                "the device showed the certificate with the SHA-256 thumbprint %s, and no enrollment group trusts "
                "certificates",
                thumbprint.p);
}

/* A device with an enrollment of its own is tried like a stranger, and refused whatever comes out: else the time would
 * tell which ids have one. */
static void search(struct admission *m, int type, const struct groups *all)
{
    const struct db_group_found **groups = ARENA_NEW_ARRAY(m->call->arena, all->count, const struct db_group_found *);
    size_t count = find_own_groups(m, all, groups);
    if (type == ATTEST_SYMMETRIC_KEY)
        try_keys(m, groups, count);
    else if (count)
        try_chain(m, groups, count);
    else
        say_no_group(m);
}

static err_t read_groups(struct arena *a, struct db *db, int type, struct admission *const *at, size_t count,
                         struct groups *ret)
{
    struct str *scopes;
    size_t n = scopes_of(a, at, count, &scopes);
    return db_group_lookup(db, a, scopes, n, type, GROUPS_MOST, &ret->at, &ret->count);
}

static void search_all(struct arena *a, struct db *db, int type, struct admission *const *at, size_t count)
{
    struct groups groups;
    err_t e = read_groups(a, db, type, at, count, &groups);
    for (size_t i = 0; i < count; i++) {
        if (e)
            at[i]->call->error = e;
        else
            search(at[i], type, &groups);
    }
}

/* Refused, and yet a group of that type might have made it good. */
static bool may_be_groups(const struct admission *m, int type)
{
    const struct attest_claim claim = claim_of(m);
    return m->call->error == E(UNAUTHORIZED) && attest_group_type(m->call->arena, &claim) == type;
}

static void search_refused(struct arena *a, struct db *db, int type, struct admission *const *at, size_t count)
{
    struct admission **refused = ARENA_NEW_ARRAY(a, count, struct admission *);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (may_be_groups(at[i], type))
            refused[n++] = at[i];
    if (n)
        search_all(a, db, type, refused, n);
}

/* Whether there are groups at all is not asked here. */
static void leave_refused(struct admission *const *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (may_be_groups(at[i], ATTEST_SYMMETRIC_KEY))
            at[i]->call->error = E(DEAR_CHECK);
}

/* The first lanes ask the database for nothing but what the calls were looked up for, and meet no certificate
 * (api/lane.c `class_of`). */
void admission_check(struct arena *a, struct db *db, struct admission *const *at, size_t count)
{
    bool dear = count && is_dear_lane(at[0]->call);
    err_t e = dear ? read_cas(a, db, at, count) : NULL;
    for (size_t i = 0; i < count; i++)
        at[i]->call->error = e ? e : check_known(at[i]);
    if (!dear) {
        leave_refused(at, count);
        return;
    }
    search_refused(a, db, ATTEST_SYMMETRIC_KEY, at, count);
    search_refused(a, db, ATTEST_X509, at, count);
}
