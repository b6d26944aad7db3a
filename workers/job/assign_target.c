/* assign_target.c: which hub a registration is to get, or why none now. A stored target is kept, a kept assignment is
 * kept, a device that never had a hub stays where it was found, else alloc_choose decides. It must never call a hub or
 * write a row. */
#include <string.h>

#include "core/alloc.h"
#include "workers/job/assign.h"

enum { CODE_NO_HUB = 400208, CODE_REFUSED = 400209, CODE_NO_GROUP = 404201, CODE_TAKEN = 409001 };

static const struct db_link *link_of(const struct assign_batch *b, struct str host)
{
    for (size_t i = 0; host.p && i < b->rows->scope.link_count; i++)
        if (str_same_nocase(b->rows->scope.links[i].host, host))
            return &b->rows->scope.links[i];
    return NULL;
}

static struct str wanted_device_id(const struct db_assign_found *f)
{
    return f->wanted_device_id.p ? f->wanted_device_id : f->registration_id;
}

void assign_postpone(struct assign_item *item, struct str sentence, int64_t delay_ms, bool counts)
{
    item->step = item->unchanged ? ASSIGN_TOLD : item->source ? ASSIGN_STAYS : ASSIGN_WAIT;
    item->sentence = sentence;
    item->delay_ms = delay_ms;
    item->counts = counts;
}

static int64_t backoff(const struct assign_item *item)
{
    return job_backoff_ms(JOB_assign, item->job.attempt);
}

/* Whether the link may be called now; what is known to be down is not asked again and again. */
static void wait_for(struct assign_batch *b, struct assign_item *item, const struct db_link *link)
{
    struct arena *a = b->c->arena;
    int64_t held_ms = (link->slow_until_us - b->rows->scope.now_us) / 1000;
    item->waits_for = (struct str_list){ARENA_NEW_ARRAY(a, 1, struct str), 1, true};
    item->waits_for.at[0] = link->host;
    if (link->state == LINK_UNREACHABLE)
        assign_postpone(item, arena_printf(a, "Waiting for %s, which does not answer.", link->host_name.p),
                        backoff(item), true);
    else if (link->state == LINK_INVALID || !link->primary_sealed.p)
        assign_postpone(item, arena_printf(a, "Waiting for %s, which refuses this service.", link->host_name.p),
                        backoff(item), true);
    else if (held_ms > 0)
        assign_postpone(item, arena_printf(a, "Waiting for %s, which asked to slow down.", link->host_name.p), held_ms,
                        false);
}

/* A device that moves needs the word of the hub that it leaves, as long as that is linked. */
static const struct db_link *source_of(const struct assign_batch *b, const struct assign_item *item)
{
    const struct db_link *source = link_of(b, item->found->assigned_hub);
    return !source || source == item->link || link_is_gone(source) ? NULL : source;
}

static void push_to(struct assign_batch *b, struct assign_item *item, const struct db_link *link)
{
    item->link = link;
    item->step = ASSIGN_PUSH;
    wait_for(b, item, link);
    if (item->step != ASSIGN_PUSH)
        return;
    item->source = source_of(b, item);
    if (item->source)
        wait_for(b, item, item->source);
}

static void fail(struct assign_item *item, int code, struct str sentence)
{
    item->step = ASSIGN_FAIL;
    item->error_code = code;
    item->sentence = sentence;
}

/* What has been invalid since then has been so for too long (decisions.md 20). */
static bool is_past_grace(const struct assign_batch *b, int64_t since_us)
{
    return b->rows->scope.now_us - since_us >= b->c->worker->cfg->invalid_grace_s * INT64_C(1000000);
}

/* --- the four ways to a hub --------------------------------------------------------------------------------------- */

/* It is thought to stand on its link, and nothing of ours made it: what an attempt is about to make is not kept as
 * found. One that is refused is read first. */
static void expect_found(const struct assign_batch *b, struct assign_item *item)
{
    item->found_there = true;
    item->update = true;
    item->doubtful = b->rows->scope.existing_device == EXISTING_REFUSE;
    item->adopted = !item->doubtful;
}

static bool was_found_on(const struct db_assign_found *f, const struct db_link *link)
{
    for (size_t i = 0; i < f->stands_on.n; i++)
        if (str_same(f->stands_on.at[i], link->host))
            return true;
    return false;
}

/* The link on which a device without a record stands: of several the first by name, so that the order of things makes
 * no difference. */
static const struct db_link *link_found(const struct assign_batch *b, const struct db_assign_found *f)
{
    for (size_t i = 0; i < b->rows->scope.link_count; i++) {
        const struct db_link *link = &b->rows->scope.links[i];
        if (!link_is_gone(link) && was_found_on(f, link))
            return link;
    }
    return NULL;
}

/* Until it was found, by an inventory that came later, to stand on others. */
static bool keep_target(struct assign_batch *b, struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    const struct db_link *link = link_of(b, f->target_hub);
    if (!link || link->state == LINK_INVALID || !str_same(f->target_device_id, item->device_id) ||
        (link_found(b, f) && !was_found_on(f, link)))
        return false;
    item->scope_inputs = f->chosen_scope_inputs;
    item->enrollment_inputs = f->chosen_enrollment_inputs;
    item->update = str_same_nocase(f->assigned_hub, link->host) && str_same(f->device_id, item->device_id);
    item->unchanged = item->update && f->pushed_version == f->enrollment_version;
    if (was_found_on(f, link))
        expect_found(b, item);
    push_to(b, item, link);
    return true;
}

/* Configuration re-opens an assignment; weather never does. A hub that was deleted is not down. */
static bool keep_assigned(struct assign_batch *b, struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    const struct db_link *link = link_of(b, f->assigned_hub);
    bool same_inputs =
        f->chosen_scope_inputs == b->rows->scope.inputs_version && f->chosen_enrollment_inputs == f->enrollment_inputs;
    bool may_move = f->enrollment.reprovision_policy.update_hub_assignment == TRI_TRUE;
    if (!link || link_is_gone(link) || (may_move && !same_inputs))
        return false;
    item->update = str_same(f->device_id, item->device_id);
    item->unchanged = item->update && f->pushed_version == f->enrollment_version;
    push_to(b, item, link);
    return true;
}

/* A device without a record that stands on a linked hub: that is its hub, as if it had been imported with it, whatever
 * would be chosen: also when that refuses this service, for then it would be enabled on two. */
static bool keep_found(struct assign_batch *b, struct assign_item *item)
{
    const struct db_link *link = link_found(b, item->found);
    if (!link)
        return false;
    expect_found(b, item);
    push_to(b, item, link);
    if (link->state == LINK_INVALID && is_past_grace(b, link->state_since_us))
        fail(item, CODE_REFUSED,
             arena_printf(b->c->arena, "The device stands on %s, which refuses this service.", link->host_name.p));
    return true;
}

static struct str_list named_hubs(const struct db_assign_found *f)
{
    const struct enrollment *e = &f->enrollment;
    if (e->iot_hubs.n > 0 || !e->iot_hub_host_name.p)
        return e->iot_hubs;
    return (struct str_list){(struct str *)(uintptr_t)&e->iot_hub_host_name, 1, true};
}

static err_t add_latencies(struct assign_batch *b, struct alloc_input *in)
{
    if (alloc_effective_policy(in) != POLICY_GEO_LATENCY)
        return NULL;
    struct job_context *c = b->c;
    struct db_latency_of *figures;
    size_t count;
    TRY(frozen_latencies(c->worker->frozen, c->db, c->arena, b->id_scope, in->region, c->worker->cfg->latency_fresh_s,
                         &figures, &count));
    for (size_t i = 0; i < in->hub_count; i++)
        for (size_t k = 0; k < count; k++)
            if (str_same(in->hubs[i].host, figures[k].host))
                in->hubs[i].p50_us = figures[k].p50_us;
    return NULL;
}

static err_t build_input(struct assign_batch *b, const struct db_assign_found *f, struct alloc_input *ret)
{
    size_t count = b->rows->scope.link_count < LINKS_MOST ? b->rows->scope.link_count : LINKS_MOST;
    *ret = (struct alloc_input){
        .version = ALLOC_VERSION,
        .instance_policy = b->rows->scope.policy,
        .enrollment_policy = f->enrollment.allocation_policy,
        .named = named_hubs(f),
        .region = f->region,
        .hubs = ARENA_NEW_ARRAY(b->c->arena, count, struct alloc_hub),
        .hub_count = count,
    };
    for (size_t i = 0; i < count; i++) {
        const struct db_link *l = &b->rows->scope.links[i];
        ret->hubs[i] = (struct alloc_hub){l->host, l->host_name, l->weight, l->apply, l->state, 0};
    }
    return add_latencies(b, ret);
}

/* The batch's entry of these inputs; most devices of a batch share one. */
static const struct sha256 *keep_input(struct assign_batch *b, const struct alloc_input *in)
{
    struct str text = alloc_input_write(b->c->arena, in);
    struct sha256 hash = crypt_sha256(str_bytes(text));
    for (size_t i = 0; i < b->rows->input_count; i++)
        if (memcmp(b->rows->inputs[i].hash.b, hash.b, sizeof hash.b) == 0)
            return &b->rows->inputs[i].hash;
    b->rows->inputs[b->rows->input_count] = (struct db_assign_input){hash, text};
    return &b->rows->inputs[b->rows->input_count++].hash;
}

/* Since when every hub that could be chosen has been invalid. */
static int64_t all_invalid_since_us(const struct assign_batch *b, const struct alloc_input *in)
{
    int64_t youngest = 0;
    for (size_t i = 0; i < b->rows->scope.link_count; i++) {
        const struct db_link *l = &b->rows->scope.links[i];
        bool named = in->named.n == 0;
        for (size_t k = 0; k < in->named.n; k++)
            named = named || str_same_nocase(in->named.at[k], l->host);
        if (named && l->apply && l->state == LINK_INVALID && l->state_since_us > youngest)
            youngest = l->state_since_us;
    }
    return youngest;
}

static void take_choice(struct assign_batch *b, struct assign_item *item, const struct alloc_input *in,
                        const struct alloc_choice *choice)
{
    item->input = keep_input(b, in);
    item->waits_for = choice->waits_for;
    bool pending = choice->outcome == ALLOC_WAIT && strcmp(choice->rule, "pending") == 0;
    switch (choice->outcome) {
    case ALLOC_CHOSEN:
        item->update = str_same_nocase(item->found->assigned_hub, choice->hub->host) &&
                       str_same(item->found->device_id, item->device_id);
        push_to(b, item, &b->rows->scope.links[choice->hub - in->hubs]); /* inputs keep the order of the links */
        break;
    case ALLOC_WAIT:
        assign_postpone(item, choice->sentence, pending ? PAUSE_link_pending_MS : backoff(item), !pending);
        break;
    case ALLOC_ALL_INVALID:
        if (is_past_grace(b, all_invalid_since_us(b, in)))
            fail(item, CODE_REFUSED, choice->sentence);
        else
            assign_postpone(item, choice->sentence, backoff(item), true);
        break;
    case ALLOC_NONE:
        fail(item, CODE_NO_HUB, choice->sentence);
        break;
    }
}

static err_t choose_anew(struct assign_batch *b, struct assign_item *item)
{
    struct alloc_input in;
    struct alloc_choice choice;
    TRY(build_input(b, item->found, &in));
    alloc_choose(b->c->arena, &in, b->id_scope, item->found->registration_id, &choice);
    take_choice(b, item, &in, &choice);
    return NULL;
}

err_t assign_decide(struct assign_batch *b, struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    if (!b->rows->scope.alive) { /* deleted since the job was claimed: it stands, in case that is undone */
        assign_postpone(item, (struct str){NULL, 0}, backoff(item), false);
        return NULL;
    }
    item->step = ASSIGN_DROP;
    if (!f->registered || f->status != REG_ASSIGNING)
        return NULL;
    if (!f->enrolled) { /* a registration goes with an enrollment of its own */
        fail(item, CODE_NO_GROUP, STR("The enrollment group was deleted while the device was assigned."));
        return NULL;
    }
    if (!f->enabled) {
        item->step = ASSIGN_DISABLE;
        return NULL;
    }
    item->device_id = wanted_device_id(f);
    if (f->taken_by.p) { /* decisions.md 28 */
        item->identity_taken = true;
        fail(item, CODE_TAKEN,
             arena_printf(b->c->arena, "The device id %.*s is that of %.*s.", STR_ARG(item->device_id),
                          STR_ARG(f->taken_by)));
        return NULL;
    }
    item->scope_inputs = b->rows->scope.inputs_version;
    item->enrollment_inputs = f->enrollment_inputs;
    bool by_custom = f->enrollment.allocation_policy == POLICY_CUSTOM; /* is asked for each time */
    if (!by_custom && (keep_target(b, item) || keep_assigned(b, item) || keep_found(b, item)))
        return NULL;
    return choose_anew(b, item);
}
