/* registration.c: registrations as the service plane sees them: read, list, forget, block (wire.md 3). It must never
 * make a registration. */
#include "api/op/list.h"
#include "api/op/op.h"
#include "api/op/service.h"
#include "api/op/stale.h"
#include "db/enrollment.h"

err_t op_registration_get(struct call *r)
{
    struct str key;
    struct registration_row row;
    bool found;
    TRY(service_registration_id(r, &key));
    TRY(db_registration_find(r->db, r->arena, r->instance->id_scope, key, &found, &row));
    if (!found)
        return E(REGISTRATION_NOT_FOUND);
    return call_reply_codec(r, 200, registration_state_codec, service_registration(r, r->arena, &row));
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
    ret->at = ARENA_NEW_ARRAY(a, ret->count, const void *);
    ret->bytes = 0;
    for (size_t i = 0; i < ret->count; i++)
        ret->at[i] = service_registration(r, a, &rows[i]);
    return NULL;
}

/* The devices of an enrollment group; what the body says counts for nothing (decisions.md 14). */
err_t op_registration_query(struct call *r)
{
    static const struct query_index indexes[] = {{"registrationId", true}};
    static const struct query_list registrations = {"registrations", registration_state_codec, NULL, indexes, 1};
    static const struct list_kind kind = {&registrations, "DeviceRegistration", read_of_group};
    struct enrollment_key of = {.id_scope = r->instance->id_scope, .of_group = true};
    struct enrollment_row row;
    bool found;
    TRY(service_registration_id(r, &of.key));
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
    TRY(service_registration_id(r, &key));
    return stale_retry(r, delete_work, &key);
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
    struct block_outcome outcome;
    TRY(db_registration_block(r->db, r->arena, &guard, b->blocked, &outcome));
    if (!outcome.live)
        return E(STALE);
    return outcome.found ? call_reply_empty(r, 204) : E(ENROLLMENT_NOT_FOUND);
}

static err_t block(struct call *r, bool blocked)
{
    struct block b = {.blocked = blocked};
    TRY(service_registration_id(r, &b.key));
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
