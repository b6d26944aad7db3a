/* challenge.c: nonces (wire.md 4.6): made here, kept in the database so that any api finishes what another began, told
 * as often as it is asked for while they live, and good for one register. It must never take an open nonce from a
 * device because somebody else asks for one: an endorsement key is no secret. */
#include "api/op/challenge.h"

#include "api/shared.h"
#include "core/json.h"

enum {
    LIVES_MS = 600000,   /* an open nonce */
    LASTS_MS = 300000,   /* so long who is told it may take: a TPM is slow, and so may be its network */
    POLLED_MS = 3600000, /* one that was met is good for polls */
};

static const struct keypair NOTHING = {{NULL, 0}, {NULL, 0}};

bool challenge_concerns(const struct call *r, const struct attest_stored *stored)
{
    return r->work.class == LANE_DEVICE_DEAR && attest_is_handed(stored);
}

struct challenge *challenge_new(struct arena *a, struct call *r, const struct db_device *device,
                                const struct attest_stored *stored)
{
    struct challenge *c = ARENA_NEW(a, struct challenge);
    *c = (struct challenge){.call = r, .device = *device, .row = {r->shared->ring, *stored}};
    return c;
}

const struct keypair *challenge_key(const struct challenge *c)
{
    return c->spent ? &c->proof : &c->open;
}

/* --- found -------------------------------------------------------------------------------------------------------- */

static err_t open_nonce(struct arena *a, const struct challenge *c, struct bytes sealed, struct bytes *ret)
{
    const struct attest_nonce nonce = {c->found.device, sealed};
    return sealed.p ? attest_nonce_open(a, &c->row, &nonce, &c->call->log_detail, ret) : NULL;
}

static err_t open_both(struct arena *a, struct challenge *c)
{
    TRY(open_nonce(a, c, c->found.open_sealed, &c->open.primary));
    return open_nonce(a, c, c->found.met_sealed, &c->met.primary);
}

err_t challenges_read(struct db *db, struct arena *a, struct challenge **at, size_t count)
{
    struct db_device *devices = ARENA_NEW_ARRAY(a, count, struct db_device);
    struct db_challenge_found *found = ARENA_NEW_ARRAY(a, count, struct db_challenge_found);
    for (size_t i = 0; i < count; i++)
        devices[i] = at[i]->device;
    if (count)
        TRY(db_challenge_look(db, a, devices, count, LASTS_MS, found));
    for (size_t i = 0; i < count; i++) {
        at[i]->found = found[i];
        at[i]->error = open_both(a, at[i]);
    }
    return NULL;
}

/* --- opened ------------------------------------------------------------------------------------------------------- */

static bool is_to_open(const struct challenge *c)
{
    return c->wanted && !c->error && !(c->open.primary.p && c->found.lasts);
}

static size_t those_to_open(struct challenge **at, size_t count, struct challenge **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (is_to_open(at[i]))
            ret[n++] = at[i];
    return n;
}

/* Those that another call opened at the same time are read; that finds the one. */
static err_t open_wanted(struct db *db, struct arena *a, struct challenge **at, size_t count)
{
    struct db_challenge_fresh *fresh = ARENA_NEW_ARRAY(a, count, struct db_challenge_fresh);
    for (size_t i = 0; i < count; i++) {
        const struct challenge *c = at[i];
        fresh[i] = (struct db_challenge_fresh){.device = c->device, .scope_version = c->call->instance->version};
        TRY(attest_nonce_new(a, &c->row, &c->call->log_detail, &fresh[i].nonce));
    }
    if (!count)
        return NULL;
    TRY(db_challenge_open(db, a, fresh, count, LIVES_MS, LASTS_MS));
    TRY(challenges_read(db, a, at, count));
    for (size_t i = 0; i < count; i++)
        if (is_to_open(at[i]))
            at[i]->error = E(STALE);
    return NULL;
}

/* --- met ---------------------------------------------------------------------------------------------------------- */

static size_t those_to_meet(struct challenge **at, size_t count, struct challenge **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (at[i]->prover && !at[i]->spent)
            ret[n++] = at[i];
    return n;
}

static void take_met(struct challenge *c)
{
    c->spent = true;
    c->proof = c->open;
    c->open = NOTHING;
    c->found.open_sealed = (struct bytes){NULL, 0};
}

static err_t meet_proven(struct db *db, struct arena *a, struct challenge **at, size_t count)
{
    struct db_challenge_proof *proofs = ARENA_NEW_ARRAY(a, count, struct db_challenge_proof);
    for (size_t i = 0; i < count; i++)
        proofs[i] = (struct db_challenge_proof){
            .device = at[i]->device, .sealed = at[i]->found.open_sealed, .root = at[i]->prover->presented.tpm_root};
    if (count)
        TRY(db_challenge_meet(db, a, proofs, count, POLLED_MS));
    for (size_t i = 0; i < count; i++)
        if (proofs[i].met)
            take_met(at[i]);
    return NULL;
}

err_t challenges_write(struct db *db, struct arena *a, struct challenge **at, size_t count)
{
    struct challenge **some = ARENA_NEW_ARRAY(a, count, struct challenge *);
    TRY(meet_proven(db, a, some, those_to_meet(at, count, some)));
    return open_wanted(db, a, some, those_to_open(at, count, some));
}

/* --- told --------------------------------------------------------------------------------------------------------- */

err_t challenge_reply(struct call *r, const struct challenge *c)
{
    struct str blob;
    struct text out;
    TRY(c->error);
    TRY(attest_hand(r->arena, &c->row, r->presented.tpm_root, c->open.primary, &r->log_detail, &blob));
    text_init(&out, r->arena, blob.n + 320);
    text_add_char(&out, '{');
    json_member_i64(&out, "errorCode", E(CHALLENGE)->code);
    json_member_text(&out, "trackingId", r->tracking_id);
    json_member_text(&out, "message", str_of(E(CHALLENGE)->sentence));
    json_member_time(&out, "timestampUtc", r->now_us);
    json_member_text(&out, "authenticationKey", blob);
    json_member_text(&out, "keyName", STR("registration"));
    text_add_char(&out, '}');
    (void)call_refuse(r, E(UNAUTHORIZED), "no refusal: the device's TPM was given a challenge");
    return call_reply(r, 401, text_str(&out));
}

err_t challenge_hub_key(struct call *r, const struct challenge *c, struct str *ret)
{
    return attest_hand(r->arena, &c->row, c->found.met_root, (struct bytes){NULL, 0}, &r->log_detail, ret);
}
