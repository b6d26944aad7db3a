/* main.c: idscope-worker as a table of steps: what it opens, in which order, and how each goes away again. */
#include <string.h>

#include "core/process/keyfile.h"
#include "core/process/metric.h"
#include "core/process/program.h"
#include "workers/loop.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
enum { CA_FILE_MAX = 4 * 1024 * 1024 };

struct worker_program {
    struct process process;
    struct worker worker;
};

/* --- steps -------------------------------------------------------------------------------------------------------- */

/* The file's bytes are kept: later, as another user, it may be out of reach. */
static err_t read_ca_file(void *self, struct err_detail *d)
{
    struct worker_program *p = self;
    struct str path = p->process.cfg.ca_file, *to = &p->worker.hub.ca_pem;
    if (path.n)
        TRY(file_read(p->process.arena, "ca_file", path, CA_FILE_MAX, d, to));
    if (path.n && !memmem(to->p, to->n, PEM_BEGIN, sizeof PEM_BEGIN - 1))
        return err_say(d, E(BAD_CONFIG), "ca_file %s holds no certificate in PEM.", path.p);
    return NULL;
}

static err_t make_worker(void *self, struct err_detail *d)
{
    struct worker_program *p = self;
    struct worker *w = &p->worker;
    hub_client_global_init();
    w->cfg = &p->process.cfg;
    w->arena = p->process.arena;
    w->ring = p->process.ring;
    w->hub.domain = p->process.cfg.domain;
    w->hub.edge_address = p->process.cfg.edge_address;
    TRY(outgoing_parse(p->process.cfg.outgoing_allow, d, &w->hub.outgoing));
    w->hosts = hosts_new(p->process.arena);
    w->frozen = frozen_new();
    return NULL;
}

static void free_worker(void *self)
{
    struct worker_program *p = self;
    cache_free(p->worker.frozen);
}

static err_t start_loop(void *self, struct err_detail *d)
{
    struct worker_program *p = self;
    err_t e = loop_start(&p->worker, d);
    if (e)
        loop_stop(&p->worker);
    return e;
}

/* A database that is frozen must not keep us. */
static void stop_loop(void *self)
{
    struct worker_program *p = self;
    db_hurry(p->process.cfg.drain_ms);
    loop_stop(&p->worker);
}

static const struct start_step steps[] = {
    {.start = program_load_keys, .stop = program_free_keys},
    {.start = read_ca_file},
    {.start = make_worker, .stop = free_worker},
    {.start = program_open_health, .stop = program_stop_health},
    {.start = program_drop_root},
    {.start = program_start_health},
    {.start = start_loop, .stop = stop_loop},
};

/* --- what others may know ----------------------------------------------------------------------------------------- */

static bool is_ready(struct process *p, struct str *ret_why_not)
{
    struct worker *w = &((struct worker_program *)p)->worker;
    *ret_why_not = STR("the database cannot be reached");
    return connections_up(w->connections) && db_answers(w->cfg->database_url.p);
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

static void write_metrics(struct process *p, struct text *out)
{
    struct worker *w = &((struct worker_program *)p)->worker;
    struct metric m = metric_begin(out, "idscope_jobs_total", "Jobs, by kind and what became of them.", METRIC_COUNTER);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        write_outcomes(&m, k, &w->stats[k]);
    m = metric_begin(out, "idscope_job_busy_seconds_total", "Time spent on groups of jobs.", METRIC_COUNTER);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        metric_number(&m, (double)atomic_load(&w->stats[k].busy_us) / 1e6, METRIC_LABELS({"kind", job_kind_name(k).p}));
    m = metric_begin(out, "idscope_job_turns_total", "Turns of a slot.", METRIC_COUNTER);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        metric_count(&m, (uint64_t)atomic_load(&w->stats[k].turns), METRIC_LABELS({"kind", job_kind_name(k).p}));
    m = metric_begin(out, "idscope_job_owners_total", "ID scopes, or tenants, that turns were for.", METRIC_COUNTER);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        metric_count(&m, (uint64_t)atomic_load(&w->stats[k].owners), METRIC_LABELS({"kind", job_kind_name(k).p}));
    m = metric_begin(out, "idscope_jobs_running", "Slots that are busy with a kind of job.", METRIC_GAUGE);
    for (enum job_kind k = 0; k < JOB_KINDS; k++)
        metric_count(&m, (uint64_t)atomic_load(&w->stats[k].running), METRIC_LABELS({"kind", job_kind_name(k).p}));
}

int main(int argc, char **argv)
{
    static struct worker_program p;
    static const struct program program = {
        .name = "worker",
        .settings = CFG_WORKER,
        .steps = steps,
        .step_count = sizeof steps / sizeof *steps,
        .ready = is_ready,
        .metrics = write_metrics,
    };
    (void)argc;
    return program_main(&program, &p.process, argv);
}
