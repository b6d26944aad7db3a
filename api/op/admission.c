/* admission.c: does what a device presents admit it? By the enrollment that is known for it; else the groups of its
 * instance are asked, whose keys it may derive from (wire.md 4.4, 7.4; decisions.md 5, 24). No name of a group comes
 * over the wire, so all are tried, which is dear; the registration remembers the one that fitted. It must never tell,
 * by words or by time, whether an id is enrolled, nor admit by a group a device that has an enrollment of its own. */
#include "api/op/admission.h"

#include "api/shared.h"
#include "core/limits.h"

static struct attest_claim claim_of(const struct admission *m)
{
    const struct call *r = m->call;
    return (struct attest_claim){&r->presented, r->instance->id_scope, r->segments[SEGMENT_ID], r->now_us, m->handed};
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
    r->enrolled = has_own(m);
    if (!is_dear_lane(r) && attest_cost(&m->stored) == ATTEST_DEAR)
        return leave_to_dear(r, &row, &claim);
    return attest_admit(r->arena, &row, &claim, &r->log_detail, &m->derived_from);
}

/* --- the groups of an instance ------------------------------------------------------------------------------------ */

struct groups {
    struct db_group_found *at;
    size_t count;
};

/* Does it derive from a key of this one? What does not open is told to the operator, and stands in nobody's way. */
static bool fits(struct admission *m, const struct db_group_found *g)
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
    m->derived_from = arena_str(r->arena, derived_from);
    return true;
}

/* A device with an enrollment of its own is tried like a stranger, and refused whatever comes out: else the time would
 * tell which ids have one. */
static void search(struct admission *m, const struct groups *all)
{
    struct call *r = m->call;
    for (size_t i = 0; i < all->count; i++) {
        const struct db_group_found *g = &all->at[i];
        if (!str_same(g->attestation.id_scope, m->id_scope))
            continue;
        if (!is_dear_lane(r)) {
            r->error = E(DEAR_CHECK);
            return;
        }
        if (!fits(m, g) || has_own(m))
            continue;
        m->group = g;
        r->error = NULL;
        r->log_detail.text[0] = '\0';
        return;
    }
}

static bool is_among(const struct str *at, size_t count, struct str wanted)
{
    size_t i = 0;
    while (i < count && !str_same(at[i], wanted))
        i++;
    return i < count;
}

/* In the first lanes it is enough to know whether there are any. */
static err_t read_groups(struct arena *a, struct db *db, struct admission *const *at, size_t count, struct groups *ret)
{
    struct str *scopes = ARENA_NEW_ARRAY(a, count, struct str);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_among(scopes, n, at[i]->id_scope))
            scopes[n++] = at[i]->id_scope;
    return db_group_lookup(db, a, scopes, n, is_dear_lane(at[0]->call) ? GROUPS_MOST : 1, &ret->at, &ret->count);
}

static void search_all(struct arena *a, struct db *db, struct admission *const *at, size_t count)
{
    struct groups groups;
    err_t e = read_groups(a, db, at, count, &groups);
    for (size_t i = 0; i < count; i++) {
        if (e)
            at[i]->call->error = e;
        else
            search(at[i], &groups);
    }
}

/* Refused, and yet a key might have made it good. */
static bool may_be_groups(const struct admission *m)
{
    const struct attest_claim claim = claim_of(m);
    return m->call->error == E(UNAUTHORIZED) && attest_may_be_signed(m->call->arena, &claim);
}

void admission_check(struct arena *a, struct db *db, struct admission *const *at, size_t count)
{
    struct admission **refused = ARENA_NEW_ARRAY(a, count, struct admission *);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        at[i]->call->error = check_known(at[i]);
        if (may_be_groups(at[i]))
            refused[n++] = at[i];
    }
    if (n)
        search_all(a, db, refused, n);
}
