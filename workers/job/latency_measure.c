/* latency_measure.c: how far a linked hub is from this worker's region: the time of TCP connects on fresh connections,
 * and TLS and HTTP times of one call beside them. One measurement serves all scopes that link the host. It must never
 * send a credential. */
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "db/job.h"
#include "db/link.h"
#include "workers/hub/kind.h"
#include "workers/hub_answer.h"
#include "workers/round.h"

enum { CONNECTS = 3, US_MAX = 2000000000 };

/* One host. */
struct measurement {
    struct round_item item;
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
        .host = m->item.host,
        .timeout_ms = WAIT_measure_answer_MS,
        .fresh = true,
        .connect_only = m->count > 0,
        .owner = m,
    };
    hub_ask(&hub_iothub, HUB_STATISTICS, (struct str){NULL, 0}, m->item.c->arena, &m->call);
    calls_start(m->item.calls, &m->call);
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

static struct round_item *take_answer(struct hub_call *call)
{
    struct measurement *m = call->owner;
    if (take_connect(m)) {
        start_connect(m);
    } else {
        m->item.open = 0;
        calls_over(m->item.calls, call);
    }
    return &m->item;
}

static err_t look(struct round_item *item)
{
    struct measurement *m = (struct measurement *)item;
    const struct cfg *cfg = item->c->worker->cfg;
    int64_t young_ms = percent_of(PERCENT_of_check_young, cfg->latency_check_s * 1000);
    item->host = item->job.subject;
    return db_latency_find(item->c->db, item->c->arena, cfg->region, item->host, young_ms, &m->before);
}

static void begin(struct round_item *item)
{
    struct measurement *m = (struct measurement *)item;
    int how;
    if (m->before.young || hosts_is_silent(item->c->worker->hosts, item->host, &how))
        return;
    enum hosts_word word = item->full ? HOSTS_FULL : calls_enter(item->calls, item->host, &m->back_ms);
    item->open = word == HOSTS_ENTERED;
    if (item->open)
        start_connect(m);
    else if (word == HOSTS_FULL)
        m->back_ms = job_backoff_ms(JOB_latency_measure, 0);
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
    struct job_context *c = m->item.c;
    append_to(m, &m->before.samples_us);
    const struct db_latency l = {
        .region = c->worker->cfg->region,
        .host = m->item.host,
        .samples_us = m->samples_us,
        .sample_count = m->count,
        .p50_us = percentile(c->arena, m->samples_us, m->count, 50),
        .p95_us = percentile(c->arena, m->samples_us, m->count, 95),
        .tls_us = bounded(m->tls_us),
        .http_us = bounded(m->http_us),
    };
    return db_latency_write(c->db, c->arena, &l);
}

/* A host that does not answer has no new figure; the old one goes stale, and the schedule asks again. */
static err_t finish(struct round_item *item)
{
    struct measurement *m = (struct measurement *)item;
    if (m->count > 0)
        TRY(write_measurement(m));
    if (m->back_ms > 0)
        round_put_back(item, m->back_ms, false, (struct str){NULL, 0});
    else
        round_done(item, m->count > 0);
    return NULL;
}

err_t job_latency_measure(struct job_context *c)
{
    static const struct round_kind kind = {.size = sizeof(struct measurement),
                                           .one_by_one = true,
                                           .look = look,
                                           .begin = begin,
                                           .answered = take_answer,
                                           .finish = finish};
    return round_run(c, &kind);
}
