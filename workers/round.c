/* round.c: the order of a round: claim, look, call, write. It must never know what a job does, nor let an error of one
 * part keep another from being written. */
#include "workers/round.h"

#include "core/log.h"
#include "core/process/clock.h"

struct round {
    struct job_context *c;
    const struct round_kind *kind;
    struct calls calls;
    struct round_item **items;
    size_t count;
    struct db_job *over; /* of a part, while it is written */
    struct db_job_back *back;
};

/* --- before the calls --------------------------------------------------------------------------------------------- */

static err_t claim(struct job_context *c, struct db_job_list *ret)
{
    const struct db_job_claim claim = {job_kind_name(c->kind), c->claim, c->worker->cfg->lease_ms};
    struct db_job_owner *owners = ARENA_NEW_ARRAY(c->arena, c->part_count, struct db_job_owner);
    for (size_t i = 0; i < c->part_count; i++)
        owners[i] = c->parts[i].of;
    return db_job_claim(c->db, c->arena, &claim, owners, c->part_count, ret);
}

/* What cannot be looked at is left to its lease. */
static void look(struct round *r, struct job_part *part, const struct db_job *job)
{
    struct round_item *item = arena_array(r->c->arena, 1, r->kind->size);
    *item = (struct round_item){.c = r->c, .part = part, .calls = &r->calls, .job = *job};
    err_t e = r->kind->look(item);
    job_note_error(r->c, part, e);
    if (!e)
        r->items[r->count++] = item;
}

static void look_at_all(struct round *r, const struct db_job_list *jobs)
{
    size_t count = 0;
    for (size_t i = 0; i < r->c->part_count; i++)
        count += jobs[i].count;
    r->items = ARENA_NEW_ARRAY(r->c->arena, count, struct round_item *);
    r->over = ARENA_NEW_ARRAY(r->c->arena, count, struct db_job);
    r->back = ARENA_NEW_ARRAY(r->c->arena, count, struct db_job_back);
    for (size_t i = 0; i < r->c->part_count; i++) {
        r->c->parts[i].counts.claimed = (int64_t)jobs[i].count;
        for (size_t k = 0; k < jobs[i].count; k++)
            look(r, &r->c->parts[i], &jobs[i].at[k]);
    }
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static bool must_wait(const struct round *r, const struct round_item *item)
{
    for (size_t i = 0; r->kind->one_by_one && i < r->count; i++)
        if (r->items[i]->open > 0 && str_same(r->items[i]->host, item->host))
            return true;
    return false;
}

static void begin(struct round *r, struct round_item *item)
{
    if (item->begun || must_wait(r, item))
        return;
    item->begun = true;
    item->full = clock_ms() - r->calls.claimed_ms > WAIT_round_place_MS;
    r->kind->begin(item);
}

static unsigned begin_all(void *context)
{
    struct round *r = context;
    for (size_t i = 0; i < r->count; i++)
        begin(r, r->items[i]);
    return 0;
}

static void take_answer(void *context, struct hub_call *call)
{
    struct round *r = context;
    const struct round_item *over = r->kind->answered(call);
    for (size_t i = 0; over->open == 0 && i < r->count; i++)
        if (str_same(r->items[i]->host, over->host))
            begin(r, r->items[i]);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

void round_done(struct round_item *item, bool effect)
{
    item->part->counts.done += effect;
    item->part->counts.dropped += !effect;
    item->end = ROUND_DONE;
}

static void note_dead(const struct round_item *item, struct str error)
{
    log_event(LOG_ERROR, "jobDead", L_TEXT("kind", job_kind_name(item->c->kind)), L_TEXT("idScope", item->part->name),
              L_TEXT("subject", item->job.subject), L_TEXT("hub", item->job.hub), L_TEXT("error", error));
}

void round_put_back(struct round_item *item, int64_t delay_ms, bool failed, struct str error)
{
    bool dead = failed && job_is_over(item->c->kind, item->job.attempt + 1);
    if (dead)
        note_dead(item, error);
    item->part->counts.dead += dead;
    item->part->counts.retried += !dead;
    item->end = ROUND_BACK;
    item->back = (struct db_job_back){item->job, dead ? DB_JOB_DEAD_MS : delay_ms, failed, error};
}

/* A failed write is no loss: the lease ends, and the work is done again. */
static void finish(struct round *r, struct round_item *item)
{
    err_t e = r->kind->finish(item);
    job_note_error(r->c, item->part, e);
    if (e || item->end == ROUND_OPEN)
        item->end = ROUND_WRITTEN;
}

/* Ends and gives back what has ended in a part. Returns how many have not. */
static size_t write_part(struct round *r, struct job_part *part)
{
    struct job_context *c = r->c;
    size_t over = 0, back = 0, open = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct round_item *item = r->items[i];
        if (item->part != part || item->end == ROUND_WRITTEN)
            continue;
        bool ended = item->begun && item->open == 0;
        open += !ended;
        if (ended)
            finish(r, item);
        if (item->end == ROUND_DONE)
            r->over[over++] = item->job;
        if (item->end == ROUND_BACK)
            r->back[back++] = item->back;
        item->end = ended ? ROUND_WRITTEN : ROUND_OPEN;
    }
    job_note_error(c, part, db_job_done(c->db, c->arena, &part->of, job_kind_name(c->kind), r->over, over));
    job_note_error(c, part, db_job_put_back(c->db, c->arena, &part->of, job_kind_name(c->kind), r->back, back));
    return open;
}

static void write_ended(void *context)
{
    struct round *r = context;
    for (size_t i = 0; i < r->c->part_count; i++)
        if (!r->c->parts[i].over && write_part(r, &r->c->parts[i]) == 0)
            job_part_over(r->c, &r->c->parts[i]);
}

err_t round_run(struct job_context *c, const struct round_kind *kind)
{
    static const struct calls_steps steps = {begin_all, take_answer, write_ended};
    struct round r = {.c = c, .kind = kind};
    struct db_job_list jobs[POOL_TURN_MAX];
    int64_t claimed_ms = clock_ms();
    TRY(claim(c, jobs));
    look_at_all(&r, jobs);
    calls_begin(&r.calls, c, claimed_ms);
    calls_run(&r.calls, &steps, &r);
    calls_end(&r.calls);
    return NULL;
}
