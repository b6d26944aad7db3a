/* register.c: a device registers (wire.md 4; decisions.md 13, 20 to 24). The operation takes whole batches: one look-up
 * for all, credentials checked by admission.c, one write and one commit for all. What happens to a device is decided in
 * `decide`; which hub it gets is the worker's business. It must never tell a device why it was refused, nor answer
 * before the row is durable. */
#include <stdlib.h>

#include "api/auth.h"
#include "api/op/admission.h"
#include "api/op/challenge.h"
#include "api/op/device.h"
#include "api/op/op.h"
#include "api/op/stale.h"
#include "api/rates.h"
#include "api/shared.h"
#include "core/killpoint.h"
#include "core/state.h"

enum { REGISTER_RETRY_AFTER_S = 3 };

static bool is_open(const struct call *r)
{
    return !r->error && !r->status;
}

/* One request of the batch. */
struct candidate {
    struct call *call;
    struct db_device device;
    struct device_registration body;
    struct admission admission;
};

/* One device, and its requests: neighbours in the sorted candidates, mostly a single one. */
struct group {
    struct candidate *first;
    size_t count;
    struct db_register_found found;
    struct challenge *challenge; /* NULL: its device is handed nothing */
    bool counted;                /* against what its instance may ask in a minute */
    bool settled;                /* refused, or there is an operation to tell */
    int64_t created_us;          /* of the registration whose operation is told; 0: none */
};

/* What the stages of a register share. */
struct registers {
    struct arena *arena;
    struct db *db;
    struct group *groups; /* in the order of their devices */
    size_t group_count;
    struct db_register_row *rows; /* what is to be written, and of which group each row is */
    struct group **written;
    size_t row_count;
};

static int compare_candidates(const void *a, const void *b)
{
    return db_device_compare(&((const struct candidate *)a)->device, &((const struct candidate *)b)->device);
}

static size_t read_candidates(struct call **calls, size_t count, struct candidate *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct call *r = calls[i];
        struct candidate c = {.call = r, .device = device_of(r)};
        r->error = id_registration_check(r->segments[SEGMENT_ID], "registrationId", &r->detail);
        if (!r->error)
            r->error = device_body(r, &c.body);
        if (!r->error && !presented_any(&r->presented))
            r->error = r->presented.tpm_sent ? E(UNAUTHORIZED)
                                             : call_refuse(r, E(UNAUTHORIZED), "the device sent no credential");
        if (!r->error)
            ret[n++] = c;
    }
    return n;
}

static struct registers *gather(struct batch *b)
{
    struct candidate *at = ARENA_NEW_ARRAY(b->arena, b->count, struct candidate);
    size_t n = read_candidates(b->calls, b->count, at);
    struct registers *s = ARENA_NEW(b->arena, struct registers);
    *s = (struct registers){.arena = b->arena, .db = b->db, .groups = ARENA_NEW_ARRAY(b->arena, n, struct group)};
    qsort(at, n, sizeof *at, compare_candidates);
    for (size_t i = 0; i < n; i++) {
        if (i && compare_candidates(&at[i - 1], &at[i]) == 0)
            s->groups[s->group_count - 1].count++;
        else
            s->groups[s->group_count++] = (struct group){.first = &at[i], .count = 1};
    }
    return s;
}

static void fail_group(struct group *g, err_t e)
{
    for (size_t i = 0; i < g->count; i++)
        if (is_open(g->first[i].call))
            g->first[i].call->error = e;
    g->settled = true;
}

static void settle_group(struct group *g, int64_t created_us)
{
    g->created_us = created_us;
    g->settled = true;
}

/* All requests of the groups that are to be checked. */
static void check_groups(struct registers *s, struct group *const *groups, size_t count)
{
    size_t most = 0, n = 0;
    for (size_t i = 0; i < count; i++)
        most += groups[i]->count;
    struct admission **all = ARENA_NEW_ARRAY(s->arena, most, struct admission *);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < groups[i]->count; j++) {
            struct candidate *c = &groups[i]->first[j];
            if (!is_open(c->call))
                continue;
            c->admission =
                (struct admission){.call = c->call,
                                   .id_scope = c->device.id_scope,
                                   .stored = groups[i]->found.attestation,
                                   .handed = groups[i]->challenge ? challenge_key(groups[i]->challenge) : NULL};
            all[n++] = &c->admission;
        }
    admission_check(s->arena, s->db, all, n);
}

/* The enrollment group whose key fitted, or whose CA vouches for it, is the enrollment that the device registers by. */
static void take_admission(struct db_register_found *f, const struct admission *m)
{
    const struct call *r = m->call;
    struct bytes evidence = attest_evidence(r->arena, admission_stored(m), &r->presented);
    bool same_group = !m->group || str_same_nocase(f->enrollment_group, m->group->id);
    f->same_credential = same_group && str_same(f->derived_from, m->derived_from) && crypt_same(f->evidence, evidence);
    f->derived_from = m->derived_from;
    f->evidence = evidence;
    if (!m->derived_from.p) {
        f->enrollment_group = (struct str){NULL, 0};
    } else if (m->group) {
        f->attestation = m->group->attestation;
        f->enrollment_version = m->group->enrollment_version;
        f->enrollment_inputs = m->group->enrollment_inputs;
        f->enabled = m->group->enabled;
        f->enrollment_group = m->group->id;
    }
}

/* What else a good credential asks for. */
static err_t check_members(struct candidate *c, const struct group *g)
{
    struct call *r = c->call;
    if (g->challenge && !r->presented.tpm_endorsement.p)
        return call_refuse(r, E(UNAUTHORIZED), "the device sent a token and no TPM");
    return device_refuse_members(r, &c->body, admission_stored(&c->admission));
}

/* The first request of the group whose credential is good; NULL when there is none. */
static struct call *lead_of(struct group *g)
{
    const struct candidate *lead = NULL;
    for (size_t i = 0; i < g->count; i++) {
        struct candidate *c = &g->first[i];
        struct call *r = c->call;
        if (is_open(r))
            r->error = check_members(c, g);
        if (is_open(r) && lead && g->challenge)
            r->error = call_refuse(r, E(UNAUTHORIZED), "another call of this moment met the challenge");
        if (is_open(r) && !lead)
            lead = c;
        if (g->challenge && r->error == E(CHALLENGE))
            g->challenge->wanted = true;
    }
    if (g->challenge)
        g->challenge->prover = lead ? lead->call : NULL;
    if (lead)
        take_admission(&g->found, &lead->admission);
    return lead ? lead->call : NULL;
}

static bool older_than(int64_t then_us, int64_t now_us, int64_t seconds)
{
    return now_us - then_us > seconds * 1000000;
}

/* Configuration re-opens an assignment, weather never does (decisions.md 21). The hub is asked again when nobody asked
 * it for long, or when the device is back so soon that its hub seems to refuse it (22). */
static bool still_holds(const struct call *r, const struct db_register_found *f)
{
    bool same_inputs = f->chosen_scope_inputs == r->instance->inputs_version &&
                       f->chosen_enrollment_inputs == f->enrollment_inputs &&
                       f->pushed_version == f->enrollment_version && f->same_credential && f->same_region;
    bool checked = f->checked_us && !older_than(f->checked_us, f->now_us, r->cfg->recheck_after_s);
    bool back_at_once = r->cfg->quick_return_s && !older_than(f->updated_us, f->now_us, r->cfg->quick_return_s);
    return f->status == REG_ASSIGNED && same_inputs && checked && !back_at_once;
}

static bool is_running(const struct db_register_found *f)
{
    return f->registered && f->status == REG_ASSIGNING;
}

/* The status that this register leads to. When the enrollment of an operation that runs was disabled meanwhile, the
 * worker that runs it will say so. */
static int decide(const struct call *r, const struct db_register_found *f)
{
    enum reg_event event = is_running(f)       ? REG_EV_REGISTER
                           : !f->enabled       ? REG_EV_REGISTER_BLOCKED
                           : still_holds(r, f) ? REG_EV_REGISTER_SAME
                                               : REG_EV_REGISTER;
    return regstate_move(f->registered ? f->status : REG_ABSENT, event);
}

/* The operation id comes later, for all rows at once. */
static struct db_register_row row_of(const struct group *g, struct call *lead, int status)
{
    const struct db_register_found *f = &g->found;
    return (struct db_register_row){
        .device = g->first->device,
        .registration_id = lead->segments[SEGMENT_ID],
        .enrollment_group = f->enrollment_group,
        .derived_from = f->derived_from,
        .scope_version = lead->instance->version,
        .enrollment_version = f->enrollment_version,
        .enabled = f->enabled,
        .old_operation = f->operation,
        .old_revision = f->revision,
        .status = status,
        .region = lead->cfg->region,
        .keep_inputs = f->same_region,
        .evidence = f->evidence,
    };
}

static bool has_room(const struct call *r, const struct db_register_found *f)
{
    int64_t most = r->instance->quotas.most[QUOTA_OF_REGISTRATIONS];
    return f->registered || !most || r->instance->registrations < most;
}

/* What a stranger asks costs the instance nothing, so this is asked behind the proof; all requests of a device count
 * as one. */
static bool is_too_much(struct group *g, struct call *lead)
{
    err_t e = has_room(lead, &g->found) ? NULL : rates_full(lead, QUOTA_OF_REGISTRATIONS);
    if (!e && !g->counted)
        e = rates_check(lead, QUOTA_OF_REGISTERS, (struct str){NULL, 0});
    g->counted = true;
    for (size_t i = 0; e && i < g->count; i++) {
        struct call *r = g->first[i].call;
        if (!is_open(r))
            continue;
        r->error = e;
        r->detail = lead->detail;
        r->retry_after_s = lead->retry_after_s;
    }
    return e;
}

/* Decides one group, whose requests were checked: it is settled here, or *ret_row is to be written (true). An operation
 * that goes on running is told again, unless it is about to tell a hub of another key or certificate. */
static bool consider(struct group *g, struct db_register_row *ret_row)
{
    struct call *lead = lead_of(g);
    if (!lead || is_too_much(g, lead)) {
        g->settled = true;
        return false;
    }
    int status = decide(lead, &g->found);
    if (is_running(&g->found) && status == REG_ASSIGNING && g->found.same_credential) {
        settle_group(g, g->found.created_us);
        return false;
    }
    if (status == REG_ABSENT) {
        fail_group(g, call_refuse(lead, E(INTERNAL), "the registration is in a state that no register leads out of"));
        return false;
    }
    *ret_row = row_of(g, lead, status);
    return true;
}

/* One whose nonce is spent already keeps it for this call. */
static err_t read_challenges(struct registers *s, struct group **open, size_t count)
{
    struct challenge **at = ARENA_NEW_ARRAY(s->arena, count, struct challenge *);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct group *g = open[i];
        bool keeps = g->challenge && g->challenge->spent;
        if (!keeps && challenge_concerns(g->first->call, &g->found.attestation))
            at[n++] = g->challenge = challenge_new(s->arena, g->first->call, &g->first->device, &g->found.attestation);
    }
    return challenges_read(s->db, s->arena, at, n);
}

static err_t look_up(struct registers *s, struct group **open, size_t count)
{
    struct db_device *devices = ARENA_NEW_ARRAY(s->arena, count, struct db_device);
    struct db_register_found *found = ARENA_NEW_ARRAY(s->arena, count, struct db_register_found);
    for (size_t i = 0; i < count; i++)
        devices[i] = open[i]->first->device;
    TRY(db_register_lookup(s->db, s->arena, open[0]->first->call->cfg->region, devices, count, found));
    for (size_t i = 0; i < count; i++)
        open[i]->found = found[i];
    return read_challenges(s, open, count);
}

static size_t find_open(const struct registers *s, struct group **ret)
{
    size_t count = 0;
    for (size_t i = 0; i < s->group_count; i++)
        if (!s->groups[i].settled)
            ret[count++] = &s->groups[i];
    return count;
}

static bool has_open(const struct registers *s)
{
    for (size_t i = 0; i < s->group_count; i++)
        if (!s->groups[i].settled)
            return true;
    return false;
}

/* Looks up, checks and decides all groups that are not settled: they are, or their rows are to be written. */
static void decide_open(struct registers *s)
{
    struct group **open = ARENA_NEW_ARRAY(s->arena, s->group_count, struct group *);
    size_t count = find_open(s, open);
    s->rows = ARENA_NEW_ARRAY(s->arena, count, struct db_register_row);
    s->written = open;
    s->row_count = 0;
    err_t e = count ? look_up(s, open, count) : NULL;
    if (!e && count)
        check_groups(s, open, count);
    for (size_t i = 0; i < count; i++) {
        if (e)
            fail_group(open[i], e);
        else if (consider(open[i], &s->rows[s->row_count]))
            s->written[s->row_count++] = open[i];
    }
    struct uuid *operations = ARENA_NEW_ARRAY(s->arena, s->row_count, struct uuid);
    crypt_uuid4s(operations, s->row_count);
    for (size_t i = 0; i < s->row_count; i++)
        s->rows[i].operation = operations[i];
}

/* Nothing is written by a nonce that was met before, or of which that is not known. */
static void settle_challenge(struct group *g, err_t e)
{
    struct challenge *c = g->challenge;
    if (c->wanted && e)
        c->error = e;
    if (c->prover && !c->spent)
        fail_group(g, e ? e : call_refuse(c->prover, E(UNAUTHORIZED), "the challenge was met before, or is over"));
}

static void drop_settled_rows(struct registers *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->row_count; i++) {
        if (s->written[i]->settled)
            continue;
        s->rows[n] = s->rows[i];
        s->written[n++] = s->written[i];
    }
    s->row_count = n;
}

static void write_challenges(struct registers *s)
{
    struct challenge **at = ARENA_NEW_ARRAY(s->arena, s->group_count, struct challenge *);
    size_t n = 0;
    for (size_t i = 0; i < s->group_count; i++)
        if (s->groups[i].challenge)
            at[n++] = s->groups[i].challenge;
    err_t e = challenges_write(s->db, s->arena, at, n);
    for (size_t i = 0; i < s->group_count; i++)
        if (s->groups[i].challenge)
            settle_challenge(&s->groups[i], e);
    drop_settled_rows(s);
}

/* Groups whose rows lost against a change stay open. */
static void write_rows(struct registers *s)
{
    write_challenges(s);
    if (!s->row_count)
        return;
    KILL_POINT("register_before_commit");
    err_t e = db_register_write(s->db, s->arena, s->rows, s->row_count);
    KILL_POINT("register_after_commit");
    for (size_t i = 0; i < s->row_count; i++) {
        if (e)
            fail_group(s->written[i], e);
        else if (s->rows[i].created_us)
            settle_group(s->written[i], s->rows[i].created_us);
    }
}

static err_t read_instance_again(struct call *r, struct db_device *device)
{
    auth_release(r);
    TRY(auth_check(r));
    device->id_scope = device_of(r).id_scope;
    return NULL;
}

/* What the gate remembers of the scopes that lost may be old. Groups are sorted, so each scope is forgotten once. */
static void refresh(struct registers *s)
{
    struct str forgotten = {NULL, 0};
    for (size_t i = 0; i < s->group_count; i++) {
        struct group *g = &s->groups[i];
        if (g->settled)
            continue;
        struct str scope = arena_str(s->arena, g->first->device.id_scope);
        struct call *any = g->first->call;
        if (!str_same(scope, forgotten))
            gate_forget_instance(any->shared->gate, scope, arena_lower(s->arena, any->instance->name));
        forgotten = scope;
        for (size_t j = 0; j < g->count; j++) {
            g->first[j].device.id_scope = scope;
            if (is_open(g->first[j].call))
                g->first[j].call->error = read_instance_again(g->first[j].call, &g->first[j].device);
        }
    }
}

static void prepare_register(struct batch *b)
{
    struct registers *s = gather(b);
    decide_open(s);
    b->made = s;
}

static void write_register(struct batch *b)
{
    struct registers *s = b->made;
    write_rows(s);
    for (int tries = 1; tries < STALE_TRIES && has_open(s); tries++) {
        refresh(s);
        decide_open(s);
        write_rows(s);
    }
    for (size_t i = 0; i < s->group_count; i++)
        if (!s->groups[i].settled)
            fail_group(&s->groups[i], E(STALE));
}

static void answer_register(struct call *r, int64_t created_us)
{
    struct db_device device = device_of(r);
    struct operation_owner owner = {device.id_scope, device.registration_key, created_us};
    struct operation_status answer = {.operation_id = operation_id(r->arena, r->shared->operations, &owner, r->now_us),
                                      .status = REG_ASSIGNING};
    call_header(r, "Location",
                arena_printf(r->arena, "https://%.*s/%.*s/registrations/%.*s/register", STR_ARG(r->host_port),
                             STR_ARG(r->raw_segments[SEGMENT_SCOPE]), STR_ARG(r->raw_segments[SEGMENT_ID])));
    call_retry_after(r, REGISTER_RETRY_AFTER_S);
    r->error = call_reply_codec(r, 202, operation_status_codec, &answer);
}

static void answer_candidate(const struct group *g, struct call *r)
{
    if (g->created_us && is_open(r))
        answer_register(r, g->created_us);
    else if (g->challenge && r->error == E(CHALLENGE))
        r->error = challenge_reply(r, g->challenge);
}

static void answer_registers(struct batch *b)
{
    const struct registers *s = b->made;
    for (size_t i = 0; i < s->group_count; i++) {
        const struct group *g = &s->groups[i];
        for (size_t j = 0; j < g->count; j++)
            answer_candidate(g, g->first[j].call);
    }
}

const struct batch_op op_register = {prepare_register, write_register, answer_registers};
