/* assign.c: from `assigning` to a hub. Claim, look, choose and store the choice in one transaction; call the hubs with
 * no transaction open; then finish what is still ours. It must never make an identity on a hub that the registration's
 * row does not name as its target. */
#include "workers/job/assign.h"

#include <stdlib.h>

#include "core/killpoint.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/state.h"

/* --- what goes to the database ------------------------------------------------------------------------------------ */

/* Removals of targets wait until no worker that believes in the target has its lease. */
static int64_t remove_after_ms(const struct assign_batch *b)
{
    return b->c->worker->cfg->lease_ms;
}

static const struct db_identity NOBODY = {.hub = {NULL, 0}};

static bool stands_on(struct str hub, struct str device_id, struct str host, struct str id)
{
    return hub.p && str_same_nocase(hub, host) && str_same(device_id, id);
}

/* The removal of the stored target, when it is neither the identity that the device has nor the one that it is to get.
 */
static struct db_identity earlier_target(const struct assign_item *item, struct str host, struct str device_id)
{
    const struct db_assign_found *f = item->found;
    if (!f->target_hub.p || stands_on(f->target_hub, f->target_device_id, host, device_id) ||
        stands_on(f->assigned_hub, f->device_id, f->target_hub, f->target_device_id))
        return NOBODY;
    return (struct db_identity){f->target_hub, f->target_device_id};
}

static struct db_identity target_of(const struct assign_item *item)
{
    return (struct db_identity){item->link->host_name, item->device_id};
}

/* A device that moved to another hub leaves its identity on the old one behind; one that only changed its device id
 * does not. */
static struct db_identity left_behind(const struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    if (!f->assigned_hub.p || str_same_nocase(f->assigned_hub, item->link->host))
        return NOBODY;
    return (struct db_identity){f->assigned_hub, f->device_id};
}

static struct db_assign_end end_of(const struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    struct db_assign_end e = {
        .job = item->job, .operation = f->operation, .revision = f->revision, .input = item->input};
    switch (item->step) {
    case ASSIGN_MADE:
    case ASSIGN_TOLD:
        e.status = regstate_move(REG_ASSIGNING, REG_EV_HUB_MADE);
        e.made = target_of(item);
        e.pushed_version = item->step == ASSIGN_MADE ? f->enrollment_version : 0;
        e.migrate = f->enrollment.reprovision_policy.migrate_device_data == TRI_TRUE;
        e.left = left_behind(item);
        break;
    case ASSIGN_FAIL:
        e.status = regstate_move(REG_ASSIGNING, REG_EV_NO_HUB);
        e.error_code = item->error_code;
        e.error_message = item->sentence;
        break;
    case ASSIGN_DISABLE:
        e.status = regstate_move(REG_ASSIGNING, REG_EV_REGISTER_BLOCKED);
        break;
    default:
        break;
    }
    /* The identity may be there since the call: if the registration went or changed meanwhile, nobody else would take
     * it off. */
    if (item->called && !stands_on(f->assigned_hub, f->device_id, item->link->host, item->device_id))
        e.orphan = target_of(item);
    if (item->step == ASSIGN_FAIL || item->step == ASSIGN_DISABLE)
        e.left = item->called ? e.orphan : earlier_target(item, STR(""), STR(""));
    return e;
}

static bool is_end(enum assign_step step)
{
    return step != ASSIGN_WAIT && step != ASSIGN_PUSH;
}

static void count_ends(struct assign_batch *b, const struct db_assign_end *ends, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        b->part->counts.done += ends[i].written && ends[i].status == REG_ASSIGNED;
        b->part->counts.failed += ends[i].written && ends[i].status != REG_ASSIGNED;
        b->part->counts.dropped += !ends[i].written;
    }
}

static err_t write_ends(struct assign_batch *b)
{
    struct arena *a = b->c->arena;
    struct db_assign_end *ends = ARENA_NEW_ARRAY(a, b->count, struct db_assign_end);
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++)
        if (!b->items[i].written && is_end(b->items[i].step))
            ends[count++] = end_of(&b->items[i]);
    TRY(db_assign_finish(b->c->db, a, b->id_scope, remove_after_ms(b), ends, count));
    count_ends(b, ends, count);
    return NULL;
}

static err_t write_waits(struct assign_batch *b)
{
    struct arena *a = b->c->arena;
    struct db_assign_wait *waits = ARENA_NEW_ARRAY(a, b->count, struct db_assign_wait);
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct assign_item *item = &b->items[i];
        if (!item->written && item->step == ASSIGN_WAIT)
            waits[count++] = (struct db_assign_wait){item->job,      item->delay_ms,  item->counts,
                                                     item->sentence, item->waits_for, item->input};
    }
    TRY(db_assign_wait(b->c->db, a, b->id_scope, waits, count));
    b->part->counts.retried += (int64_t)count;
    b->waits = count > 0;
    return NULL;
}

/* Behind the commit of waits. A hub that came back since it was looked at woke those that waited by then, and cannot
 * have seen these; what this look misses, too, comes by its back-off. */
static void wake_returned(struct assign_batch *b)
{
    struct str *hosts = ARENA_NEW_ARRAY(b->c->arena, b->scope.link_count, struct str);
    size_t count = 0;
    for (size_t i = 0; i < b->scope.link_count; i++)
        if (!link_state_is_usable(b->scope.links[i].state))
            hosts[count++] = b->scope.links[i].host;
    if (b->waits && count > 0)
        (void)db_link_wake_assign(b->c->db, b->c->arena, b->id_scope, hosts, count);
    b->waits = false;
}

static bool has_unwritten(const struct assign_batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (!b->items[i].written && b->items[i].step != ASSIGN_PUSH)
            return true;
    return false;
}

static void mark_written(struct assign_batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        b->items[i].written = b->items[i].written || b->items[i].step != ASSIGN_PUSH;
}

/* --- the transaction of the choice -------------------------------------------------------------------------------- */

static struct db_assign_choice choice_of(const struct assign_item *item)
{
    return (struct db_assign_choice){
        .registration_key = item->job.subject,
        .operation = item->found->operation,
        .revision = item->found->revision,
        .target = target_of(item),
        .input = item->input,
        .scope_inputs = item->scope_inputs,
        .enrollment_inputs = item->enrollment_inputs,
        .earlier = earlier_target(item, item->link->host, item->device_id),
    };
}

/* Stores where the items in step PUSH go. One that is not written changed since it was looked at, or its identity is
 * just being taken off the hub: it comes again in a moment. */
static err_t write_choices(struct assign_batch *b)
{
    struct arena *a = b->c->arena;
    struct db_assign_choice *choices = ARENA_NEW_ARRAY(a, b->count, struct db_assign_choice);
    struct assign_item **of = ARENA_NEW_ARRAY(a, b->count, struct assign_item *);
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->items[i].step != ASSIGN_PUSH)
            continue;
        of[count] = &b->items[i];
        choices[count++] = choice_of(&b->items[i]);
    }
    TRY(db_assign_inputs(b->c->db, a, b->id_scope, KEEP_inputs_MS / 2, b->inputs, b->input_count));
    TRY(db_assign_choose(b->c->db, a, b->id_scope, remove_after_ms(b), choices, count));
    for (size_t i = 0; i < count; i++) {
        if (choices[i].written)
            continue;
        of[i]->unchanged = false;
        assign_postpone(of[i], (struct str){NULL, 0}, PAUSE_removal_stands_MS, false);
    }
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    return str_compare(((const struct db_job *)a)->subject, ((const struct db_job *)b)->subject);
}

static err_t decide_all(struct assign_batch *b)
{
    b->items = ARENA_NEW_ARRAY(b->c->arena, b->count, struct assign_item);
    b->inputs = ARENA_NEW_ARRAY(b->c->arena, b->count, struct db_assign_input);
    b->input_count = 0;
    for (size_t i = 0; i < b->count; i++) {
        b->items[i].job = b->jobs[i];
        b->items[i].found = &b->found[i];
        TRY(assign_decide(b, &b->items[i]));
    }
    return NULL;
}

/* May run more than once, when the transaction loses against another one. */
static err_t choose_in_tx(struct db *db, void *context)
{
    struct assign_batch *b = context;
    struct job_context *c = b->c;
    const struct db_job_claim claim = {job_kind_name(JOB_assign), job_claim_limit(JOB_assign),
                                       c->worker->cfg->lease_ms};
    b->part->counts = (struct job_counts){0};
    b->claimed_ms = clock_ms();
    TRY(db_assign_claim(db, c->arena, b->id_scope, &claim, &b->jobs, &b->count, &b->scope));
    b->part->counts.claimed = (int64_t)b->count;
    if (b->count == 0)
        return NULL;
    qsort(b->jobs, b->count, sizeof *b->jobs, by_key);
    b->found = ARENA_NEW_ARRAY(c->arena, b->count, struct db_assign_found);
    TRY(db_assign_look(db, c->arena, b->id_scope, b->jobs, b->count, b->found));
    TRY(decide_all(b));
    TRY(write_choices(b));
    TRY(write_waits(b));
    return write_ends(b);
}

/* --- the job ------------------------------------------------------------------------------------------------------ */

/* A failed write is no loss: the lease ends, and the stored choice is carried out again. */
static void write_ended(struct assign_batch *b)
{
    if (!has_unwritten(b))
        return;
    KILL_POINT("assign_hub_done");
    err_t e = write_ends(b);
    if (!e)
        e = write_waits(b);
    if (e)
        log_event(LOG_WARN, "assignUnwritten", L_TEXT("idScope", b->id_scope), L_CSTR("error", e->name),
                  L_CSTR("message", db_message(b->c->db)));
    mark_written(b);
    wake_returned(b);
    KILL_POINT("assign_finished");
}

err_t job_assign(struct job_context *c)
{
    struct assign_batch b = {.c = c, .part = c->parts, .id_scope = c->parts->of.id_scope};
    TRY(db_tx(c->db, choose_in_tx, &b));
    if (b.count == 0)
        return NULL;
    mark_written(&b);
    wake_returned(&b);
    KILL_POINT("assign_chosen");
    assign_push(&b, write_ended);
    return NULL;
}
