/* main.c: wires idscope-worker together: settings, key ring, threads, health. Foreground, JSON logs on stderr.
 * Exit codes: 0 stopped as asked, 1 start me again, 78 a setting is wrong and starting again will not help. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/health.h"
#include "core/process/keyfile.h"
#include "core/process/log_sink.h"
#include "core/process/metric.h"
#include "workers/loop.h"

enum { EXIT_BAD_CONFIG = 78, DATABASE_WAIT_MS = 60000, DATABASE_RETRY_US = 500000, LAST_WRITES_MS = 2000 };

struct program {
    struct arena *arena;
    struct cfg cfg;
    struct key_ring *ring;
    struct worker worker;
    struct health *health;
    atomic_bool ready;
};

static int failed(int code, const char *event, const struct err_detail *d)
{
    log_event(LOG_ERROR, event, L_CSTR("detail", d->text));
    return code;
}

/* --- health ------------------------------------------------------------------------------------------------------- */

static bool is_ready(void *context, struct arena *a, struct str *ret_why_not)
{
    (void)a;
    struct program *p = context;
    bool ready = atomic_load(&p->ready);
    *ret_why_not = ready ? STR("the database cannot be reached") : STR("starting or draining");
    return ready && connections_up(p->worker.connections);
}

static void write_outcomes(const struct metric *m, enum job_kind kind, struct kind_stats *s)
{
    const struct {
        const char *outcome;
        _Atomic int64_t *n;
    } rows[] = {{"done", &s->done},
                {"failed", &s->failed},
                {"retried", &s->retried},
                {"dropped", &s->dropped},
                {"dead", &s->dead}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metric_count(m, (uint64_t)atomic_load(rows[i].n),
                     METRIC_LABELS({"kind", job_kind_name(kind).p}, {"outcome", rows[i].outcome}));
}

static void write_metrics(void *context, struct text *out)
{
    struct program *p = context;
    log_sink_metrics(out);
    struct metric m = metric_begin(out, "idscope_jobs_total", "Jobs, by kind and what became of them.", METRIC_COUNTER);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        write_outcomes(&m, k, &p->worker.stats[k]);
    m = metric_begin(out, "idscope_job_busy_seconds_total", "Time spent on groups of jobs.", METRIC_COUNTER);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        metric_number(&m, (double)atomic_load(&p->worker.stats[k].busy_us) / 1e6,
                      METRIC_LABELS({"kind", job_kind_name(k).p}));
    m = metric_begin(out, "idscope_jobs_running", "Slots that are busy with a kind of job.", METRIC_GAUGE);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        metric_count(&m, (uint64_t)atomic_load(&p->worker.stats[k].running),
                     METRIC_LABELS({"kind", job_kind_name(k).p}));
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

/* Signals are taken by main's sigwait and by nobody else. */
static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static err_t check_ca_file(const struct cfg *cfg, struct err_detail *d)
{
    if (cfg->ca_file.n && access(cfg->ca_file.p, R_OK) != 0)
        return err_say(d, E(BAD_CONFIG), "ca_file %s cannot be read.", cfg->ca_file.p);
    return NULL;
}

static err_t load_settings(struct program *p, struct err_detail *d)
{
    struct worker *w = &p->worker;
    TRY(key_ring_load(p->cfg.key_ring_file, d, &p->ring));
    TRY(check_ca_file(&p->cfg, d));
    TRY(outgoing_parse(p->cfg.outgoing_allow, d, &w->hub.outgoing));
    w->cfg = &p->cfg;
    w->arena = p->arena;
    w->ring = p->ring;
    w->hub.domain = p->cfg.domain;
    w->hub.edge_address = p->cfg.edge_address;
    w->hub.ca_file = p->cfg.ca_file.n ? p->cfg.ca_file.p : NULL;
    w->hosts = hosts_new(p->arena);
    w->frozen = frozen_new(p->arena);
    const struct health_source source = {is_ready, write_metrics, p};
    return health_start(p->cfg.health_listen, &source, d, &p->health);
}

static bool asked_to_stop(const sigset_t *signals)
{
    const struct timespec no_wait = {0};
    return sigtimedwait(signals, NULL, &no_wait) > 0;
}

/* A database that is not there yet is waited for; one that does not fit is not. */
static err_t start_threads(struct program *p, const sigset_t *signals, struct err_detail *d, bool *ret_asked_to_stop)
{
    int64_t until_ms = clock_ms() + DATABASE_WAIT_MS;
    for (;;) {
        err_t e = loop_start(&p->worker, d);
        *ret_asked_to_stop = e && asked_to_stop(signals);
        if (e != E(DATABASE_UNAVAILABLE) || clock_ms() > until_ms || *ret_asked_to_stop)
            return e;
        loop_stop(&p->worker);
        log_event(LOG_WARN, "databaseAwaited", L_CSTR("detail", d->text));
        usleep(DATABASE_RETRY_US);
    }
}

static int run(struct program *p, const sigset_t *signals)
{
    int signal_number;
    bool asked = false;
    struct err_detail d = {""};
    if (load_settings(p, &d))
        return failed(EXIT_BAD_CONFIG, "badConfiguration", &d);
    if (start_threads(p, signals, &d, &asked))
        return asked ? EXIT_SUCCESS : failed(EXIT_FAILURE, "databaseFailed", &d);
    atomic_store(&p->ready, true);
    log_event(LOG_INFO, "started", L_CSTR("version", IDSCOPE_VERSION), L_TEXT("region", p->cfg.region));
    sigwait(signals, &signal_number);
    log_event(LOG_INFO, "draining", L_NUM("signal", signal_number));
    atomic_store(&p->ready, false);
    return EXIT_SUCCESS;
}

static void stop(struct program *p)
{
    db_hurry(p->cfg.drain_ms + LAST_WRITES_MS); /* a database that is frozen must not keep us */
    if (p->worker.cfg)
        loop_stop(&p->worker);
    health_stop(p->health);
    frozen_free(p->worker.frozen);
    key_ring_free(p->ring);
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static int after_asking(struct arena *a, enum cfg_ask ask)
{
    if (ask == CFG_HELP)
        fputs(cfg_help(a, CFG_WORKER).p, stdout);
    else if (ask == CFG_VERSION)
        puts("idscope-worker " IDSCOPE_VERSION);
    else
        puts("The settings are valid.");
    return EXIT_SUCCESS;
}

static err_t read_settings(struct program *p, const struct log_sink *sink, char **argv, enum cfg_ask *ret_ask,
                           struct err_detail *d)
{
    char **words;
    enum log_level level = LOG_INFO;
    TRY(cfg_read(p->arena, CFG_WORKER, argv, environ, &p->cfg, ret_ask, &words, d));
    if (words[0])
        return err_say(d, E(BAD_CONFIG), "%s is no setting.", words[0]);
    if (!log_level_of(p->cfg.log_level, &level))
        return err_say(d, E(BAD_CONFIG), "log_level must be debug, info, warn or error.");
    log_init("worker", level, sink);
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    static struct program p;
    enum cfg_ask ask;
    struct err_detail d = {""};
    sigset_t signals;
    int code;
    p.arena = arena_new();
    const struct log_sink *sink = log_sink_start(STDERR_FILENO);
    log_init("worker", LOG_INFO, sink);
    if (read_settings(&p, sink, argv, &ask, &d)) {
        code = failed(EXIT_BAD_CONFIG, "badConfiguration", &d);
    } else if (ask != CFG_RUN) {
        code = after_asking(p.arena, ask);
    } else {
        block_signals(&signals);
        hub_client_global_init();
        code = run(&p, &signals);
        stop(&p);
        log_event(LOG_INFO, "stopped", L_NUM("code", code));
    }
    arena_free(p.arena);
    log_sink_stop();
    return code;
}
