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
#include "workers/calls.h"
#include "workers/hub_answer.h"
#include "workers/link.h"

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
    struct job_context *c;
    struct calls *calls;
    struct str id_scope;
    struct db_job job;
    const struct db_link *link;
    struct link_credentials credentials;
    struct probe probes[LINK_CREDENTIALS_MAX];
    size_t open; /* probes that are under way */
    bool full;   /* the host has enough of this worker's turns: nothing was tried */
    int state;
    struct str reason;
    bool good;
};

/* --- calls -------------------------------------------------------------------------------------------------------- */

/* The calls of a probe follow each other, on one connection: who is silent is asked no more. */
static void start_call(struct probe *p, const char *method, struct str path)
{
    struct link_check *k = p->check;
    struct hub_call *call = &p->calls[p->started++];
    *call = (struct hub_call){
        .host = k->link->host,
        .method = method,
        .path = path,
        .if_match_any = p->started > 1,
        .credential = &k->credentials.at[p - k->probes],
        .timeout_ms = k->c->worker->cfg->hub_timeout_ms,
        .owner = p,
    };
    calls_start(k->calls, call);
}

static void start_read(struct probe *p)
{
    start_call(p, "GET", STR("/statistics/service?api-version=" HUB_API_VERSION));
}

static void start_delete(struct probe *p)
{
    struct arena *a = p->check->c->arena;
    struct uuid nobody = crypt_uuid4();
    start_call(p, "DELETE", link_device_path(a, arena_printf(a, "idscope-probe-%s", enc_uuid(a, &nobody).p)));
}

static void take_answer(struct hub_call *call)
{
    struct probe *p = call->owner;
    if (p->started < CALLS_PER_CREDENTIAL && call->outcome == HUB_ANSWERED)
        start_delete(p);
    else if (--p->check->open == 0)
        calls_over(p->check->calls, call);
}

/* Somebody has just found the host silent: that answers for every credential. */
static bool take_silence(struct link_check *k)
{
    int how;
    if (!hosts_is_silent(k->c->worker->hosts, k->link->host, &how))
        return false;
    for (size_t i = 0; i < k->credentials.count; i++)
        k->probes[i].calls[0].outcome = (enum hub_outcome)how;
    return true;
}

static void begin(struct link_check *k)
{
    for (size_t i = 0; i < k->credentials.count; i++)
        k->probes[i].check = k;
    if (k->credentials.count == 0 || take_silence(k))
        return;
    k->full = calls_enter(k->calls, k->link->host, 0, NULL) != HOSTS_ENTERED;
    k->open = k->full ? 0 : k->credentials.count;
    for (size_t i = 0; i < k->open; i++)
        start_read(&k->probes[i]);
}

static void run_probes(struct job_context *c, struct link_check *at, size_t count, int64_t claimed_ms)
{
    struct calls calls;
    calls_begin(&calls, c, claimed_ms);
    for (size_t i = 0; i < count; i++) {
        at[i].calls = &calls;
        begin(&at[i]);
    }
    calls_run(&calls, take_answer, NULL, NULL);
    calls_end(&calls);
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
    struct arena *a = p->check->c->arena;
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
    struct arena *a = p->check->c->arena;
    if (judge_call(p, read) != VERDICT_NONE || judge_call(p, write) != VERDICT_NONE)
        return p->verdict;
    if (is_refusal(read) && is_refusal(write))
        return say(p, VERDICT_REFUSED, STR("refused"));
    if (is_refusal(write))
        return say(p, VERDICT_REFUSED, STR("missing RegistryWrite"));
    if (is_refusal(read))
        return say(p, VERDICT_REFUSED, STR("missing ServiceConnect"));
    /* A hub of this deployment that is not there was deleted. */
    if (read->status == 404 && id_hub_built_in(a, read->host, p->check->c->worker->cfg->domain))
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
                   ? arena_printf(k->c->arena, "%s: %.*s", k->credentials.names[i], STR_ARG(p->why))
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
    int64_t regular_ms = k->c->worker->cfg->link_check_s * 1000;
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
    log_event(k->state == LINK_VALID ? LOG_INFO : LOG_WARN, "link", L_TEXT("idScope", k->id_scope),
              L_TEXT("host", k->link->host), L_CSTR("from", link_state_words[k->link->state - 1]),
              L_CSTR("to", link_state_words[k->state - 1]), L_TEXT("reason", k->reason.p ? k->reason : STR("")));
}

static err_t write_check(struct link_check *k)
{
    struct job_context *c = k->c;
    bool taken = false;
    const struct db_link_validated v = {k->id_scope, k->link->host, k->job.fence, k->link->credential_version,
                                        k->state,    k->reason,     k->good,      next_ms(k)};
    TRY(db_link_validated(c->db, c->arena, &v, &taken));
    c->counts.done += taken;
    c->counts.dropped += !taken;
    if (!taken || k->state == k->link->state)
        return NULL;
    note_change(k);
    return link_state_is_usable(k->state) ? db_link_wake_assign(c->db, c->arena, k->id_scope, &k->link->host, 1) : NULL;
}

static err_t put_back(struct link_check *k, int64_t delay_ms, bool failed, struct str error)
{
    struct job_context *c = k->c;
    struct db_job_back back = {k->job, delay_ms, failed, error};
    c->counts.retried++;
    return db_job_put_back(c->db, c->arena, &c->of, job_kind_name(JOB_link_validate), &back, 1);
}

/* Keys that do not open are a trouble of this installation, not of the hub. */
static err_t put_back_unopened(struct link_check *k)
{
    log_event(LOG_ERROR, "linkUnopened", L_TEXT("idScope", k->id_scope), L_TEXT("host", k->link->host));
    return put_back(k, job_backoff_ms(JOB_link_validate, k->job.attempt), true, STR("the credential cannot be opened"));
}

/* A link that is known to be unwell can wait as if it had been tried: others may be at the host for the first time. */
static err_t put_back_untried(struct link_check *k)
{
    bool unwell = k->link->state == LINK_UNREACHABLE || k->link->state == LINK_INVALID;
    k->state = k->link->state;
    return put_back(k, unwell ? next_ms(k) : pace_ms(PACE_link_host_full, lasted_ms(k->link)), false,
                    (struct str){NULL, 0});
}

static const struct db_link *link_of(const struct db_link *links, size_t count, struct str host)
{
    for (size_t i = 0; i < count; i++)
        if (str_same(links[i].host, host))
            return &links[i];
    return NULL;
}

/* Sorts the claimed jobs into checks; what cannot be checked is ended or put back here. */
static err_t prepare(struct job_context *c, struct str id_scope, const struct db_job *jobs, size_t count,
                     struct link_check *ret, size_t *ret_count)
{
    struct db_link *links;
    size_t link_count, n = 0;
    TRY(db_link_find(c->db, c->arena, id_scope, (struct str){NULL, 0}, &links, &link_count));
    for (size_t i = 0; i < count; i++) {
        struct link_check k = {
            .c = c, .id_scope = id_scope, .job = jobs[i], .link = link_of(links, link_count, jobs[i].subject)};
        if (!k.link) {
            TRY(db_job_done(c->db, c->arena, &c->of, job_kind_name(JOB_link_validate), &jobs[i], 1));
            c->counts.dropped++;
        } else if (link_unseal(c->arena, c->worker->ring, id_scope, k.link, &k.credentials)) {
            TRY(put_back_unopened(&k));
        } else {
            ret[n++] = k;
        }
    }
    *ret_count = n;
    return NULL;
}

err_t job_link_validate(struct job_context *c, struct str id_scope)
{
    const struct db_job_claim claim = {c->of, job_kind_name(JOB_link_validate), job_claim_limit(JOB_link_validate),
                                       c->worker->cfg->lease_ms};
    int64_t claimed_ms = clock_ms();
    struct db_job *jobs;
    size_t job_count, count;
    TRY(db_job_claim(c->db, c->arena, &claim, &jobs, &job_count));
    c->counts.claimed = (int64_t)job_count;
    if (job_count == 0)
        return NULL;
    struct link_check *checks = ARENA_NEW_ARRAY(c->arena, job_count, struct link_check);
    TRY(prepare(c, id_scope, jobs, job_count, checks, &count));
    run_probes(c, checks, count, claimed_ms);
    for (size_t i = 0; i < count; i++) {
        if (!checks[i].full)
            conclude(&checks[i]);
        TRY(checks[i].full ? put_back_untried(&checks[i]) : write_check(&checks[i]));
    }
    return NULL;
}
