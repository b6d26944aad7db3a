/* opening.c: one thread for each try to connect. It must never keep anybody waiting who has let go of it, nor run a
 * statement. */
#include "db/opening.h"

#include <errno.h>
#include <pthread.h>

#include "core/arena.h"

/* Held by the thread and by whoever began it; the last one to let go frees it. */
struct opening {
    struct arena *arena;
    const char *url, *application_name;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over, left;
    PGconn *conn;
    bool found_server;
};

static void end(struct opening *o)
{
    PQfinish(o->conn);
    pthread_cond_destroy(&o->ended);
    pthread_mutex_destroy(&o->lock);
    arena_free(o->arena);
}

/* Settings before `dbname` may be changed by the URL; those behind it may not. A peer that vanished is noticed within a
 * minute. */
static PGconn *connect_to(const char *url, const char *application_name)
{
    const char *names[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                           "keepalives_count", "tcp_user_timeout", "dbname",
                           "application_name", "client_encoding",  NULL};
    const char *values[] = {"5", "20", "10", "3", "45000", url, application_name, "UTF8", NULL};
    return PQconnectdbParams(names, values, 1);
}

static bool find_server(const char *url)
{
    const char *names[] = {"dbname", "connect_timeout", NULL}, *values[] = {url, "2", NULL};
    return PQpingParams(names, values, 1) == PQPING_OK;
}

static void *run(void *context)
{
    struct opening *o = context;
    PGconn *conn = o->application_name ? connect_to(o->url, o->application_name) : NULL;
    bool found = !o->application_name && find_server(o->url);
    pthread_mutex_lock(&o->lock);
    o->conn = conn;
    o->found_server = found;
    o->over = true;
    bool left = o->left;
    pthread_cond_signal(&o->ended);
    pthread_mutex_unlock(&o->lock);
    if (left)
        end(o);
    return NULL;
}

static bool start(struct opening *o)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, o) != 0)
        return false;
    pthread_detach(thread);
    return true;
}

struct opening *opening_begin(const char *url, const char *application_name)
{
    struct arena *a = arena_new();
    struct opening *o = ARENA_NEW(a, struct opening);
    pthread_condattr_t attr;
    *o = (struct opening){.arena = a, .url = arena_str(a, str_of(url)).p};
    o->application_name = application_name ? arena_str(a, str_of(application_name)).p : NULL;
    pthread_mutex_init(&o->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&o->ended, &attr);
    pthread_condattr_destroy(&attr);
    if (start(o))
        return o;
    end(o);
    return NULL;
}

bool opening_is_over(struct opening *o, int64_t until_ms)
{
    const struct timespec until = {until_ms / 1000, (until_ms % 1000) * 1000000};
    pthread_mutex_lock(&o->lock);
    while (!o->over && pthread_cond_timedwait(&o->ended, &o->lock, &until) != ETIMEDOUT)
        ;
    bool over = o->over;
    pthread_mutex_unlock(&o->lock);
    return over;
}

void opening_leave(struct opening *o)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    o->left = true;
    bool over = o->over;
    pthread_mutex_unlock(&o->lock);
    if (over)
        end(o);
}

PGconn *opening_take(struct opening *o)
{
    PGconn *conn = o->conn;
    o->conn = NULL;
    return conn;
}

bool opening_found_server(const struct opening *o)
{
    return o->found_server;
}
