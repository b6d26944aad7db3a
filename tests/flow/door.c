/* door.c: a second door to the lanes: calls that come as lines of text instead of HTTP. It shows that lanes and
 * operations know of no door, and asks the lanes what no client of HTTP can: whether each call comes back exactly once,
 * and whether nothing is left of those that were given up.
 *
 *   door SETTINGS…      those of idscope-api; then on standard input, one call a line:
 *                       NUMBER METHOD HOST TARGET [AUTHORIZATION to the end of the line]
 * prints "open" when it is, "NUMBER STATUS MS" for each answer, and at the end "left CALLS". */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/lane.h"
#include "api/reply.h"
#include "api/router.h"
#include "api/shared.h"
#include "core/process/clock.h"
#include "core/process/keyfile.h"

enum { LINE_MAX_BYTES = 4096, NUMBER_MAX = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static size_t under_way;

/* What the door of a call finds again. It outlives the call that was submitted. */
struct ticket {
    char number[NUMBER_MAX];
    int64_t begun_us;
};

static void on_done(struct call *c)
{
    struct ticket *t = c->door;
    pthread_mutex_lock(&lock);
    printf("%s %d %lld\n", t->number, c->status, (long long)(clock_span_us() - t->begun_us) / 1000);
    fflush(stdout);
    under_way--;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
    call_free(c);
}

static enum method method_of(struct str word)
{
    return str_same(word, STR("GET")) ? METHOD_GET : str_same(word, STR("PUT")) ? METHOD_PUT : METHOD_POST;
}

/* The words of a line, in the call's arena. */
static struct str next_word(struct str *rest)
{
    struct str word;
    *rest = str_split(*rest, ' ', &word);
    return word;
}

static void take_line(struct lanes *lanes, const struct shared *shared, struct ticket *t, struct str line)
{
    const struct uuid tracking = crypt_uuid4();
    struct call *c = call_new(arena_new(), shared, &tracking);
    struct str rest = arena_str(c->arena, line), number = next_word(&rest);
    snprintf(t->number, sizeof t->number, "%.*s", STR_ARG(number));
    t->begun_us = clock_span_us();
    c->door = t;
    c->now_us = clock_wall_us();
    c->method = method_of(next_word(&rest));
    c->host_port = next_word(&rest);
    c->host = arena_lower(c->arena, c->host_port);
    struct str target = next_word(&rest);
    c->presented = (struct presented){.authorization = rest, .address = STR("a line")};
    c->error = router_resolve(c, target);
    pthread_mutex_lock(&lock);
    under_way++;
    pthread_mutex_unlock(&lock);
    if (!c->error) {
        lanes_submit(lanes, c, on_done);
        return;
    }
    reply_finish(c);
    on_done(c);
}

static void wait_for_all(void)
{
    pthread_mutex_lock(&lock);
    while (under_way)
        pthread_cond_wait(&ended, &lock);
    pthread_mutex_unlock(&lock);
}

static void serve(struct lanes *lanes, const struct shared *shared, struct arena *a)
{
    char line[LINE_MAX_BYTES];
    puts("open");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        take_line(lanes, shared, ARENA_NEW(a, struct ticket), str_of(line));
    }
    wait_for_all();
}

int main(int argc, char **argv)
{
    (void)argc;
    struct err_detail d = {""};
    struct cfg cfg;
    enum cfg_ask ask;
    char **words;
    struct lanes *lanes = NULL;
    struct shared shared = {.cfg = &cfg};
    struct key_ring *ring = NULL;
    ARENA_CLEANUP struct arena *a = arena_new();
    err_t e = cfg_read(a, CFG_API, argv, environ, &cfg, &ask, &words, &d);
    if (!e)
        e = key_ring_load(cfg.key_ring_file, &d, &ring);
    if (!e) {
        shared = (struct shared){&cfg, ring, gate_new(ring), token_keys_new(ring)};
        e = lanes_open(&shared, &d, &lanes);
    }
    if (e) {
        fprintf(stderr, "door: %s %s\n", e->name, d.text);
        return EXIT_FAILURE;
    }
    lanes_start(lanes);
    serve(lanes, &shared, a);
    lanes_stop(lanes);
    lanes_free(lanes);
    token_keys_free(shared.tokens);
    gate_free(shared.gate);
    key_ring_free(ring);
    printf("left %zu\n", call_count());
    return EXIT_SUCCESS;
}
