/* chores.c: what the api does once a second beside its calls: it writes the log of refused attempts, and keeps the
 * view of the token keys fresh, and looks how many api processes share the limits. Lanes can do none of it: no device
 * may wait for the log, and all lanes may be held. It must never be waited for. */
#include "api/chores.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "api/attempts.h"
#include "api/rates.h"
#include "db/gate.h"
#include "core/process/clock.h"

enum { ROUND_US = ATTEMPTS_ROUND_US, LOOK_US = 100000, OTHERS_US = 5000000 };

struct chores {
    struct arena *arena;
    const struct shared *shared;
    struct db *db;
    pthread_t thread;
    bool runs;
    int64_t look_us; /* when to look for other processes */
    _Atomic bool stopping;
};

/* Each process has one connection of this name: there is nothing to write down, and who dies is gone. */
#define CONNECTION "idscope-api chores"

static void look_for_others(struct chores *c)
{
    int64_t processes;
    if (!db_gate_processes(c->db, STR(CONNECTION), &processes))
        rates_share(c->shared->rates, processes);
}

static void do_all(struct chores *c)
{
    if (clock_span_us() >= c->look_us) {
        look_for_others(c);
        c->look_us = clock_span_us() + OTHERS_US;
    }
    token_keys_refresh(c->shared->tokens, c->db, clock_wall_us());
    attempts_write(c->shared->attempts, c->shared, c->db);
}

static void *run(void *context)
{
    struct chores *c = context;
    int64_t next_us = 0;
    while (!c->stopping) {
        usleep(LOOK_US);
        if (clock_span_us() < next_us)
            continue;
        do_all(c);
        next_us = clock_span_us() + ROUND_US;
    }
    do_all(c);
    return NULL;
}

err_t chores_open(const struct shared *shared, struct err_detail *d, struct chores **ret)
{
    struct arena *a = arena_new();
    struct chores *c = ARENA_NEW(a, struct chores);
    *c = (struct chores){.arena = a, .shared = shared};
    err_t e = db_open(shared->cfg->database_url.p, CONNECTION, DB_USE_GENERAL, d, &c->db);
    if (e) {
        arena_free(a);
        return e;
    }
    *ret = c;
    return NULL;
}

void chores_free(struct chores *c)
{
    if (!c)
        return;
    db_close(c->db);
    arena_free(c->arena);
}

void chores_start(struct chores *c)
{
    crypt_must(pthread_create(&c->thread, NULL, run, c) == 0, "starting the thread of chores");
    pthread_setname_np(c->thread, "chores");
    c->runs = true;
}

void chores_stop(struct chores *c)
{
    c->stopping = true;
    if (c->runs)
        pthread_join(c->thread, NULL);
    c->runs = false;
}
