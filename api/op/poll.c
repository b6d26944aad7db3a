/* poll.c: polls of a register's operation, and the status look-up (wire.md 4; decisions.md 13, 26), in whole batches:
 * one look-up for all, credentials checked by admission.c. It must never tell a device why it was refused, nor write.
 */
#include "api/op/admission.h"
#include "api/op/assigned.h"
#include "api/op/challenge.h"
#include "api/op/device.h"
#include "api/op/op.h"
#include "api/rates.h"
#include "api/shared.h"
#include "core/state.h"

enum {
    POLL_RETRY_AFTER_MIN_S = 3,
    POLL_RETRY_AFTER_MAX_S = 60,
    POLL_AGE_PER_RETRY = 4, /* a poll is told to wait for a quarter of the operation's age */
    DISABLED_CODE = 401002, /* errorCode of a disabled registration */
};

static int substatus_for(const struct call *r, int substatus)
{
    bool old = r->versions & VERSION_ONE_INITIAL_SUBSTATUS;
    return old && substatus == SUB_REPROVISIONED_TO_INITIAL ? SUB_INITIAL : substatus;
}

/* What the device is told; members that have no meaning in the present status are left out. */
static struct registration_state state_of(struct call *r, const struct db_poll_found *f)
{
    struct registration_state s = {
        .registration_id = f->registration_id,
        .created_us = f->created_us,
        .status = f->status,
        .updated_us = f->updated_us,
        .etag = id_registration_etag(r->arena, &f->operation, f->revision),
    };
    if (f->status == REG_ASSIGNED) {
        s.assigned_hub = f->assigned_hub;
        s.device_id = f->device_id;
        s.substatus = substatus_for(r, f->substatus);
        attest_tell(r->arena, &f->attestation, f->enrollment_group, &s);
    } else if (f->status == REG_FAILED) {
        s.error_code = f->error_code;
        s.error_message = f->error_message;
    } else if (f->status == REG_DISABLED) {
        s.error_code = (struct opt_i64){true, DISABLED_CODE};
        s.error_message = STR("The enrollment is disabled.");
    }
    return s;
}

static int64_t poll_again_after_s(const struct db_poll_found *f)
{
    int64_t seconds = (f->now_us - f->operation_us) / 1000000 / POLL_AGE_PER_RETRY;
    if (seconds < POLL_RETRY_AFTER_MIN_S)
        return POLL_RETRY_AFTER_MIN_S;
    return seconds < POLL_RETRY_AFTER_MAX_S ? seconds : POLL_RETRY_AFTER_MAX_S;
}

/* A device whose TPM is handed keys needs that for its hub, too. */
static err_t hand_hub_key(struct call *r, const struct challenge *c, struct registration_state *s)
{
    if (!c || s->status != REG_ASSIGNED)
        return NULL;
    s->tpm = ARENA_NEW(r->arena, struct tpm_handed);
    return challenge_hub_key(r, c, &s->tpm->authentication_key);
}

static err_t answer_poll(struct call *r, const struct db_poll_found *f, const struct challenge *c)
{
    struct db_device device = device_of(r);
    struct str asked = r->segments[SEGMENT_OPERATION];
    struct operation_owner owner = {device.id_scope, device.registration_key, f->created_us};
    TRY(rates_check(r, QUOTA_OF_POLLS, device.registration_key));
    if (!f->registered || !operation_pollable(r->arena, r->shared->operations, &owner, asked, r->now_us))
        return E(OPERATION_NOT_FOUND);
    struct registration_state state = state_of(r, f);
    TRY(hand_hub_key(r, c, &state));
    struct operation_status answer = {asked, state.status, &state};
    bool running = f->status == REG_ASSIGNING;
    if (running)
        call_retry_after(r, poll_again_after_s(f));
    return call_reply_codec(r, running ? 202 : 200, operation_status_codec, &answer);
}

static err_t answer_status(struct call *r, const struct db_poll_found *f, const struct challenge *c)
{
    struct device_registration body = {.csr = {NULL, 0}};
    TRY(device_body(r, &body));
    TRY(device_refuse_members(r, &body, &f->attestation));
    if (!f->registered)
        return E(REGISTRATION_NOT_FOUND);
    struct registration_state state = state_of(r, f);
    TRY(hand_hub_key(r, c, &state));
    return call_reply_codec(r, 200, registration_state_codec, &state);
}

/* What the stages of a look-up share. */
struct polls {
    struct call **calls;
    struct db_poll_found *found;
    struct challenge **challenges; /* NULL: its device is handed nothing */
    size_t count;
};

static err_t read_met(struct batch *b, struct polls *s, const struct db_device *devices)
{
    struct challenge **at = ARENA_NEW_ARRAY(b->arena, s->count, struct challenge *);
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if (challenge_concerns(s->calls[i], &s->found[i].attestation))
            at[n++] = s->challenges[i] = challenge_new(b->arena, s->calls[i], &devices[i], &s->found[i].attestation);
    return challenges_read(b->db, b->arena, at, n);
}

/* A registration whose hub is gone has none. */
static void take_poll(struct call *r, const struct admission *m, struct db_poll_found *f)
{
    f->attestation = *admission_stored(m);
    if (m->group)
        f->enrollment_group = m->group->id;
    if (f->status == REG_ASSIGNED && assigned_hub_is_gone(r, f->assigned_hub, f->updated_us))
        f->status = REG_UNASSIGNED;
}

/* Polls are signed with what the last register met. */
static void check_polls(struct batch *b, struct polls *s, const struct db_device *devices)
{
    struct admission *at = ARENA_NEW_ARRAY(b->arena, s->count, struct admission);
    struct admission **all = ARENA_NEW_ARRAY(b->arena, s->count, struct admission *);
    for (size_t i = 0; i < s->count; i++) {
        at[i] = (struct admission){.call = s->calls[i],
                                   .id_scope = devices[i].id_scope,
                                   .stored = s->found[i].attestation,
                                   .handed = s->challenges[i] ? &s->challenges[i]->met : NULL};
        all[i] = &at[i];
    }
    admission_check(b->arena, b->db, all, s->count);
    for (size_t i = 0; i < s->count; i++)
        if (!s->calls[i]->error)
            take_poll(s->calls[i], &at[i], &s->found[i]);
}

static void prepare_polls(struct batch *b)
{
    struct polls *s = ARENA_NEW(b->arena, struct polls);
    *s = (struct polls){.calls = ARENA_NEW_ARRAY(b->arena, b->count, struct call *),
                        .found = ARENA_NEW_ARRAY(b->arena, b->count, struct db_poll_found),
                        .challenges = ARENA_NEW_ARRAY(b->arena, b->count, struct challenge *)};
    struct db_device *devices = ARENA_NEW_ARRAY(b->arena, b->count, struct db_device);
    for (size_t i = 0; i < b->count; i++) {
        struct call *r = b->calls[i];
        r->error = id_registration_check(r->segments[SEGMENT_ID], "registrationId", &r->detail);
        if (!r->error) {
            s->calls[s->count] = r;
            devices[s->count++] = device_of(r);
        }
    }
    err_t e = s->count ? db_poll_lookup(b->db, b->arena, devices, s->count, s->found) : NULL;
    if (!e)
        e = read_met(b, s, devices);
    for (size_t i = 0; i < s->count; i++)
        s->calls[i]->error = e;
    if (!e && s->count)
        check_polls(b, s, devices);
    b->made = s;
}

static void answer_polls(struct batch *b,
                         err_t (*answer)(struct call *r, const struct db_poll_found *f, const struct challenge *c))
{
    const struct polls *s = b->made;
    for (size_t i = 0; i < s->count; i++)
        if (!s->calls[i]->error)
            s->calls[i]->error = answer(s->calls[i], &s->found[i], s->challenges[i]);
}

static void answer_operations(struct batch *b)
{
    answer_polls(b, answer_poll);
}

static void answer_statuses(struct batch *b)
{
    answer_polls(b, answer_status);
}

const struct batch_op op_operation_get = {prepare_polls, NULL, answer_operations};
const struct batch_op op_registration_status = {prepare_polls, NULL, answer_statuses};
