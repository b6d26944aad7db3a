/* link_validate.c: tries each credential of a linked hub and says what state the link is in. Two harmless calls per
 * credential show whether it is accepted and has both rights: reading a statistic (ServiceConnect) and deleting a
 * device that does not exist (RegistryWrite). It must never judge a link by anything but what the hub answered to
 * these. */
#include <string.h>

#include "core/id.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/state.h"
#include "db/job.h"
#include "workers/hub/kind.h"
#include "workers/hub_answer.h"
#include "workers/link.h"
#include "workers/round.h"

enum { CALLS_PER_CREDENTIAL = 2 };

/* What one call, or both of a credential, showed. */
enum verdict { VERDICT_NONE, VERDICT_GOOD, VERDICT_REFUSED, VERDICT_FAILED, VERDICT_BUSY };

struct probe {
    struct link_check *check;
    enum verdict verdict;
    struct str why;
    struct hub_call calls[CALLS_PER_CREDENTIAL];
    int started;
};

/* One link under validation. */
struct link_check {
    struct round_item item;
    const struct db_link *link; /* NULL: it is gone */
    bool unopened;
    struct link_credentials credentials;
    struct probe probes[LINK_CREDENTIALS_MAX];
    int state;
    struct str reason;
    bool good;
};

static struct str scope_of(const struct link_check *k)
{
    return k->item.part->of.id_scope;
}

/* Keys that do not open are a trouble of this installation, not of the hub. */
static err_t look(struct round_item *item)
{
    struct link_check *k = (struct link_check *)item;
    struct job_context *c = item->c;
    struct db_link *links;
    size_t count;
    TRY(db_link_find(c->db, c->arena, scope_of(k), item->job.subject, &links, &count));
    item->host = item->job.subject;
    if (count == 0)
        return NULL;
    k->link = links;
    k->unopened = link_unseal(c->arena, c->worker->ring, scope_of(k), k->link, &k->credentials) != NULL;
    for (size_t i = 0; i < k->credentials.count; i++)
        k->probes[i].check = k;
    return NULL;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

/* The calls of a probe follow each other, on one connection: who is silent is asked no more. */
static void start_call(struct probe *p, enum hub_ask what, struct str device_id)
{
    struct link_check *k = p->check;
    struct hub_call *call = &p->calls[p->started++];
    *call = (struct hub_call){
        .host = k->link->host,
        .credential = &k->credentials.at[p - k->probes],
        .timeout_ms = k->item.c->worker->cfg->hub_timeout_ms,
        .owner = p,
    };
    hub_ask(&hub_iothub, what, device_id, k->item.c->arena, call);
    calls_start(k->item.calls, call);
}

static void start_read(struct probe *p)
{
    start_call(p, HUB_STATISTICS, (struct str){NULL, 0});
}

static void start_delete(struct probe *p)
{
    struct arena *a = p->check->item.c->arena;
    struct uuid nobody = crypt_uuid4();
    start_call(p, HUB_REMOVE, arena_printf(a, "idscope-probe-%s", enc_uuid(a, &nobody).p));
}

static struct round_item *take_answer(struct hub_call *call)
{
    struct probe *p = call->owner;
    struct round_item *item = &p->check->item;
    if (p->started < CALLS_PER_CREDENTIAL && call->outcome == HUB_ANSWERED)
        start_delete(p);
    else if (--item->open == 0)
        calls_over(item->calls, call);
    return item;
}

/* Somebody has just found the host silent: that answers for every credential. */
static bool take_silence(struct link_check *k)
{
    int how;
    if (!hosts_is_silent(k->item.c->worker->hosts, k->item.host, &how))
        return false;
    for (size_t i = 0; i < k->credentials.count; i++)
        k->probes[i].calls[0].outcome = (enum hub_outcome)how;
    k->item.full = false;
    return true;
}

static void begin(struct round_item *item)
{
    struct link_check *k = (struct link_check *)item;
    if (k->credentials.count == 0 || take_silence(k))
        return;
    item->full = item->full || calls_enter(item->calls, item->host, NULL) != HOSTS_ENTERED;
    item->open = item->full ? 0 : k->credentials.count;
    for (size_t i = 0; i < item->open; i++)
        start_read(&k->probes[i]);
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static bool is_refusal(const struct hub_call *call)
{
    return call->status == 401 || call->status == 403;
}

static enum verdict say(struct probe *p, enum verdict verdict, struct str why)
{
    p->verdict = verdict;
    p->why = why;
    return verdict;
}

/* Silence, or an answer that says nothing about the credential. */
static enum verdict judge_call(struct probe *p, const struct hub_call *call)
{
    struct arena *a = p->check->item.c->arena;
    if (call->outcome != HUB_ANSWERED)
        return say(p, call->outcome == HUB_CANCELLED ? VERDICT_BUSY : VERDICT_FAILED,
                   str_of(hub_outcome_words[call->outcome]));
    if (call->status == 429)
        return say(p, VERDICT_BUSY, STR("the hub asked to slow down"));
    if (call->status >= 500)
        return say(p, VERDICT_FAILED, arena_printf(a, "the hub answered %d", call->status));
    return VERDICT_NONE;
}

static enum verdict judge(struct probe *p)
{
    const struct hub_call *read = &p->calls[0], *write = &p->calls[1];
    struct arena *a = p->check->item.c->arena;
    if (judge_call(p, read) != VERDICT_NONE || judge_call(p, write) != VERDICT_NONE)
        return p->verdict;
    if (is_refusal(read) && is_refusal(write))
        return say(p, VERDICT_REFUSED, STR("refused"));
    if (is_refusal(write))
        return say(p, VERDICT_REFUSED, STR("missing RegistryWrite"));
    if (is_refusal(read))
        return say(p, VERDICT_REFUSED, STR("missing ServiceConnect"));
    /* A hub of this deployment that is not there was deleted. */
    if (read->status == 404 && id_hub_built_in(a, read->host, p->check->item.c->worker->cfg->domain))
        return say(p, VERDICT_REFUSED, link_hub_deleted);
    if (!hub_answer_counts(read))
        return say(p, VERDICT_REFUSED, arena_printf(a, "is no hub: answered %d", read->status));
    if (!hub_answer_is_gone(write))
        return say(p, VERDICT_REFUSED, arena_printf(a, "is no hub: answered %d to a delete", write->status));
    return say(p, VERDICT_GOOD, (struct str){NULL, 0});
}

static bool none_good_reason(struct link_check *k, enum verdict wanted, struct str *ret)
{
    for (size_t i = 0; i < k->credentials.count; i++) {
        const struct probe *p = &k->probes[i];
        if (p->verdict != wanted)
            continue;
        *ret = k->credentials.count > 1
                   ? arena_printf(k->item.c->arena, "%s: %.*s", k->credentials.names[i], STR_ARG(p->why))
                   : p->why;
        return true;
    }
    return false;
}

/* Link states know events; this is which one the probes of all credentials make together. False: they say nothing, the
 * state stays. */
static bool event_of(struct link_check *k, enum link_event *ret)
{
    size_t good = 0;
    for (size_t i = 0; i < k->credentials.count; i++)
        good += judge(&k->probes[i]) == VERDICT_GOOD;
    k->good = good > 0;
    k->reason = (struct str){NULL, 0};
    if (good == k->credentials.count)
        *ret = LINK_EV_PROBE_GOOD;
    else if (none_good_reason(k, VERDICT_BUSY, &k->reason))
        return false;
    else if (none_good_reason(k, VERDICT_FAILED, &k->reason))
        *ret = good > 0 ? LINK_EV_PROBE_GOOD : LINK_EV_PROBE_FAILED;
    else if (none_good_reason(k, VERDICT_REFUSED, &k->reason))
        *ret = good > 0 ? LINK_EV_PROBE_ONE_BAD : LINK_EV_PROBE_REFUSED;
    return true;
}

/* A link by resource id whose hub or policy is gone has nothing to try. */
static void judge_without_credential(struct link_check *k)
{
    k->reason = k->link->only_policy_gone ? STR("policy_deleted") : link_hub_deleted;
    k->state = linkstate_move(k->link->state, LINK_EV_CREDENTIAL_GONE);
}

static void conclude(struct link_check *k)
{
    enum link_event event = LINK_EV_PROBE_GOOD;
    k->state = k->link->state;
    if (k->credentials.count == 0)
        judge_without_credential(k);
    else if (event_of(k, &event))
        k->state = linkstate_move(k->link->state, event);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* For how long the link has been in the state that stands. */
static int64_t lasted_ms(const struct db_link *l)
{
    return (clock_wall_us() - l->state_since_us) / 1000;
}

/* A link that is not well is tried again sooner, at growing distances while its state lasts; one whose hub is silent
 * in the end less often than one that is well, for silence costs more than an answer. */
static int64_t next_ms(const struct link_check *k)
{
    int64_t regular_ms = k->item.c->worker->cfg->link_check_s * 1000;
    if (link_state_is_usable(k->state))
        return next_check_ms(regular_ms);
    int64_t ms = k->state == k->link->state ? lasted_ms(k->link) : 0;
    if (k->state == LINK_UNREACHABLE)
        return pace_ms(PACE_link_silent, ms);
    int64_t soon_ms = pace_ms(PACE_link_refused, ms);
    return soon_ms < regular_ms ? soon_ms : regular_ms;
}

static void note_change(const struct link_check *k)
{
    log_event(k->state == LINK_VALID ? LOG_INFO : LOG_WARN, "link", L_TEXT("idScope", scope_of(k)),
              L_TEXT("host", k->link->host), L_CSTR("from", link_state_words[k->link->state - 1]),
              L_CSTR("to", link_state_words[k->state - 1]), L_TEXT("reason", k->reason.p ? k->reason : STR("")));
}

static err_t write_check(struct link_check *k)
{
    struct job_context *c = k->item.c;
    struct job_counts *counts = &k->item.part->counts;
    bool taken = false;
    conclude(k);
    const struct db_link_validated v = {scope_of(k), k->link->host, k->item.job.fence, k->link->credential_version,
                                        k->state,    k->reason,     k->good,           next_ms(k)};
    TRY(db_link_validated(c->db, c->arena, &v, &taken));
    counts->done += taken;
    counts->dropped += !taken;
    if (!taken || k->state == k->link->state)
        return NULL;
    note_change(k);
    return link_state_is_usable(k->state) ? db_link_wake_assign(c->db, c->arena, scope_of(k), &k->link->host, 1) : NULL;
}

static void put_back_unopened(struct link_check *k)
{
    log_event(LOG_ERROR, "linkUnopened", L_TEXT("idScope", scope_of(k)), L_TEXT("host", k->link->host));
    round_put_back(&k->item, job_backoff_ms(JOB_link_validate, k->item.job.attempt), true,
                   STR("the credential cannot be opened"));
}

/* A link that is known to be unwell can wait as if it had been tried: others may be at the host for the first time. */
static void put_back_untried(struct link_check *k)
{
    bool unwell = k->link->state == LINK_UNREACHABLE || k->link->state == LINK_INVALID;
    k->state = k->link->state;
    round_put_back(&k->item, unwell ? next_ms(k) : pace_ms(PACE_link_host_full, lasted_ms(k->link)), false,
                   (struct str){NULL, 0});
}

static err_t finish(struct round_item *item)
{
    struct link_check *k = (struct link_check *)item;
    if (k->link && !k->unopened && !item->full)
        return write_check(k);
    if (!k->link)
        round_done(item, false);
    else if (k->unopened)
        put_back_unopened(k);
    else
        put_back_untried(k);
    return NULL;
}

err_t job_link_validate(struct job_context *c)
{
    static const struct round_kind kind = {.size = sizeof(struct link_check),
                                           .one_by_one = true,
                                           .look = look,
                                           .begin = begin,
                                           .answered = take_answer,
                                           .finish = finish};
    return round_run(c, &kind);
}
