/* registration.c: registrations as the service plane sees them: read, forget, block (wire.md 3). It must never
 * make a registration. */
#include "api/op/op.h"
#include "api/op/service.h"
#include "api/op/stale.h"

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
