/* door.c: a second door to the lanes: calls that come as lines of text instead of HTTP. It shows that lanes and
 * operations know of no door, and asks the lanes what no client of HTTP can: whether each call comes back exactly once,
 * and whether nothing is left of those that were given up.
 *
 *   door SETTINGS…      those of idscope-api; then on standard input, one call a line:
 *                       NUMBER METHOD HOST TARGET [AUTHORIZATION to the end of the line]
 * prints "open" when it is, "NUMBER STATUS MS" for each answer, and at the end what /metrics would show of the lanes
 * and of the calls, and "left ARENAS"; on standard error its log. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/lane.h"
#include "api/metrics.h"
#include "api/rates.h"
#include "api/router.h"
#include "api/shared.h"
#include "core/attest/verdict.h"
#include "core/process/clock.h"
#include "core/process/keyfile.h"
#include "core/process/log_sink.h"

enum { LINE_MAX_BYTES = 4096, WAIT_US = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void on_done(struct call *c)
{
    pthread_mutex_lock(&lock);
    printf("%s %d %lld\n", (const char *)c->door, c->status, (long long)(clock_span_us() - c->begun_us) / 1000);
    fflush(stdout);
    pthread_mutex_unlock(&lock);
    arena_free(call_end(c));
}

static struct str next_word(struct str *rest)
{
    struct str word;
    *rest = str_split(*rest, ' ', &word);
    return word;
}

/* The number outlives the call: a stand-in may answer for it. */
static void take_line(struct lanes *lanes, const struct shared *shared, struct arena *a, struct str line)
{
    const struct uuid tracking = crypt_uuid4();
    struct call *c = call_new(arena_new(), shared, &tracking);
    struct str rest = arena_str(c->arena, line), number = next_word(&rest), method = next_word(&rest),
               host = next_word(&rest), target = next_word(&rest);
    c->door = (void *)(uintptr_t)arena_str(a, number).p;
    c->presented = (struct presented){.authorization = rest, .address = STR("a line")};
    c->error = router_resolve(c, method, host, target);
    lanes_submit(lanes, c, on_done);
}

static void serve(struct lanes *lanes, const struct shared *shared, struct arena *a)
{
    char line[LINE_MAX_BYTES];
    puts("open");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        take_line(lanes, shared, a, str_of(line));
    }
    while (calls_in_flight())
        usleep(WAIT_US);
}

static void print_lanes(struct arena *a, const struct lanes *lanes)
{
    struct text out;
    text_init(&out, a, 4096);
    lanes_metrics(lanes, &out);
    fputs(text_str(&out).p, stdout);
}

static void print_calls(struct arena *a)
{
    struct text out;
    text_init(&out, a, 4096);
    metrics_write(&out);
    calls_metrics(&out);
    text_printf(&out, "left %zu\n", arena_count() - 1); /* but for this one */
    fputs(text_str(&out).p, stdout);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct err_detail d = {""};
    struct cfg cfg;
    enum cfg_ask ask;
    static const struct quotas quotas; /* none */
    char **words;
    struct lanes *lanes = NULL;
    struct shared shared = {.cfg = &cfg};
    struct key_ring *ring = NULL;
    ARENA_CLEANUP struct arena *a = arena_new();
    log_init("door", LOG_INFO, log_sink_start(STDERR_FILENO));
    err_t e = cfg_read(a, CFG_API, argv, environ, &cfg, &ask, &words, &d);
    if (!e)
        e = key_ring_load(cfg.key_ring_file, &d, &ring);
    if (!e) {
        shared = (struct shared){&cfg,
                                 ring,
                                 &quotas,
                                 operation_keys_new(ring),
                                 gate_new(ring, &quotas),
                                 rates_new(),
                                 cache_new(VERDICTS_MOST, 1),
                                 token_keys_new(ring),
                                 attempts_new()};
        e = lanes_open(&shared, &d, &lanes);
    }
    if (e) {
        fprintf(stderr, "door: %s %s\n", e->name, d.text);
        return EXIT_FAILURE;
    }
    lanes_start(lanes);
    serve(lanes, &shared, a);
    lanes_stop(lanes);
    print_lanes(a, lanes);
    lanes_free(lanes);
    token_keys_free(shared.tokens);
    attempts_free(shared.attempts);
    rates_free(shared.rates);
    cache_free(shared.verdicts);
    gate_free(shared.gate);
    operation_keys_free(shared.operations);
    key_ring_free(ring);
    print_calls(a);
    log_sink_stop();
    return EXIT_SUCCESS;
}
