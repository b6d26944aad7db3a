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

static struct db_assign_times times_of(const struct job_context *c)
{
    return (struct db_assign_times){.renew_after_ms = KEEP_inputs_MS / 2, .remove_after_ms = c->worker->cfg->lease_ms};
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
        e.migrate = item->carried.twin.p != NULL;
        e.left = left_behind(item);
        e.adopted = item->adopted;
        break;
    case ASSIGN_STAYS:
        e.status = regstate_move(REG_ASSIGNING, REG_EV_HUB_MADE);
        e.made = (struct db_identity){f->assigned_hub, f->device_id};
        e.input = NULL;
        e.again = true;
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
     * it off. One that stood there before stays. */
    if (item->called && !item->adopted && !stands_on(f->assigned_hub, f->device_id, item->link->host, item->device_id))
        e.orphan = target_of(item);
    if (item->identity_taken)
        return e;
    if (item->step == ASSIGN_FAIL || item->step == ASSIGN_DISABLE || item->step == ASSIGN_STAYS)
        e.left = item->called ? e.orphan : earlier_target(item, STR(""), STR(""));
    return e;
}

static struct db_assign_wait wait_of(const struct assign_item *item)
{
    return (struct db_assign_wait){item->job,       item->delay_ms, item->counts, item->sentence,
                                   item->waits_for, item->input,    item->missing};
}

/* What is known and not written yet. Returns whether there is anything. */
static bool gather(struct assign_batch *b)
{
    struct db_assign_part *rows = b->rows;
    rows->end_count = rows->wait_count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct assign_item *item = &b->items[i];
        if (item->written || assign_is_open(item))
            continue;
        if (item->step == ASSIGN_WAIT)
            rows->waits[rows->wait_count++] = wait_of(item);
        else
            rows->ends[rows->end_count++] = end_of(item);
    }
    return rows->end_count + rows->wait_count > 0;
}

static void count_written(struct assign_batch *b)
{
    struct job_counts *counts = &b->part->counts;
    for (size_t i = 0; i < b->rows->end_count; i++) {
        const struct db_assign_end *e = &b->rows->ends[i];
        counts->done += e->written && e->status == REG_ASSIGNED;
        counts->failed += e->written && e->status != REG_ASSIGNED;
        counts->dropped += !e->written;
    }
    counts->retried += (int64_t)b->rows->wait_count;
    b->waits = b->rows->wait_count > 0;
}

static err_t write_batches(struct db *db, struct assign_batch *at, size_t count)
{
    struct job_context *c = at->c;
    const struct db_assign_times times = times_of(c);
    TRY(db_assign_write(db, c->arena, &times, at->rows, count));
    for (size_t i = 0; i < count; i++)
        count_written(&at[i]);
    return NULL;
}

/* Behind the commit of waits. A hub that came back since it was looked at woke those that waited by then, and cannot
 * have seen these; what this look misses, too, comes by its back-off. */
static void wake_returned(struct assign_batch *b)
{
    struct str *hosts = ARENA_NEW_ARRAY(b->c->arena, b->rows->scope.link_count, struct str);
    size_t count = 0;
    for (size_t i = 0; i < b->rows->scope.link_count; i++)
        if (!link_state_is_usable(b->rows->scope.links[i].state))
            hosts[count++] = b->rows->scope.links[i].host;
    if (b->waits && count > 0)
        (void)db_link_wake_assign(b->c->db, b->c->arena, b->id_scope, hosts, count);
    b->waits = false;
}

static void mark_written(struct assign_batch *b)
{
    for (size_t i = 0; i < b->rows->count; i++)
        b->items[i].written = b->items[i].written || !assign_is_open(&b->items[i]);
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

static void gather_choices(struct assign_batch *b)
{
    struct db_assign_part *rows = b->rows;
    rows->choice_count = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (assign_is_open(&b->items[i]))
            rows->choices[rows->choice_count++] = choice_of(&b->items[i]);
}

/* One that is not written changed since it was looked at, or its identity is just being taken off the hub: it comes
 * again in a moment. */
static void take_choices(struct assign_batch *b)
{
    const struct db_assign_choice *choice = b->rows->choices;
    for (size_t i = 0; i < b->rows->count; i++) {
        struct assign_item *item = &b->items[i];
        if (!assign_is_open(item) || choice++->written)
            continue;
        item->unchanged = false;
        item->source = NULL;
        assign_postpone(item, (struct str){NULL, 0}, PAUSE_removal_stands_MS, false);
    }
}

static int by_key(const void *a, const void *b)
{
    return str_compare(((const struct db_job *)a)->subject, ((const struct db_job *)b)->subject);
}

static void make_room(struct assign_batch *b)
{
    struct arena *a = b->c->arena;
    struct db_assign_part *rows = b->rows;
    b->items = ARENA_NEW_ARRAY(a, rows->count, struct assign_item);
    rows->inputs = ARENA_NEW_ARRAY(a, rows->count, struct db_assign_input);
    rows->choices = ARENA_NEW_ARRAY(a, rows->count, struct db_assign_choice);
    rows->waits = ARENA_NEW_ARRAY(a, rows->count, struct db_assign_wait);
    rows->ends = ARENA_NEW_ARRAY(a, rows->count, struct db_assign_end);
    rows->input_count = 0;
}

static err_t decide_all(struct assign_batch *b)
{
    struct db_assign_part *rows = b->rows;
    make_room(b);
    for (size_t i = 0; i < rows->count; i++) {
        b->items[i].job = rows->jobs[i];
        b->items[i].found = &rows->found[i];
        TRY(assign_decide(b, &b->items[i]));
    }
    gather_choices(b);
    return NULL;
}

static err_t claim_all(struct db *db, struct assign_turn *t)
{
    struct job_context *c = t->c;
    const struct db_job_claim claim = {job_kind_name(c->kind), c->claim, c->worker->cfg->lease_ms};
    t->claimed_ms = clock_ms();
    TRY(db_assign_claim(db, c->arena, &claim, t->rows, t->count));
    for (size_t i = 0; i < t->count; i++) {
        struct db_assign_part *rows = &t->rows[i];
        t->at[i].part->counts = (struct job_counts){.claimed = (int64_t)rows->count};
        qsort(rows->jobs, rows->count, sizeof *rows->jobs, by_key);
    }
    return NULL;
}

/* May run more than once, when the transaction loses against another one. */
static err_t choose_in_tx(struct db *db, void *context)
{
    struct assign_turn *t = context;
    struct arena *a = t->c->arena;
    const struct db_assign_times times = times_of(t->c);
    TRY(claim_all(db, t));
    TRY(db_assign_look(db, a, t->rows, t->count));
    for (size_t i = 0; i < t->count; i++)
        TRY(decide_all(&t->at[i]));
    TRY(db_assign_choose(db, a, &times, t->rows, t->count));
    for (size_t i = 0; i < t->count; i++) {
        take_choices(&t->at[i]);
        (void)gather(&t->at[i]);
    }
    return write_batches(db, t->at, t->count);
}

/* --- the job ------------------------------------------------------------------------------------------------------ */

/* A failed write is no loss: the lease ends, and the stored choice is carried out again. */
static void write_alone(struct assign_batch *b)
{
    err_t e = write_batches(b->c->db, b, 1);
    if (e)
        log_event(LOG_WARN, "assignUnwritten", L_TEXT("idScope", b->id_scope), L_CSTR("error", e->name),
                  L_CSTR("message", db_message(b->c->db)));
}

static bool has_open(const struct assign_batch *b)
{
    for (size_t i = 0; i < b->rows->count; i++)
        if (assign_is_open(&b->items[i]))
            return true;
    return false;
}

/* Behind a commit. */
static void settle(struct assign_batch *b)
{
    mark_written(b);
    wake_returned(b);
}

/* For the crash tests: whose choices are stored. */
static void stand_chosen(const struct assign_turn *t)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->rows[i].choice_count; k++)
            if (t->rows[i].choices[k].written)
                KILL_STANDS(t->at[i].id_scope, t->rows[i].choices[k].registration_key);
}

/* For the crash tests: whose ends are to be written, or were. */
static void stand_ended(const struct assign_turn *t)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->rows[i].end_count; k++)
            KILL_STANDS(t->at[i].id_scope, t->rows[i].ends[k].job.subject);
}

/* What fails together is tried with each scope alone, so that none spoils the ends of another. */
static void write_ended(struct assign_turn *t)
{
    bool any = false;
    for (size_t i = 0; i < t->count; i++)
        any |= gather(&t->at[i]);
    if (any) {
        stand_ended(t);
        KILL_POINT("assign_hub_done");
        err_t e = write_batches(t->c->db, t->at, t->count);
        for (size_t i = 0; e && i < t->count; i++)
            write_alone(&t->at[i]);
    }
    for (size_t i = 0; i < t->count; i++) {
        struct assign_batch *b = &t->at[i];
        settle(b);
        if (!b->part->over && !has_open(b))
            job_part_over(b->c, b->part);
    }
    if (any) {
        stand_ended(t);
        KILL_POINT("assign_finished");
    }
}

static struct assign_turn turn_of(struct job_context *c)
{
    struct assign_turn t = {.c = c,
                            .at = ARENA_NEW_ARRAY(c->arena, c->part_count, struct assign_batch),
                            .rows = ARENA_NEW_ARRAY(c->arena, c->part_count, struct db_assign_part),
                            .count = c->part_count};
    for (size_t i = 0; i < t.count; i++) {
        struct job_part *part = &c->parts[i];
        t.rows[i].id_scope = part->of.id_scope;
        t.at[i] = (struct assign_batch){.c = c, .part = part, .id_scope = part->of.id_scope, .rows = &t.rows[i]};
    }
    return t;
}

err_t job_assign(struct job_context *c)
{
    struct assign_turn t = turn_of(c);
    TRY(db_tx(c->db, choose_in_tx, &t));
    for (size_t i = 0; i < t.count; i++)
        settle(&t.at[i]);
    stand_chosen(&t);
    KILL_POINT("assign_chosen");
    assign_push(&t, write_ended);
    return NULL;
}
