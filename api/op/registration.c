/* registration.c: registrations as the service plane sees them: read, list, forget, block (wire.md 3). It must never
 * make a registration. */
#include "api/op/list.h"
#include "api/op/op.h"
#include "api/op/service.h"
#include "api/op/stale.h"
#include "api/shared.h"
#include "db/enrollment.h"

err_t op_registration_get(struct call *r)
{
    struct str key;
    struct registration_row row;
    bool found;
    TRY(service_registration_id(r, "registrationId", &key));
    TRY(db_registration_find(r->db, r->arena, r->instance->id_scope, key, &found, &row));
    if (!found)
        return E(REGISTRATION_NOT_FOUND);
    return call_reply_codec(r, 200, registration_state_codec, service_registration(r, r->arena, &row));
}

static void show_entries(struct call *r, struct arena *a, struct registration_row *rows, struct list_entries *ret)
{
    ret->at = ARENA_NEW_ARRAY(a, ret->count, const void *);
    ret->bytes = 0;
    for (size_t i = 0; i < ret->count; i++)
        ret->at[i] = service_registration(r, a, &rows[i]);
}

static err_t read_of_group(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret)
{
    const struct registration_stretch stretch = {.id_scope = r->instance->id_scope,
                                                 .group = arena_lower(a, r->segments[SEGMENT_ID]),
                                                 .from = s->from.key,
                                                 .last = s->last.text,
                                                 .limit = (int64_t)s->limit};
    struct registration_row *rows;
    TRY(db_registration_list(r->db, a, &stretch, &rows, &ret->count));
    show_entries(r, a, rows, ret);
    return NULL;
}

static err_t read_all(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret)
{
    const struct registration_span span = {.id_scope = r->instance->id_scope,
                                           .by = (enum registration_order)s->index,
                                           .down = s->down,
                                           .value = s->from.value.text,
                                           .key = s->from.key,
                                           .last = s->last.text,
                                           .limit = (int64_t)s->limit};
    struct registration_row *rows;
    TRY(db_registration_list_all(r->db, a, &span, &rows, &ret->count));
    show_entries(r, a, rows, ret);
    return NULL;
}

/* All of an instance, asked by a query: of our own, since clients ask for those of a group alone. */
err_t op_registration_query_all(struct call *r)
{
    static const struct query_index indexes[] = {[REGISTRATIONS_BY_ID] = {"registrationId", true, NULL},
                                                 [REGISTRATIONS_FAILED] = {"status", false, "failed"},
                                                 [REGISTRATIONS_BY_GROUP] = {"enrollmentGroupId", false, NULL}};
    static const struct query_list registrations = {"registrations", registration_state_codec, NULL, indexes,
                                                    sizeof indexes / sizeof *indexes};
    static const struct list_kind kind = {&registrations, "DeviceRegistration", read_all, NULL};
    return list_reply(r, &kind);
}

/* The devices of an enrollment group; what the body says counts for nothing (decisions.md 14). */
err_t op_registration_query(struct call *r)
{
    static const struct query_index indexes[] = {{"registrationId", true, NULL}};
    static const struct query_list registrations = {"registrations", registration_state_codec, NULL, indexes, 1};
    static const struct list_kind kind = {&registrations, "DeviceRegistration", read_of_group, NULL};
    struct enrollment_key of = {.id_scope = r->instance->id_scope, .of_group = true};
    struct enrollment_row row;
    bool found;
    TRY(service_registration_id(r, "enrollmentGroupId", &of.key));
    TRY(db_enrollment_find(r->db, r->arena, &of, &found, &row));
    return found ? list_reply_all(r, &kind, of.key) : E(GROUP_NOT_FOUND);
}

/* NULL when any will do; else the row as it is now, which must not change until it is gone. */
static err_t wanted_row(struct call *r, struct str key, struct registration_row *row,
                        const struct registration_row **ret)
{
    bool found;
    *ret = NULL;
    if (!r->options.if_match.n || str_same(str_trim(r->options.if_match), STR("*")))
        return NULL;
    TRY(db_registration_find(r->db, r->arena, r->instance->id_scope, key, &found, row));
    if (!found)
        return E(REGISTRATION_NOT_FOUND);
    if (!id_etag_matches(r->options.if_match, id_registration_etag(r->arena, &row->operation, row->revision)))
        return E(PRECONDITION_FAILED);
    *ret = row;
    return NULL;
}

static err_t delete_work(struct call *r, void *context)
{
    struct registration_row row;
    struct registration_guard guard = {r->instance->id_scope, r->instance->version, *(const struct str *)context, NULL,
                                       r->cfg->lease_ms};
    struct registration_outcome outcome;
    TRY(wanted_row(r, guard.registration_key, &row, &guard.as));
    TRY(db_registration_delete(r->db, r->arena, &guard, &outcome));
    if (!outcome.live)
        return E(STALE);
    if (!outcome.gone)
        return guard.as ? E(PRECONDITION_FAILED) : E(REGISTRATION_NOT_FOUND);
    return call_reply_empty(r, 204);
}

err_t op_registration_delete(struct call *r)
{
    struct str key;
    TRY(service_registration_id(r, "registrationId", &key));
    return stale_retry(r, delete_work, &key);
}

/* What an enrollment that keeps a group's device out holds: the keys that the device derives, so that it is told that
 * it is disabled; any keys when it shows a certificate, or nothing of its group opens. */
static err_t seal_keys(struct call *r, const struct registration_member *m, struct str key, struct bytes *ret)
{
    const struct attest_row member = {r->shared->ring, m->attestation};
    const struct attest_row own = {r->shared->ring, {.id_scope = r->instance->id_scope, .key = key}};
    struct hub_authentication derived = {.symmetric_key = NULL};
    struct symmetric_key any = {.primary = {NULL, 0}};
    struct attest_stored stored;
    if (m->attestation.sealed.p && attest_hub_identity(r->arena, &member, m->evidence, &r->log_detail, &derived))
        derived.symmetric_key = NULL;
    const struct attestation in = {.type = ATTEST_SYMMETRIC_KEY,
                                   .symmetric_key = derived.symmetric_key ? derived.symmetric_key : &any};
    TRY(attest_seal(r->arena, &own, &in, &r->detail, &stored));
    *ret = stored.sealed;
    return NULL;
}

/* A group's device gets an enrollment of its own, whose place is before the group's. */
static err_t block_member(struct call *r, const struct registration_guard *g, struct block_outcome *ret)
{
    struct registration_member m;
    bool found;
    TRY(db_registration_member(r->db, r->arena, g->id_scope, g->registration_key, &found, &m));
    if (!found)
        return E(ENROLLMENT_NOT_FOUND);
    if (m.attestation.sealed.p && !m.attestation.of_group)
        return E(STALE);
    struct registration_block b = {.blocked = true, .registration_id = m.registration_id};
    TRY(seal_keys(r, &m, g->registration_key, &b.keys_sealed));
    return db_registration_block(r->db, r->arena, g, &b, ret);
}

struct block {
    struct str key;
    bool blocked;
};

static err_t block_work(struct call *r, void *context)
{
    const struct block *b = context;
    const struct registration_guard guard = {
        .id_scope = r->instance->id_scope, .scope_version = r->instance->version, .registration_key = b->key};
    const struct registration_block own = {.blocked = b->blocked};
    struct block_outcome outcome;
    TRY(db_registration_block(r->db, r->arena, &guard, &own, &outcome));
    if (outcome.live && !outcome.found && b->blocked)
        TRY(block_member(r, &guard, &outcome));
    if (outcome.written)
        return call_reply_empty(r, 204);
    return outcome.live && !outcome.found && !b->blocked ? E(ENROLLMENT_NOT_FOUND) : E(STALE);
}

static err_t block(struct call *r, bool blocked)
{
    struct block b = {.blocked = blocked};
    TRY(service_registration_id(r, "registrationId", &b.key));
    return stale_retry(r, block_work, &b);
}

err_t op_registration_block(struct call *r)
{
    return block(r, true);
}

err_t op_registration_unblock(struct call *r)
{
    return block(r, false);
}
