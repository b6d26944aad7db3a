/* identity.c: calls about one identity on its hub. It must never take an answer for good that only a kind of job can
 * read, nor begin at a host that has enough turns. */
#include "workers/identity.h"

#include "core/json.h"
#include "workers/schedule.h"

err_t identity_registrations(struct arena *a, const struct db_job *job, struct str **ret, size_t *ret_count)
{
    json_auto_t *named = NULL;
    TRY(json_read(job->payload, NULL, &named));
    size_t n = json_array_size(named);
    *ret = ARENA_NEW_ARRAY(a, n + 1, struct str);
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = arena_str(a, str_of(json_string_value(json_array_get(named, i))));
    *ret_count = n;
    return NULL;
}

void identity_add_rest(struct arena *a, struct text *out, struct str document)
{
    json_auto_t *begun = NULL, *whole = NULL;
    const char *name;
    json_t *v;
    struct str head = arena_printf(a, "%.*s}", STR_ARG(text_str(out)));
    if (!document.p || json_read(head, NULL, &begun) || json_read(document, NULL, &whole))
        return;
    json_object_foreach(whole, name, v)
    {
        if (json_object_get(begun, name))
            continue;
        json_member(out, name);
        json_value(out, (struct json_in){v, document});
    }
}

void identity_back(struct identity_job *j, int64_t delay_ms, bool failed, struct str error)
{
    j->step = IDENTITY_BACK;
    j->delay_ms = failed ? job_backoff_ms(j->item.c->kind, j->item.job.attempt) : delay_ms;
    if (j->delay_ms < delay_ms)
        j->delay_ms = delay_ms;
    j->failed = failed;
    j->error = error;
}

err_t identity_open(struct identity_job *j, const struct identity_kind *kind)
{
    struct job_context *c = j->item.c;
    struct db_link *links;
    size_t count;
    TRY(db_link_find(c->db, c->arena, j->item.part->of.id_scope, j->item.job.hub, &links, &count));
    if (count == 0)
        return NULL;
    j->kind = kind;
    j->link = links;
    j->step = IDENTITY_OPEN;
    if (links->state == LINK_UNREACHABLE)
        identity_back(j, PAUSE_identity_silent_MS, false, STR("the hub does not answer"));
    return NULL;
}

static void start(struct identity_job *j)
{
    struct job_context *c = j->item.c;
    j->call = (struct hub_call){
        .host = j->link->host,
        .id_scope = j->item.part->of.id_scope,
        .credential = &j->credentials.at[j->credential],
        .timeout_ms = c->worker->cfg->hub_timeout_ms,
        .owner = j,
    };
    j->kind->ask(j);
    j->item.open = 1;
    calls_start(j->item.calls, &j->call);
}

static bool enter(struct identity_job *j)
{
    int64_t held_ms = 0;
    enum hosts_word word = calls_enter(j->item.calls, j->item.host, &held_ms);
    if (word != HOSTS_ENTERED)
        identity_back(j, word == HOSTS_HELD_BACK ? held_ms : PAUSE_host_full_MS, false, (struct str){NULL, 0});
    return word == HOSTS_ENTERED;
}

void identity_begin(struct round_item *item)
{
    struct identity_job *j = (struct identity_job *)item;
    if (j->step != IDENTITY_OPEN || !enter(j))
        return;
    if (link_unseal(item->c->arena, item->c->worker->ring, item->part->of.id_scope, j->link, &j->credentials) ||
        j->credentials.count == 0)
        identity_back(j, 0, true, STR("the link's credential cannot be opened"));
    else
        start(j);
}

/* For how long the job is given back by a host that was slow. */
static int64_t hold_of(const struct identity_job *j)
{
    int64_t asked_ms = j->call.outcome == HUB_ANSWERED ? j->call.retry_after_ms : 0;
    return j->kind->aside ? hold_ms(HOLD_host_slow, j->item.job.attempt, asked_ms)
                          : hosts_was_slow(j->item.c->worker->hosts, j->item.host, asked_ms);
}

/* The hub answered, and not as the kind of job would have it. */
static void take_refusal(struct identity_job *j)
{
    int status = j->call.status;
    if ((status == 401 || status == 403) && j->credential + 1 < j->credentials.count) {
        j->credential++;
        start(j);
        return;
    }
    bool slow = status == 429 || status == 503;
    identity_back(j, slow ? hold_of(j) : 0, true, arena_printf(j->item.c->arena, "the hub answered %d", status));
}

static void take_said(struct identity_job *j)
{
    enum identity_said said = j->kind->said(j);
    if (said == IDENTITY_SAID_NO) {
        take_refusal(j);
        return;
    }
    if (!j->kind->aside)
        hosts_was_good(j->item.c->worker->hosts, j->item.host);
    if (said == IDENTITY_SAID_MORE)
        start(j);
    else
        j->step = IDENTITY_DONE;
}

struct round_item *identity_answered(struct hub_call *call)
{
    struct identity_job *j = call->owner;
    j->item.open = 0;
    if (call->outcome == HUB_CANCELLED)
        identity_back(j, 0, false, (struct str){NULL, 0});
    else if (call->outcome != HUB_ANSWERED)
        identity_back(j, hold_of(j), true, str_of(hub_outcome_words[call->outcome]));
    else
        take_said(j);
    return &j->item;
}

err_t identity_finish(struct round_item *item)
{
    struct identity_job *j = (struct identity_job *)item;
    if (j->step == IDENTITY_BACK)
        round_put_back(item, j->delay_ms, j->failed, j->error);
    else
        round_done(item, j->step == IDENTITY_DONE);
    return NULL;
}
