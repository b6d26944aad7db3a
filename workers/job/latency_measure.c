/* latency_measure.c: how far a linked hub is from this worker's region: the time of TCP connects on fresh connections,
 * and TLS and HTTP times of one call beside them. One measurement serves all scopes that link the host. It must never
 * send a credential. */
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/process/clock.h"
#include "db/job.h"
#include "db/link.h"
#include "workers/calls.h"
#include "workers/hub_answer.h"

enum { CONNECTS = 3, TIMEOUT_MS = 5000, US_MAX = 2000000000 };

/* One host. */
struct measurement {
    struct job_context *c;
    struct calls *calls;
    struct db_job job;
    struct str host;
    struct db_latency_found before; /* young: measured a moment ago, not again */
    int64_t back_ms;                /* > 0: not begun, to be tried again then */
    struct hub_call call;
    int64_t samples_us[CONNECTS + SAMPLES_MOST];
    size_t count;
    int64_t tls_us, http_us;
};

/* The calls of a host follow each other, so that they do not wait for each other in the figures. */
static void start_connect(struct measurement *m)
{
    m->call = (struct hub_call){
        .host = m->host,
        .method = "GET",
        .path = STR("/statistics/service?api-version=" HUB_API_VERSION),
        .timeout_ms = TIMEOUT_MS,
        .fresh = true,
        .connect_only = m->count > 0,
        .owner = m,
    };
    calls_start(m->calls, &m->call);
}

/* A host of which one connect fails has no figure, nor one whose first answer, a refusal, is not in a hub's words.
 * Returns whether another connect is wanted. */
static bool take_connect(struct measurement *m)
{
    const struct hub_call *call = &m->call;
    bool of_hub = m->count > 0 || hub_answer_message(call).p;
    if (call->outcome != HUB_ANSWERED || call->connect_us <= 0 || !of_hub) {
        m->count = 0;
        return false;
    }
    if (m->count == 0) {
        m->tls_us = call->tls_us;
        m->http_us = call->http_us;
    }
    m->samples_us[m->count++] = call->connect_us;
    return m->count < CONNECTS;
}

static void take_answer(struct hub_call *call)
{
    struct measurement *m = call->owner;
    if (take_connect(m))
        start_connect(m);
    else
        calls_over(m->calls, call);
}

static void begin(struct measurement *m)
{
    int how;
    if (m->before.young || hosts_is_silent(m->c->worker->hosts, m->host, &how))
        return;
    enum hosts_word word = calls_enter(m->calls, m->host, 0, &m->back_ms);
    if (word == HOSTS_ENTERED)
        start_connect(m);
    else if (word == HOSTS_FULL)
        m->back_ms = job_backoff_ms(JOB_latency_measure, 0);
}

static void measure_all(struct job_context *c, struct measurement *at, size_t count, int64_t claimed_ms)
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

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int32_t bounded(int64_t us)
{
    return (int32_t)(us < US_MAX ? us : US_MAX);
}

/* Nearest rank: the smallest sample that so many percent do not exceed. */
static int32_t percentile(struct arena *a, const int64_t *samples, size_t count, size_t percent)
{
    int64_t *sorted = ARENA_NEW_ARRAY(a, count, int64_t);
    memcpy(sorted, samples, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_size);
    return bounded(sorted[(count * percent + 99) / 100 - 1]);
}

/* The new samples behind the old ones, the oldest cut. */
static void append_to(struct measurement *m, const struct i64_list *old)
{
    size_t old_count = old->n < SAMPLES_MOST ? old->n : SAMPLES_MOST;
    int64_t fresh[CONNECTS];
    size_t fresh_count = m->count;
    memcpy(fresh, m->samples_us, fresh_count * sizeof *fresh);
    if (old_count > 0)
        memcpy(m->samples_us, old->at, old_count * sizeof *old->at);
    memcpy(m->samples_us + old_count, fresh, fresh_count * sizeof *fresh);
    m->count = old_count + fresh_count;
    size_t cut = m->count > SAMPLES_MOST ? m->count - SAMPLES_MOST : 0;
    memmove(m->samples_us, m->samples_us + cut, (m->count - cut) * sizeof *m->samples_us);
    m->count -= cut;
}

static err_t write_measurement(struct measurement *m)
{
    struct job_context *c = m->c;
    append_to(m, &m->before.samples_us);
    const struct db_latency l = {
        .region = c->worker->cfg->region,
        .host = m->host,
        .samples_us = m->samples_us,
        .sample_count = m->count,
        .p50_us = percentile(c->arena, m->samples_us, m->count, 50),
        .p95_us = percentile(c->arena, m->samples_us, m->count, 95),
        .tls_us = bounded(m->tls_us),
        .http_us = bounded(m->http_us),
    };
    return db_latency_write(c->db, c->arena, &l);
}

static err_t look(struct job_context *c, const struct db_job *job, struct measurement *ret)
{
    int64_t young_ms = percent_of(PERCENT_of_check_young, c->worker->cfg->latency_check_s * 1000);
    *ret = (struct measurement){.c = c, .job = *job, .host = job->subject};
    return db_latency_find(c->db, c->arena, c->worker->cfg->region, ret->host, young_ms, &ret->before);
}

static err_t put_back(struct measurement *m)
{
    const struct db_job_back back = {.job = m->job, .delay_ms = m->back_ms};
    m->c->counts.retried++;
    return db_job_put_back(m->c->db, m->c->arena, &m->c->of, job_kind_name(JOB_latency_measure), &back, 1);
}

static err_t finish(struct measurement *m)
{
    if (m->back_ms > 0)
        return put_back(m);
    if (m->count > 0)
        TRY(write_measurement(m));
    m->c->counts.done += m->count > 0;
    m->c->counts.dropped += m->count == 0;
    return db_job_done(m->c->db, m->c->arena, &m->c->of, job_kind_name(JOB_latency_measure), &m->job, 1);
}

/* A host that does not answer has no new figure; the old one goes stale, and the schedule asks again. */
err_t job_latency_measure(struct job_context *c, struct str id_scope)
{
    const struct db_job_claim claim = {c->of, job_kind_name(JOB_latency_measure), job_claim_limit(JOB_latency_measure),
                                       c->worker->cfg->lease_ms};
    int64_t claimed_ms = clock_ms();
    struct db_job *jobs;
    size_t count;
    TRY(db_job_claim(c->db, c->arena, &claim, &jobs, &count));
    c->counts.claimed = (int64_t)count;
    struct measurement *at = ARENA_NEW_ARRAY(c->arena, count, struct measurement);
    for (size_t i = 0; i < count; i++)
        TRY(look(c, &jobs[i], &at[i]));
    measure_all(c, at, count, claimed_ms);
    (void)id_scope;
    for (size_t i = 0; i < count; i++)
        TRY(finish(&at[i]));
    return NULL;
}
