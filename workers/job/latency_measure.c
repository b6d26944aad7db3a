/* latency_measure.c: how far a linked hub is from this worker's region: the time of TCP connects on fresh connections,
 * and TLS and HTTP times of one call beside them. One measurement serves all scopes that link the host. It must never
 * send a credential. */
#include <stdlib.h>
#include <string.h>

#include "core/process/clock.h"
#include "db/job.h"
#include "db/link.h"
#include "workers/loop.h"

enum { CONNECTS = 3, SAMPLES_KEPT = 100, TIMEOUT_MS = 5000, SLICE_MS = 200, YOUNG_PERCENT = 80, US_MAX = 2000000000 };

struct measurement {
    int64_t samples_us[CONNECTS + SAMPLES_KEPT];
    size_t count;
    int64_t tls_us, http_us;
};

/* One call, alone, so that calls of our own do not wait for each other in the figures. */
static bool run_call(struct job_context *c, struct hub_call *call)
{
    hub_client_start(c->client, call);
    int64_t until_ms = clock_ms() + call->timeout_ms + SLICE_MS;
    while (clock_ms() < until_ms && !atomic_load(&c->worker->stopping))
        if (hub_client_next(c->client, SLICE_MS))
            return call->outcome == HUB_ANSWERED;
    hub_client_cancel(c->client, call);
    return false;
}

static bool run_connect(struct job_context *c, struct str host, bool connect_only, struct hub_call *call)
{
    *call = (struct hub_call){
        .arena = c->arena,
        .host = host,
        .method = "GET",
        .path = STR("/statistics/service?api-version=" HUB_API_VERSION),
        .timeout_ms = TIMEOUT_MS,
        .fresh = true,
        .connect_only = connect_only,
    };
    return run_call(c, call) && call->connect_us > 0;
}

/* The first connect is the one that goes on to TLS and HTTP. False when the host does not answer. */
static bool measure(struct job_context *c, struct str host, struct measurement *m)
{
    for (int i = 0; i < CONNECTS; i++) {
        struct hub_call call;
        if (!run_connect(c, host, i > 0, &call))
            return false;
        if (i == 0) {
            m->tls_us = call.tls_us;
            m->http_us = call.http_us;
        }
        m->samples_us[m->count++] = call.connect_us;
    }
    return true;
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
static void append_to(struct measurement *m, const int64_t *old, size_t old_count)
{
    int64_t fresh[CONNECTS];
    size_t fresh_count = m->count;
    memcpy(fresh, m->samples_us, fresh_count * sizeof *fresh);
    if (old_count > 0)
        memcpy(m->samples_us, old, old_count * sizeof *old);
    memcpy(m->samples_us + old_count, fresh, fresh_count * sizeof *fresh);
    m->count = old_count + fresh_count;
    size_t cut = m->count > SAMPLES_KEPT ? m->count - SAMPLES_KEPT : 0;
    memmove(m->samples_us, m->samples_us + cut, (m->count - cut) * sizeof *m->samples_us);
    m->count -= cut;
}

static err_t write_measurement(struct job_context *c, struct str host, struct measurement *m, const int64_t *old,
                               size_t old_count)
{
    append_to(m, old, old_count < SAMPLES_KEPT ? old_count : SAMPLES_KEPT);
    const struct db_latency l = {
        .region = c->worker->cfg->region,
        .host = host,
        .samples_us = m->samples_us,
        .sample_count = m->count,
        .p50_us = percentile(c->arena, m->samples_us, m->count, 50),
        .p95_us = percentile(c->arena, m->samples_us, m->count, 95),
        .tls_us = bounded(m->tls_us),
        .http_us = bounded(m->http_us),
    };
    return db_latency_write(c->db, c->arena, &l);
}

static err_t measure_host(struct job_context *c, struct str host)
{
    int64_t young_ms = c->worker->cfg->latency_check_s * 1000 * YOUNG_PERCENT / 100;
    int64_t *old = NULL;
    size_t old_count;
    bool young;
    struct measurement m = {.count = 0};
    TRY(db_latency_find(c->db, c->arena, c->worker->cfg->region, host, young_ms, &old, &old_count, &young));
    if (young || !measure(c, host, &m)) {
        c->counts.dropped++;
        return NULL;
    }
    TRY(write_measurement(c, host, &m, old, old_count));
    c->counts.done++;
    return NULL;
}

/* A host that does not answer has no new figure; the old one goes stale, and the schedule asks again. */
err_t job_latency_measure(struct job_context *c, struct str id_scope)
{
    const struct db_job_claim claim = {id_scope, job_kind_name(JOB_latency_measure),
                                       job_claim_limit(JOB_latency_measure), c->worker->cfg->lease_ms};
    struct db_job *jobs;
    size_t count;
    TRY(db_job_claim(c->db, c->arena, &claim, &jobs, &count));
    c->counts.claimed = (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        TRY(measure_host(c, jobs[i].subject));
        TRY(db_job_done(c->db, c->arena, id_scope, job_kind_name(JOB_latency_measure), &jobs[i], 1));
    }
    return NULL;
}
