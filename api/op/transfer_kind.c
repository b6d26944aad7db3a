/* transfer_kind.c: the lists that come and go as a whole: how a row of each is read and written. It must hold no rule
 * of an enrollment: those are enrollment_body.c's. */
#include <string.h>

#include "api/op/op.h"
#include "api/op/transfer.h"

enum { ROWS_AT_ONCE = 100 };

static void add_row(struct text *out, const struct codec *codec, const void *row)
{
    codec_encode(out, codec, row);
    text_add_char(out, '\n');
}

/* Ids are as long as the place has room for. */
static void set_place(struct export_place *at, struct str key)
{
    memcpy(at->key, key.p, key.n);
    at->key[key.n] = '\0';
}

/* --- enrollments and groups --------------------------------------------------------------------------------------- */

static err_t read_enrollment(struct call *r, const struct transfer_kind *kind, struct json_in in,
                             struct import_row *ret)
{
    struct enrollment *e = &ret->enrollment;
    TRY(codec_decode(r->arena, kind->enrollments->codec, CODEC_KEEP_UNKNOWN, in, e, &r->detail));
    if (!e->id.p)
        return call_fail(r, E(BAD_FIELD), "%s is required.", kind->id);
    TRY(id_registration_check(e->id, kind->id, &r->detail));
    TRY(enrollment_check(r, kind->enrollments, e));
    ret->of_group = kind->enrollments->of_group;
    ret->key = arena_lower(r->arena, e->id);
    const struct enrollment_key of = {ret->at.id_scope, ret->key, ret->of_group};
    ret->webhook_sealed = enrollment_seal_webhook(r, &of, e);
    const struct attest_row row = {r->shared->ring,
                                   {.id_scope = ret->at.id_scope, .key = ret->key, .of_group = ret->of_group}};
    return attest_seal(r->arena, &row, e->attestation, &r->detail, &ret->attestation);
}

/* As it would be sent to make it anew: with its keys, and without what the service says of it. */
static err_t add_enrollment(struct call *r, const struct transfer_kind *kind, struct arena *a,
                            struct enrollment_row *row, struct text *out)
{
    struct attestation *whole = ARENA_NEW(a, struct attestation);
    const struct attest_row stored = {r->shared->ring, row->attestation};
    TRY(enrollment_unopened(attest_show(a, &stored, &r->log_detail, whole)));
    if (enrollment_open_webhook(r, a, row))
        return E(WEBHOOK_BROKEN);
    row->enrollment.attestation = whole;
    row->enrollment.created_us = row->enrollment.updated_us = 0;
    add_row(out, kind->enrollments->codec, &row->enrollment);
    return NULL;
}

static err_t write_enrollments(struct call *r, const struct transfer_kind *kind, struct arena *a,
                               struct export_place *at, struct text *out, bool *ret_more)
{
    struct str behind = str_of(at->key);
    const struct enrollment_stretch stretch = {.id_scope = r->instance->id_scope,
                                               .of_group = kind->enrollments->of_group,
                                               .by = ENROLLMENTS_BY_ID,
                                               .value = behind,
                                               .key = behind,
                                               .last = STR("\x7f"),
                                               .limit = ROWS_AT_ONCE};
    struct enrollment_row *rows;
    size_t count;
    TRY(db_enrollment_list(r->db, a, &stretch, &rows, &count));
    for (size_t i = 0; i < count; i++)
        TRY(add_enrollment(r, kind, a, &rows[i], out));
    *ret_more = count == ROWS_AT_ONCE;
    if (count)
        set_place(at, rows[count - 1].attestation.key);
    return NULL;
}

/* --- registrations ------------------------------------------------------------------------------------------------ */

static err_t read_registration(struct call *r, const struct transfer_kind *kind, struct json_in in,
                               struct import_row *ret)
{
    (void)kind;
    TRY(rows_read_registration(r->arena, in, &r->detail, &ret->state));
    ret->key = arena_lower(r->arena, ret->state.registration_id);
    return NULL;
}

/* Those that have a hub: the others are what registering makes of them. */
static err_t write_registrations(struct call *r, const struct transfer_kind *kind, struct arena *a,
                                 struct export_place *at, struct text *out, bool *ret_more)
{
    (void)kind;
    struct registration_row *rows;
    size_t count;
    struct str behind = str_of(at->key);
    const struct registration_span span = {.id_scope = r->instance->id_scope,
                                           .by = REGISTRATIONS_BY_ID,
                                           .value = behind,
                                           .key = behind,
                                           .last = STR("\x7f"),
                                           .limit = ROWS_AT_ONCE};
    TRY(db_registration_list_all(r->db, a, &span, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        struct registration_state *state = service_registration(r, a, &rows[i]);
        state->etag = (struct str){NULL, 0};
        if (state->status == REG_ASSIGNED)
            add_row(out, registration_state_codec, state);
    }
    *ret_more = count == ROWS_AT_ONCE;
    if (count)
        set_place(at, arena_lower(a, rows[count - 1].state.registration_id));
    return NULL;
}

/* --- the lists ---------------------------------------------------------------------------------------------------- */

static const struct transfer_kind kind_enrollments = {IMPORT_ENROLLMENTS, &kind_enrollment, "registrationId",
                                                      "/enrollments",     read_enrollment,  write_enrollments};
static const struct transfer_kind kind_enrollment_groups = {IMPORT_GROUPS,       &kind_enrollment_group,
                                                            "enrollmentGroupId", "/enrollmentGroups",
                                                            read_enrollment,     write_enrollments};
static const struct transfer_kind kind_registrations = {
    IMPORT_REGISTRATIONS, NULL, "registrationId", "/registrations", read_registration, write_registrations};

#define OPERATION(kind, what)                                                                                          \
    err_t op_##kind##_##what(struct call *r)                                                                           \
    {                                                                                                                  \
        return transfer_##what(r, &kind_##kind##s);                                                                    \
    }
#define OPERATIONS(kind)                                                                                               \
    OPERATION(kind, import)                                                                                            \
    OPERATION(kind, export)                                                                                            \
    OPERATION(kind, import_get)                                                                                        \
    OPERATION(kind, import_cancel)

OPERATIONS(enrollment)
OPERATIONS(enrollment_group)
OPERATIONS(registration)
