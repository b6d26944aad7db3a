/* program.c: the life of a program from its command line to its exit code. It must never know what the program does. */
#include "core/process/program.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/process/clock.h"
#include "core/process/keyfile.h"
#include "core/process/log_sink.h"
#include "core/process/privileges.h"

enum {
    DATABASE_WAIT_S = 60, /* for one that is starting as well */
    DATABASE_RETRY_US = 500000,
    LAST_WORDS_MS = 2000,
};

int program_exit_code(err_t e)
{
    if (!e)
        return EXIT_DONE;
    return e == E(BAD_CONFIG) ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

int64_t program_work_ms(int64_t drain_ms)
{
    return drain_ms - (drain_ms / 2 < LAST_WORDS_MS ? drain_ms / 2 : LAST_WORDS_MS);
}

static int failed(err_t e, const struct err_detail *d)
{
    log_event(LOG_ERROR, e == E(BAD_CONFIG) ? "badConfiguration" : "startFailed", L_CSTR("error", e->name),
              L_CSTR("detail", d->text[0] ? d->text : e->sentence));
    return program_exit_code(e);
}

/* --- health ------------------------------------------------------------------------------------------------------- */

static bool is_ready(void *context, struct str *ret_why_not)
{
    struct process *p = context;
    pthread_mutex_lock(&p->looking);
    bool ready = p->complete && !p->draining;
    *ret_why_not = STR("starting or draining");
    if (ready)
        ready = p->program->ready(p, ret_why_not);
    pthread_mutex_unlock(&p->looking);
    return ready;
}

static void write_metrics(void *context, struct text *out)
{
    struct process *p = context;
    log_sink_metrics(out);
    pthread_mutex_lock(&p->looking);
    if (p->complete)
        p->program->metrics(p, out);
    pthread_mutex_unlock(&p->looking);
}

static void set_complete(struct process *p, bool complete)
{
    pthread_mutex_lock(&p->looking);
    p->complete = complete;
    pthread_mutex_unlock(&p->looking);
}

/* --- steps that all programs have --------------------------------------------------------------------------------- */

err_t program_load_keys(void *process, struct err_detail *d)
{
    struct process *p = process;
    return key_ring_load(p->cfg.key_ring_file, d, &p->ring);
}

void program_free_keys(void *process)
{
    struct process *p = process;
    key_ring_free(p->ring);
}

err_t program_open_health(void *process, struct err_detail *d)
{
    struct process *p = process;
    const struct health_source source = {is_ready, write_metrics, p};
    return health_open(p->cfg.health_listen, &source, d, &p->health);
}

void program_stop_health(void *process)
{
    struct process *p = process;
    health_stop(p->health);
}

err_t program_drop_root(void *process, struct err_detail *d)
{
    const struct process *p = process;
    return privileges_drop(p->cfg.run_as, d);
}

err_t program_start_health(void *process, struct err_detail *d)
{
    struct process *p = process;
    return health_start(p->health, d);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

/* Signals are taken by sigwait of the main thread and by nobody else. */
static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void raise_descriptor_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files))
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static bool asked_to_stop(const sigset_t *signals)
{
    const struct timespec no_wait = {0};
    return sigtimedwait(signals, NULL, &no_wait) > 0;
}

/* A database that is not there yet is waited for; one that does not fit is not. */
static err_t start_step(struct process *p, const struct start_step *step, const sigset_t *signals, bool *ret_asked,
                        struct err_detail *d)
{
    int64_t end_us = clock_span_us() + DATABASE_WAIT_S * INT64_C(1000000);
    for (;;) {
        err_t e = step->start(p, d);
        *ret_asked = e && asked_to_stop(signals);
        if (e != E(DATABASE_UNAVAILABLE) || clock_span_us() > end_us || *ret_asked)
            return e;
        log_event(LOG_WARN, "databaseAwaited", L_CSTR("detail", d->text));
        usleep(DATABASE_RETRY_US);
    }
}

static void serve(struct process *p, const sigset_t *signals)
{
    int signal_number;
    set_complete(p, true);
    log_event(LOG_INFO, "started", L_CSTR("version", IDSCOPE_VERSION), L_TEXT("domain", p->cfg.domain),
              L_TEXT("region", p->cfg.region));
    sigwait(signals, &signal_number);
    p->draining = true;
    log_event(LOG_INFO, "stopping", L_NUM("signal", signal_number));
    if (p->program->drain)
        p->program->drain(p);
    set_complete(p, false);
}

static int run(struct process *p)
{
    const struct program *program = p->program;
    sigset_t signals;
    struct err_detail d = {""};
    err_t e = NULL;
    bool asked = false;
    size_t started = 0;
    block_signals(&signals);
    raise_descriptor_limit();
    while (!e && started < program->step_count) {
        e = start_step(p, &program->steps[started], &signals, &asked, &d);
        started += !e;
    }
    if (!e)
        serve(p, &signals);
    int code = !e || asked ? EXIT_DONE : failed(e, &d);
    stop_steps(program->steps, started, p);
    size_t left = arena_count() - 1; /* the process's own is freed last */
    log_event(LOG_INFO, "stopped", L_NUM("code", code), L_NUM("arenasLeft", left));
    return code;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static int after_asking(struct process *p, enum cfg_ask ask)
{
    if (ask == CFG_HELP)
        fputs(cfg_help(p->arena, p->program->settings).p, stdout);
    else if (ask == CFG_VERSION)
        printf("idscope-%s %s\n", p->program->name, IDSCOPE_VERSION);
    else
        puts("The settings are valid.");
    return EXIT_DONE;
}

static err_t read_settings(struct process *p, const struct log_sink *sink, char **argv, enum cfg_ask *ret_ask,
                           struct err_detail *d)
{
    char **words;
    enum log_level level = LOG_INFO;
    TRY(cfg_read(p->arena, p->program->settings, argv, environ, &p->cfg, ret_ask, &words, d));
    if (words[0])
        return err_say(d, E(BAD_CONFIG), "%s is no setting.", words[0]);
    if (!log_level_of(p->cfg.log_level, &level))
        return err_say(d, E(BAD_CONFIG), "log_level must be debug, info, warn or error.");
    log_init(p->program->name, level, sink);
    return NULL;
}

int program_main(const struct program *program, struct process *p, char **argv)
{
    const struct log_sink *sink = log_sink_start(STDERR_FILENO);
    struct err_detail d = {""};
    enum cfg_ask ask;
    p->program = program;
    p->arena = arena_new();
    pthread_mutex_init(&p->looking, NULL);
    log_init(program->name, LOG_INFO, sink);
    err_t e = read_settings(p, sink, argv, &ask, &d);
    int code = e ? failed(e, &d) : ask == CFG_RUN ? run(p) : after_asking(p, ask);
    pthread_mutex_destroy(&p->looking);
    arena_free(p->arena);
    log_sink_stop();
    return code;
}
