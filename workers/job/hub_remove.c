/* hub_remove.c: takes identities off hubs that no registration names any more: a device moved, or a target was given
 * up. It looks right before it calls; that nobody makes the identity again in between is db/sql/assign.sql's promise
 * (assign_choose waits for a removal that was claimed). It must never delete an identity that a registration of the
 * scope stands on. */
#include "core/json.h"
#include "core/killpoint.h"
#include "db/assign.h"
#include "workers/hub_answer.h"
#include "workers/link.h"
#include "workers/round.h"

enum remove_step { REMOVE_SKIP, REMOVE_OPEN, REMOVE_DONE, REMOVE_BACK };

struct removal {
    struct round_item item;
    enum remove_step step;
    const struct db_link *link;
    struct link_credentials credentials;
    size_t credential;
    struct hub_call call;
    int64_t delay_ms;
    bool failed;
    struct str error;
};

static void put_back(struct removal *r, int64_t delay_ms, bool failed, struct str error)
{
    r->step = REMOVE_BACK;
    r->delay_ms = failed ? job_backoff_ms(JOB_hub_remove, r->item.job.attempt) : delay_ms;
    if (r->delay_ms < delay_ms)
        r->delay_ms = delay_ms;
    r->failed = failed;
    r->error = error;
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
static err_t look(struct round_item *item)
{
    struct removal *r = (struct removal *)item;
    struct job_context *c = item->c;
    const struct db_job *job = &item->job;
    struct str id_scope = item->part->of.id_scope;
    bool named = false;
    struct str *keys = NULL;
    struct db_link *links;
    size_t key_count = 0, link_count;
    item->host = job->hub;
    TRY(keys_of(c->arena, job, &keys, &key_count));
    TRY(db_remove_is_named(c->db, c->arena, id_scope, keys, key_count, job->hub, job->subject, &named));
    TRY(db_link_find(c->db, c->arena, id_scope, job->hub, &links, &link_count));
    if (named || link_count == 0)
        return NULL;
    r->link = links;
    r->step = REMOVE_OPEN;
    if (r->link->state == LINK_UNREACHABLE)
        put_back(r, PAUSE_remove_silent_MS, false, STR("the hub does not answer"));
    return NULL;
}

static void start(struct removal *r)
{
    struct job_context *c = r->item.c;
    r->call = (struct hub_call){
        .host = r->link->host,
        .method = "DELETE",
        .path = link_device_path(c->arena, r->item.job.subject),
        .if_match_any = true,
        .credential = &r->credentials.at[r->credential],
        .timeout_ms = c->worker->cfg->hub_timeout_ms,
        .owner = r,
    };
    r->item.open = 1;
    calls_start(r->item.calls, &r->call);
}

static bool enter(struct removal *r)
{
    int64_t held_ms = 0;
    enum hosts_word word = calls_enter(r->item.calls, r->item.host, &held_ms);
    if (word != HOSTS_ENTERED)
        put_back(r, word == HOSTS_HELD_BACK ? held_ms : PAUSE_host_full_MS, false, (struct str){NULL, 0});
    return word == HOSTS_ENTERED;
}

static void begin(struct round_item *item)
{
    struct removal *r = (struct removal *)item;
    if (r->step != REMOVE_OPEN || !enter(r))
        return;
    if (link_unseal(item->c->arena, item->c->worker->ring, item->part->of.id_scope, r->link, &r->credentials) ||
        r->credentials.count == 0)
        put_back(r, 0, true, STR("the link's credential cannot be opened"));
    else
        start(r);
}

static struct round_item *take_answer(struct hub_call *call)
{
    struct removal *r = call->owner;
    struct arena *a = r->item.c->arena;
    struct hosts *hosts = r->item.c->worker->hosts;
    struct str host = r->item.host;
    int status = r->call.status;
    r->item.open = 0;
    if (r->call.outcome == HUB_CANCELLED) {
        put_back(r, 0, false, (struct str){NULL, 0});
    } else if (r->call.outcome != HUB_ANSWERED) {
        put_back(r, hosts_was_slow(hosts, host, 0), true, str_of(hub_outcome_words[r->call.outcome]));
    } else if (hub_answer_is_gone(&r->call)) {
        hosts_was_good(hosts, host);
        r->step = REMOVE_DONE;
    } else if ((status == 401 || status == 403) && r->credential + 1 < r->credentials.count) {
        r->credential++;
        start(r);
    } else {
        bool slow = status == 429 || status == 503;
        put_back(r, slow ? hosts_was_slow(hosts, host, r->call.retry_after_ms) : 0, true,
                 arena_printf(a, "the hub answered %d", status));
    }
    return &r->item;
}

static err_t finish(struct round_item *item)
{
    struct removal *r = (struct removal *)item;
    if (r->step == REMOVE_BACK) {
        round_put_back(item, r->delay_ms, r->failed, r->error);
        return NULL;
    }
    KILL_POINT("remove_done");
    round_done(item, r->step == REMOVE_DONE);
    return NULL;
}

err_t job_hub_remove(struct job_context *c)
{
    static const struct round_kind kind = {
        .size = sizeof(struct removal), .look = look, .begin = begin, .answered = take_answer, .finish = finish};
    return round_run(c, &kind);
}
