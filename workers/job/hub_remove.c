/* hub_remove.c: takes identities off hubs that no registration names any more: a device moved, or a target was given
 * up. It looks right before it calls; that nobody makes the identity again in between is db/sql/assign.sql's promise
 * (assign_choose waits for a removal that was claimed). It must never delete an identity that a registration of the
 * scope stands on. */
#include "core/json.h"
#include "core/killpoint.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "db/assign.h"
#include "workers/calls.h"
#include "workers/hub_answer.h"
#include "workers/link.h"

enum { ENTER_WAIT_MS = 20 };

enum remove_step { REMOVE_OPEN, REMOVE_DONE, REMOVE_SKIP, REMOVE_BACK };

struct batch;
struct removal {
    struct batch *b;
    struct db_job job;
    enum remove_step step;
    const struct db_link *link;
    struct link_credentials credentials;
    size_t credential;
    struct hub_call call;
    int64_t delay_ms;
    bool failed;
    struct str error;
};

struct batch {
    struct job_context *c;
    struct str id_scope;
    int64_t claimed_ms;
    struct calls calls;
    struct db_link *links;
    size_t link_count;
    struct removal *at;
    size_t count;
};

static void put_back(struct removal *r, int64_t delay_ms, bool failed, struct str error)
{
    r->step = REMOVE_BACK;
    r->delay_ms = failed ? job_backoff_ms(JOB_hub_remove, r->job.attempt) : delay_ms;
    if (r->delay_ms < delay_ms)
        r->delay_ms = delay_ms;
    r->failed = failed;
    r->error = error;
}

static const struct db_link *link_of(const struct batch *b, struct str host)
{
    for (size_t i = 0; i < b->link_count; i++)
        if (str_same(b->links[i].host, host))
            return &b->links[i];
    return NULL;
}

/* The registrations that may stand on the identity: those that the causes named, and the one that is called like the
 * device. */
static err_t keys_of(struct arena *a, const struct db_job *job, struct str **ret, size_t *ret_count)
{
    json_auto_t *named = NULL;
    TRY(json_read(job->payload, NULL, &named));
    size_t n = json_array_size(named);
    *ret = ARENA_NEW_ARRAY(a, n + 1, struct str);
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = arena_str(a, str_of(json_string_value(json_array_get(named, i))));
    (*ret)[n] = arena_lower(a, job->subject);
    *ret_count = n + 1;
    return NULL;
}

/* What can be said without a call. */
static err_t look(struct batch *b, struct removal *r)
{
    struct job_context *c = b->c;
    bool named = false;
    r->step = REMOVE_SKIP;
    struct str *keys = NULL;
    size_t key_count = 0;
    TRY(keys_of(c->arena, &r->job, &keys, &key_count));
    TRY(db_remove_is_named(c->db, c->arena, b->id_scope, keys, key_count, r->job.hub, r->job.subject, &named));
    r->link = link_of(b, r->job.hub);
    if (named || !r->link)
        return NULL;
    r->step = REMOVE_OPEN;
    if (r->link->state == LINK_UNREACHABLE)
        put_back(r, PAUSE_remove_silent_MS, false, STR("the hub does not answer"));
    return NULL;
}

static void start(struct batch *b, struct removal *r)
{
    struct job_context *c = b->c;
    r->call = (struct hub_call){
        .host = r->link->host,
        .method = "DELETE",
        .path = link_device_path(c->arena, r->job.subject),
        .if_match_any = true,
        .credential = &r->credentials.at[r->credential],
        .timeout_ms = c->worker->cfg->hub_timeout_ms,
        .owner = r,
    };
    calls_start(&b->calls, &r->call);
}

static bool enter(struct batch *b, struct removal *r)
{
    int64_t held_ms = 0;
    enum hosts_word word = calls_enter(&b->calls, r->job.hub, ENTER_WAIT_MS, &held_ms);
    if (word != HOSTS_ENTERED)
        put_back(r, word == HOSTS_HELD_BACK ? held_ms : PAUSE_host_full_MS, false, (struct str){NULL, 0});
    return word == HOSTS_ENTERED;
}

static void begin(struct batch *b, struct removal *r)
{
    if (r->step != REMOVE_OPEN || !enter(b, r))
        return;
    if (link_unseal(b->c->arena, b->c->worker->ring, b->id_scope, r->link, &r->credentials) ||
        r->credentials.count == 0)
        put_back(r, 0, true, STR("the link's credential cannot be opened"));
    else
        start(b, r);
}

static void take_answer(struct hub_call *call)
{
    struct removal *r = call->owner;
    struct batch *b = r->b;
    struct arena *a = b->c->arena;
    struct hosts *hosts = b->c->worker->hosts;
    int status = r->call.status;
    if (r->call.outcome == HUB_CANCELLED) {
        put_back(r, 0, false, (struct str){NULL, 0});
    } else if (r->call.outcome != HUB_ANSWERED) {
        put_back(r, hosts_was_slow(hosts, r->job.hub, 0), true, str_of(hub_outcome_words[r->call.outcome]));
    } else if (hub_answer_is_gone(&r->call)) {
        hosts_was_good(hosts, r->job.hub);
        r->step = REMOVE_DONE;
    } else if ((status == 401 || status == 403) && r->credential + 1 < r->credentials.count) {
        r->credential++;
        start(b, r);
    } else {
        bool slow = status == 429 || status == 503;
        put_back(r, slow ? hosts_was_slow(hosts, r->job.hub, r->call.retry_after_ms) : 0, true,
                 arena_printf(a, "the hub answered %d", status));
    }
}

static void call_all(struct batch *b)
{
    calls_begin(&b->calls, b->c, b->claimed_ms);
    for (size_t i = 0; i < b->count; i++)
        begin(b, &b->at[i]);
    calls_run(&b->calls, take_answer, NULL, NULL);
    calls_end(&b->calls);
}

static void note_dead(const struct batch *b, const struct removal *r)
{
    log_event(LOG_ERROR, "jobDead", L_CSTR("kind", "hub_remove"), L_TEXT("idScope", b->id_scope),
              L_TEXT("subject", r->job.subject), L_TEXT("hub", r->job.hub), L_TEXT("error", r->error));
}

static err_t finish(struct batch *b)
{
    struct job_context *c = b->c;
    struct db_job *over = ARENA_NEW_ARRAY(c->arena, b->count, struct db_job);
    struct db_job_back *back = ARENA_NEW_ARRAY(c->arena, b->count, struct db_job_back);
    size_t over_count = 0, back_count = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct removal *r = &b->at[i];
        if (r->step != REMOVE_BACK) {
            over[over_count++] = r->job;
            c->counts.done += r->step == REMOVE_DONE;
            c->counts.dropped += r->step == REMOVE_SKIP;
            continue;
        }
        bool dead = r->failed && job_is_over(JOB_hub_remove, r->job.attempt + 1);
        if (dead)
            note_dead(b, r);
        c->counts.dead += dead;
        c->counts.retried += !dead;
        back[back_count++] = (struct db_job_back){r->job, dead ? DB_JOB_DEAD_MS : r->delay_ms, r->failed, r->error};
    }
    KILL_POINT("remove_done");
    TRY(db_job_done(c->db, c->arena, &c->of, job_kind_name(JOB_hub_remove), over, over_count));
    return db_job_put_back(c->db, c->arena, &c->of, job_kind_name(JOB_hub_remove), back, back_count);
}

err_t job_hub_remove(struct job_context *c, struct str id_scope)
{
    struct batch b = {.c = c, .id_scope = id_scope, .claimed_ms = clock_ms()};
    const struct db_job_claim claim = {c->of, job_kind_name(JOB_hub_remove), job_claim_limit(JOB_hub_remove),
                                       c->worker->cfg->lease_ms};
    struct db_job *jobs;
    TRY(db_job_claim(c->db, c->arena, &claim, &jobs, &b.count));
    c->counts.claimed = (int64_t)b.count;
    if (b.count == 0)
        return NULL;
    TRY(db_link_find(c->db, c->arena, id_scope, (struct str){NULL, 0}, &b.links, &b.link_count));
    b.at = ARENA_NEW_ARRAY(c->arena, b.count, struct removal);
    for (size_t i = 0; i < b.count; i++) {
        b.at[i].b = &b;
        b.at[i].job = jobs[i];
        TRY(look(&b, &b.at[i]));
    }
    call_all(&b);
    return finish(&b);
}
