/* connections.c: the ring of free connections. It goes round, so that each is used every now and then, and one that
 * broke is found and made again before it is needed. It must never run a statement. */
#include "workers/connections.h"

#include <pthread.h>

#include "core/log.h"

struct connections {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct db **free; /* a ring of `count`, of which free_count from `first` on are here */
    size_t count, first, free_count;
    bool up;
};

err_t connections_open(struct arena *a, const char *url, int count, struct err_detail *d, struct connections **ret)
{
    struct connections *c = ARENA_NEW(a, struct connections);
    *c = (struct connections){.up = true, .count = (size_t)count};
    c->free = ARENA_NEW_ARRAY(a, c->count, struct db *);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->given, NULL);
    for (; c->free_count < c->count; c->free_count++) {
        err_t e = db_open(url, "idscope-worker", DB_USE_LANE, d, &c->free[c->free_count]);
        if (e) {
            connections_close(c);
            return e;
        }
    }
    *ret = c;
    return NULL;
}

void connections_close(struct connections *c)
{
    for (size_t i = 0; c && i < c->free_count; i++)
        db_close(c->free[(c->first + i) % c->count]);
}

struct db *connections_take(struct connections *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->free_count == 0)
        pthread_cond_wait(&c->given, &c->lock);
    struct db *db = c->free[c->first];
    c->first = (c->first + 1) % c->count;
    c->free_count--;
    pthread_mutex_unlock(&c->lock);
    return db;
}

/* Says once that the database is lost, and once that it is back. */
static void note(struct connections *c, const struct db *db)
{
    bool up = db_is_up(db);
    if (up == c->up)
        return;
    c->up = up;
    log_event(up ? LOG_INFO : LOG_WARN, up ? "databaseBack" : "databaseLost",
              L_CSTR("message", up ? "" : db_message(db)));
}

void connections_give(struct connections *c, struct db *db)
{
    pthread_mutex_lock(&c->lock);
    note(c, db);
    c->free[(c->first + c->free_count++) % c->count] = db;
    pthread_cond_signal(&c->given);
    pthread_mutex_unlock(&c->lock);
}

bool connections_up(struct connections *c)
{
    pthread_mutex_lock(&c->lock);
    bool up = c->up;
    pthread_mutex_unlock(&c->lock);
    return up;
}
