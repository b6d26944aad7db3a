/* enrollment.c: entries of the enrollment list, one at a time (wire.md 3.2): when a write happens, which answer shows
 * keys. It must never show a key but in the answers to PUT and attestationmechanism. */
#include "api/op/enrollment.h"

#include "api/op/service.h"
#include "api/op/stale.h"
#include "api/rates.h"
#include "core/attest/diagnose.h"
#include "core/webhook.h"

/* --- showing ------------------------------------------------------------------------------------------------------ */

err_t enrollment_unopened(err_t e)
{
    return e == E(SEAL_BROKEN) ? E(ATTESTATION_BROKEN) : e;
}

void enrollment_extend(struct call *r, struct arena *a, const struct attest_row *stored, struct attestation *shown)
{
    struct attestation_ours *ours = ARENA_NEW(a, struct attestation_ours);
    if (r->options.extensions && attest_check_words(a, stored, &ours->check_words))
        shown->ours = ours;
}

err_t enrollment_open_webhook(struct call *r, struct arena *a, struct enrollment_row *row)
{
    const struct attest_stored *of = &row->attestation;
    const struct webhook_row at = {r->shared->ring, of->id_scope, of->key, of->of_group};
    if (!row->webhook_sealed.p)
        return NULL;
    struct custom_allocation *c = ARENA_NEW(a, struct custom_allocation);
    TRY(webhook_open(a, &at, row->webhook_sealed, c));
    row->enrollment.custom_allocation = c;
    return NULL;
}

struct bytes enrollment_seal_webhook(struct call *r, const struct enrollment_key *of, const struct enrollment *e)
{
    const struct webhook_row row = {r->shared->ring, of->id_scope, of->key, of->of_group};
    return e->custom_allocation ? webhook_seal(r->arena, &row, e->custom_allocation) : (struct bytes){NULL, 0};
}

/* The attestation with its keys in clear, or with `secret` without them. */
static err_t show_attestation(struct call *r, const struct enrollment_row *row, bool secret, struct attestation **ret)
{
    const struct attest_row stored = {r->shared->ring, row->attestation};
    *ret = ARENA_NEW(r->arena, struct attestation);
    TRY(enrollment_unopened((secret ? attest_mask : attest_show)(r->arena, &stored, &r->log_detail, *ret)));
    enrollment_extend(r, r->arena, &stored, *ret);
    return NULL;
}

const struct enrollment *enrollment_shown(struct call *r, struct arena *a, struct enrollment_row *row)
{
    row->enrollment.etag = id_etag(a, &row->etag);
    if (row->registration.state.status)
        row->enrollment.registration_state = service_registration(r, a, &row->registration);
    return &row->enrollment;
}

static err_t reply_enrollment(struct call *r, const struct enrollment_kind *kind, struct enrollment_row *row,
                              bool secret)
{
    TRY(show_attestation(r, row, secret, &row->enrollment.attestation));
    if (enrollment_open_webhook(r, r->arena, row))
        return E(WEBHOOK_BROKEN);
    return call_reply_codec(r, 200, kind->codec, enrollment_shown(r, r->arena, row));
}

static err_t find_enrollment(struct call *r, const struct enrollment_kind *kind, struct enrollment_row *ret)
{
    struct enrollment_key at = {.id_scope = r->instance->id_scope, .of_group = kind->of_group};
    bool found;
    TRY(service_registration_id(r, kind->id, &at.key));
    TRY(db_enrollment_find(r->db, r->arena, &at, &found, ret));
    return found ? NULL : kind->missing;
}

err_t enrollment_get(struct call *r, const struct enrollment_kind *kind)
{
    struct enrollment_row row;
    TRY(find_enrollment(r, kind, &row));
    return reply_enrollment(r, kind, &row, true);
}

err_t enrollment_attestation(struct call *r, const struct enrollment_kind *kind)
{
    struct enrollment_row row;
    struct attestation *a;
    TRY(find_enrollment(r, kind, &row));
    TRY(show_attestation(r, &row, false, &a));
    return call_reply_codec(r, 200, attestation_codec, a);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

err_t enrollment_refusal(struct call *r, struct enrollment_write *w, const struct enrollment_outcome *o)
{
    if (!o->live)
        return E(STALE);
    if (o->written)
        return NULL;
    if (w->match == MATCH_ABSENT && o->found)
        return w->kind->exists;
    if (w->match != MATCH_ABSENT && !o->found)
        return w->kind->missing;
    if (w->match != MATCH_ABSENT && !o->matches)
        return w->match == MATCH_ANY ? E(STALE) : E(PRECONDITION_FAILED);
    if (o->unlinked.p)
        return call_fail(r, E(BAD_FIELD), "%s: %.*s is not a linked hub of this instance.",
                         w->body.iot_hubs.n ? "iotHubs" : "iotHubHostName", STR_ARG(o->unlinked));
    if (o->taken_by.p)
        return call_fail(r, E(BAD_FIELD), "deviceId: %.*s is the device id of the enrollment %.*s.",
                         STR_ARG(w->body.device_id.p ? w->body.device_id : w->body.id), STR_ARG(o->taken_by));
    if (o->unproved.p)
        return call_fail(r, E(BAD_FIELD),
                         "attestation.x509.caReferences: \"%.*s\" is no verified certificate of this instance.",
                         STR_ARG(o->unproved));
    if (o->crowded)
        return w->kind->of_group ? E(GROUPS_EXCEEDED) : rates_full(r, QUOTA_OF_ENROLLMENTS);
    w->retyped = o->retyped;
    if (o->retyped)
        return E(STALE);    /* to be sealed anew */
    return w->kind->exists; /* made by another request in this moment */
}

/* An etag that is none of ours equals no row's. */
void enrollment_set_guard(struct call *r, struct enrollment_write *w)
{
    w->guard.tenant_id = r->instance->tenant_id;
    w->guard.of.id_scope = r->instance->id_scope;
    w->guard.of.of_group = w->kind->of_group;
    w->guard.scope_version = r->instance->version;
    w->guard.most = r->instance->quotas.most[QUOTA_OF_ENROLLMENTS];
    w->guard.etag = w->match == MATCH_TAG || w->match == MATCH_NEVER ? &w->tag : NULL;
}

/* What an update does not say stays as it is. Where it says a part, the row is read for the other part, and the write
 * then holds for that state of the row only. */
static err_t find_kept(struct call *r, struct enrollment_write *w, struct attest_stored *ret)
{
    bool found;
    struct enrollment_row row;
    TRY(db_enrollment_find(r->db, r->arena, &w->guard.of, &found, &row));
    if (!found)
        return w->kind->missing;
    *ret = row.attestation;
    if (w->match == MATCH_ANY) {
        w->merged = row.etag;
        w->guard.etag = &w->merged;
    }
    return NULL;
}

static err_t seal_attestation(struct call *r, struct enrollment_write *w, struct attest_stored *ret)
{
    const struct attestation *in = w->body.attestation;
    enum attest_kept kept = w->match == MATCH_ABSENT ? ATTEST_KEEPS_NOTHING : attest_kept(in);
    const struct enrollment_key *of = &w->guard.of;
    struct attest_row row = {r->shared->ring, {.id_scope = of->id_scope, .key = of->key, .of_group = of->of_group}};
    if (kept == ATTEST_KEEPS_ALL && !w->retyped) {
        *ret = (struct attest_stored){.type = in->type};
        return NULL;
    }
    if (kept != ATTEST_KEEPS_NOTHING)
        TRY(find_kept(r, w, &row.stored));
    return enrollment_unopened(attest_seal(r->arena, &row, in, &r->detail, ret));
}

err_t enrollment_make_row(struct call *r, struct enrollment_write *w, struct enrollment_row *ret)
{
    enrollment_set_guard(r, w);
    *ret = (struct enrollment_row){.enrollment = w->body};
    TRY(seal_attestation(r, w, &ret->attestation));
    ret->webhook_sealed = enrollment_seal_webhook(r, &w->guard.of, &w->body);
    return NULL;
}

static err_t put_work(struct call *r, void *context)
{
    struct enrollment_write *w = context;
    struct enrollment_row row, written;
    struct enrollment_outcome outcome;
    bool update = w->match != MATCH_ABSENT;
    TRY(enrollment_make_row(r, w, &row));
    TRY(db_enrollment_put(r->db, r->arena, &w->guard, &row, update, &outcome, &written));
    err_t e = enrollment_refusal(r, w, &outcome);
    if (e)
        return e == w->kind->exists && call_makes_new(r) ? E(PRECONDITION_FAILED) : e;
    return reply_enrollment(r, w->kind, &written, false);
}

/* That of the address, if it was left out. */
static err_t take_id(struct call *r, const struct enrollment_kind *kind, struct enrollment *e)
{
    struct str id = r->segments[SEGMENT_ID];
    if (!e->id.p)
        e->id = id;
    if (!str_same_nocase(e->id, id))
        return call_fail(r, E(BAD_FIELD), "%s must be the one of the address.", kind->id);
    return NULL;
}

err_t enrollment_put(struct call *r, const struct enrollment_kind *kind)
{
    struct enrollment_write w = {.kind = kind};
    TRY(service_registration_id(r, kind->id, &w.guard.of.key));
    TRY(call_decode(r, kind->codec, CODEC_KEEP_UNKNOWN, &w.body));
    TRY(take_id(r, kind, &w.body));
    TRY(enrollment_check(r, kind, &w.body));
    w.match = service_match(r->options.if_match, &w.tag);
    if (call_makes_new(r) && w.match != MATCH_ABSENT)
        w.match = MATCH_NEVER; /* nothing is there and is not */
    return stale_retry(r, put_work, &w);
}

static err_t delete_work(struct call *r, void *context)
{
    struct enrollment_write *w = context;
    enrollment_set_guard(r, w);
    struct enrollment_change change = {.guard = w->guard};
    TRY(db_enrollment_delete_all(r->db, r->arena, &change, 1, r->cfg->lease_ms));
    TRY(enrollment_refusal(r, w, &change.outcome));
    return call_reply_empty(r, 204);
}

err_t enrollment_delete(struct call *r, const struct enrollment_kind *kind)
{
    struct enrollment_write w = {.kind = kind};
    TRY(service_registration_id(r, kind->id, &w.guard.of.key));
    w.match = service_match(r->options.if_match, &w.tag);
    if (w.match == MATCH_ABSENT)
        w.match = MATCH_ANY;
    return stale_retry(r, delete_work, &w);
}
