/* main.c: wires idscope-api together: settings, key ring, listeners, database, lanes, HTTP. Foreground, JSON logs on
 * stderr. Exit codes: 0 stopped as asked, 1 start me again, 78 a setting is wrong and starting again will not help. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/metrics.h"
#include "api/server.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/health.h"
#include "core/process/keyfile.h"
#include "core/process/log_sink.h"

enum {
    EXIT_BAD_CONFIG = 78,
    DATABASE_WAIT_S = 60, /* at start, for a database that is starting as well */
    DATABASE_RETRY_US = 500000,
    MALLOC_ARENAS = 2, /* threads hand requests to each other; more arenas only hold on to more memory */
    TRIM_BYTES = 256 * 1024,
    SECRET_MAX = 4096,
};

struct api {
    struct arena *arena;
    struct cfg cfg;
    struct key_ring *ring;
    struct shared shared;
    struct server *server;
    struct lanes *lanes;
    struct health *health;
    _Atomic bool ready;
};

static int failed(int code, const char *event, const struct err_detail *d)
{
    log_event(LOG_ERROR, event, L_CSTR("detail", d->text));
    return code;
}

/* A port that is taken, for one, may be free the next time. */
static int code_of(err_t e)
{
    return e == E(BAD_CONFIG) ? EXIT_BAD_CONFIG : EXIT_FAILURE;
}

/* --- before anything runs ----------------------------------------------------------------------------------------- */

/* Signals are taken by main's sigwait and by nobody else. */
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

static err_t read_secret(struct arena *a, struct str path, struct err_detail *d, struct str *ret)
{
    if (!path.n)
        return NULL;
    FILE *f = fopen(path.p, "re");
    if (!f)
        return err_say(d, E(BAD_CONFIG), "edge_secret_file %s cannot be opened: %s.", path.p, strerror(errno));
    char *text = arena_alloc(a, SECRET_MAX);
    size_t n = fread(text, 1, SECRET_MAX - 1, f);
    fclose(f);
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    *ret = str_trim((struct str){text, n});
    return NULL;
}

/* --- health ------------------------------------------------------------------------------------------------------- */

static bool is_ready(void *context, struct arena *a, struct str *ret_why_not)
{
    (void)a;
    const struct api *api = context;
    bool up = api->ready && lanes_ready(api->lanes);
    *ret_why_not = api->ready ? STR("the database cannot be reached") : STR("starting or draining");
    return up;
}

static void write_metrics(void *context, struct text *out)
{
    const struct api *api = context;
    log_sink_metrics(out);
    metrics_write(out);
    if (!api->ready)
        return;
    lanes_metrics(api->lanes, out);
    server_metrics(api->server, out);
}

/* --- start and stop ----------------------------------------------------------------------------------------------- */

static err_t load_settings(struct api *api, struct err_detail *d)
{
    struct str secret = {NULL, 0};
    TRY(key_ring_load(api->cfg.key_ring_file, d, &api->ring));
    TRY(read_secret(api->arena, api->cfg.edge_secret_file, d, &secret));
    api->shared = (struct shared){
        .cfg = &api->cfg, .ring = api->ring, .gate = gate_new(api->ring), .tokens = token_keys_new(api->ring)};
    TRY(server_open(&api->shared, secret, d, &api->server));
    const struct health_source source = {is_ready, write_metrics, api};
    return health_start(api->cfg.health_listen, &source, d, &api->health);
}

static bool asked_to_stop(const sigset_t *signals)
{
    const struct timespec no_wait = {0};
    return sigtimedwait(signals, NULL, &no_wait) > 0;
}

/* A database that is not there yet is waited for; one that does not fit is not. */
static err_t open_lanes(struct api *api, const sigset_t *signals, struct err_detail *d, bool *ret_asked_to_stop)
{
    int64_t end_us = clock_span_us() + DATABASE_WAIT_S * INT64_C(1000000);
    for (;;) {
        err_t e = lanes_open(&api->shared, d, &api->lanes);
        *ret_asked_to_stop = e && asked_to_stop(signals);
        if (e != E(DATABASE_UNAVAILABLE) || clock_span_us() > end_us || *ret_asked_to_stop)
            return e;
        log_event(LOG_WARN, "databaseAwaited", L_CSTR("detail", d->text));
        usleep(DATABASE_RETRY_US);
    }
}

static void stop(struct api *api)
{
    if (api->lanes)
        lanes_stop(api->lanes);
    health_stop(api->health); /* it looks at lanes and server */
    server_stop(api->server);
    lanes_free(api->lanes);
    token_keys_free(api->shared.tokens);
    gate_free(api->shared.gate);
    key_ring_free(api->ring);
}

static int run(struct api *api, const sigset_t *signals)
{
    int signal_number;
    bool asked = false;
    struct err_detail d = {""};
    err_t e = load_settings(api, &d);
    if (e)
        return failed(code_of(e), "badConfiguration", &d);
    if (open_lanes(api, signals, &d, &asked))
        return asked ? EXIT_SUCCESS : failed(EXIT_FAILURE, "databaseFailed", &d);
    lanes_start(api->lanes);
    if (server_start(api->server, api->lanes, &d))
        return failed(EXIT_FAILURE, "serverFailed", &d);
    api->ready = true;
    log_event(LOG_INFO, "started", L_CSTR("version", IDSCOPE_VERSION), L_TEXT("domain", api->cfg.domain));
    sigwait(signals, &signal_number);
    log_event(LOG_INFO, "draining", L_NUM("signal", signal_number), L_NUM("inFlight", server_in_flight(api->server)));
    api->ready = false;
    server_drain(api->server);
    return EXIT_SUCCESS;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static int after_asking(struct arena *a, enum cfg_ask ask)
{
    if (ask == CFG_HELP)
        fputs(cfg_help(a, CFG_API).p, stdout);
    else if (ask == CFG_VERSION)
        puts("idscope-api " IDSCOPE_VERSION);
    else
        puts("The settings are valid.");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    (void)argc;
    static struct api api;
    enum cfg_ask ask;
    char **words;
    struct err_detail d = {""};
    enum log_level level = LOG_INFO;
    sigset_t signals;
    api.arena = arena_new();
    const struct log_sink *sink = log_sink_start(STDERR_FILENO);
    log_init("api", level, sink);
    err_t e = cfg_read(api.arena, CFG_API, argv, environ, &api.cfg, &ask, &words, &d);
    if (!e && words[0])
        e = err_say(&d, E(BAD_CONFIG), "%s is no setting.", words[0]);
    if (!e && !log_level_of(api.cfg.log_level, &level))
        e = err_say(&d, E(BAD_CONFIG), "log_level must be debug, info, warn or error.");
    int code = e ? failed(EXIT_BAD_CONFIG, "badConfiguration", &d) : EXIT_SUCCESS;
    if (!e && ask != CFG_RUN)
        code = after_asking(api.arena, ask);
    if (!e && ask == CFG_RUN) {
        log_init("api", level, sink);
        mallopt(M_ARENA_MAX, MALLOC_ARENAS);
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
        block_signals(&signals);
        raise_descriptor_limit();
        code = run(&api, &signals);
        stop(&api);
        log_event(LOG_INFO, "stopped", L_NUM("code", code));
    }
    arena_free(api.arena);
    log_sink_stop();
    return code;
}
