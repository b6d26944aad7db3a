/* main.c: idscope-api as a table of steps: what it opens, in which order, and how each goes away again. */
#include <malloc.h>

#include "api/attempts.h"
#include "api/chores.h"
#include "api/metrics.h"
#include "api/rates.h"
#include "api/server.h"
#include "core/attest/verdict.h"
#include "core/log.h"
#include "core/process/keyfile.h"
#include "core/process/program.h"

enum {
    MALLOC_ARENAS = 2, /* threads hand requests to each other; more arenas only hold on to more memory */
    TRIM_BYTES = 256 * 1024,
    SECRET_MAX = 4096,
};

struct api {
    struct process process;
    struct str edge_secret;
    struct quotas quotas;
    struct shared shared;
    struct server *server;
    struct lanes *lanes;
    struct chores *chores;
};

/* --- steps -------------------------------------------------------------------------------------------------------- */

static err_t tune_memory(void *self, struct err_detail *d)
{
    (void)self, (void)d;
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    return NULL;
}

static err_t read_edge_secret(void *self, struct err_detail *d)
{
    struct api *api = self;
    struct str path = api->process.cfg.edge_secret_file, text = {NULL, 0};
    if (path.n)
        TRY(file_read(api->process.arena, "edge_secret_file", path, SECRET_MAX, d, &text));
    api->edge_secret = str_trim(text);
    return NULL;
}

static err_t read_limits(void *self, struct err_detail *d)
{
    struct api *api = self;
    return quotas_read(api->process.cfg.limits, &api->quotas, d);
}

static err_t make_shared(void *self, struct err_detail *d)
{
    (void)d;
    struct api *api = self;
    const struct key_ring *ring = api->process.ring;
    api->shared = (struct shared){.cfg = &api->process.cfg,
                                  .ring = ring,
                                  .quotas = &api->quotas,
                                  .operations = operation_keys_new(ring),
                                  .gate = gate_new(ring, &api->quotas),
                                  .rates = rates_new(),
                                  .verdicts = cache_new(VERDICTS_MOST, VERDICT_IS_GOOD_S * INT64_C(1000000)),
                                  .tokens = token_keys_new(ring),
                                  .attempts = attempts_new()};
    return NULL;
}

static void free_shared(void *self)
{
    struct api *api = self;
    attempts_free(api->shared.attempts);
    token_keys_free(api->shared.tokens);
    rates_free(api->shared.rates);
    cache_free(api->shared.verdicts);
    gate_free(api->shared.gate);
    operation_keys_free(api->shared.operations);
}

static err_t open_server(void *self, struct err_detail *d)
{
    struct api *api = self;
    return server_open(&api->shared, api->edge_secret, d, &api->server);
}

static void free_server(void *self)
{
    struct api *api = self;
    server_free(api->server);
}

static err_t open_lanes(void *self, struct err_detail *d)
{
    struct api *api = self;
    return lanes_open(&api->shared, d, &api->lanes);
}

static void free_lanes(void *self)
{
    struct api *api = self;
    lanes_free(api->lanes);
}

static err_t open_chores(void *self, struct err_detail *d)
{
    struct api *api = self;
    return chores_open(&api->shared, d, &api->chores);
}

static void free_chores(void *self)
{
    struct api *api = self;
    chores_free(api->chores);
}

static err_t start_server(void *self, struct err_detail *d)
{
    struct api *api = self;
    err_t e = server_start(api->server, api->lanes, d);
    if (e)
        server_stop(api->server); /* one of its listeners may run */
    return e;
}

static void stop_server(void *self)
{
    struct api *api = self;
    server_stop(api->server);
}

static err_t start_chores(void *self, struct err_detail *d)
{
    (void)d;
    struct api *api = self;
    chores_start(api->chores);
    return NULL;
}

static void stop_chores(void *self)
{
    struct api *api = self;
    chores_stop(api->chores);
}

static err_t start_lanes(void *self, struct err_detail *d)
{
    (void)d;
    struct api *api = self;
    lanes_start(api->lanes);
    return NULL;
}

static void stop_lanes(void *self)
{
    struct api *api = self;
    lanes_stop(api->lanes);
}

/* What needs root, or finds a bad setting, comes before the database is waited for. Lanes end before the server does: a
 * request that still waits gets its answer; and before the chores do, whose last is to write what those were refused
 * for. */
static const struct start_step steps[] = {
    {.start = tune_memory},
    {.start = program_load_keys, .stop = program_free_keys},
    {.start = read_edge_secret},
    {.start = read_limits},
    {.start = make_shared, .stop = free_shared},
    {.start = open_server, .stop = free_server},
    {.start = program_open_health, .stop = program_stop_health},
    {.start = program_drop_root},
    {.start = program_start_health},
    {.start = open_lanes, .stop = free_lanes},
    {.start = open_chores, .stop = free_chores},
    {.start = start_server, .stop = stop_server},
    {.start = start_chores, .stop = stop_chores},
    {.start = start_lanes, .stop = stop_lanes},
};

/* --- what others may know, and the end ---------------------------------------------------------------------------- */

static bool is_ready(struct process *p, struct str *ret_why_not)
{
    const struct api *api = (struct api *)p;
    *ret_why_not = STR("the database cannot be reached");
    return lanes_ready(api->lanes);
}

static void write_metrics(struct process *p, struct text *out)
{
    const struct api *api = (struct api *)p;
    metrics_write(out);
    lanes_metrics(api->lanes, out);
    calls_metrics(out);
    attempts_metrics(api->shared.attempts, out);
}

static void drain(struct process *p)
{
    struct api *api = (struct api *)p;
    log_event(LOG_INFO, "draining", L_NUM("inFlight", calls_in_flight()));
    server_drain(api->server);
}

int main(int argc, char **argv)
{
    static struct api api;
    static const struct program program = {
        .name = "api",
        .settings = CFG_API,
        .steps = steps,
        .step_count = sizeof steps / sizeof *steps,
        .ready = is_ready,
        .metrics = write_metrics,
        .drain = drain,
    };
    (void)argc;
    return program_main(&program, &api.process, argv);
}
