/* hosts.c: places at hosts and hosts that are held back. It must never call anybody, nor keep more than a fixed number
 * of hosts: one that is not in use makes room. */
#include "workers/hosts.h"

#include <pthread.h>
#include <string.h>

#include "core/process/clock.h"
#include "workers/schedule.h"

enum {
    HOSTS_MAX = 512,
    TURNS_PER_HOST = 2,
    TURNS_PER_SLOW_HOST = 1, /* one tries whether it is well again */
};

struct host {
    char name[256];
    int users;
    int slow_times; /* in a row */
    int how_silent;
    int64_t held_until_ms, good_until_ms, silent_until_ms, no_bulk_until_ms, touched_ms;
};

struct hosts {
    pthread_mutex_t lock;
    struct host at[HOSTS_MAX];
};

struct hosts *hosts_new(struct arena *a)
{
    struct hosts *h = ARENA_NEW(a, struct hosts);
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

/* The host's entry; a new one takes the place of the one that nobody used for longest. NULL only if all are in use. */
static struct host *entry(struct hosts *h, struct str host)
{
    struct host *oldest = NULL;
    for (size_t i = 0; i < HOSTS_MAX; i++) {
        struct host *e = &h->at[i];
        if (str_same(str_of(e->name), host)) {
            e->touched_ms = clock_ms();
            return e;
        }
        if (e->users == 0 && (!oldest || e->touched_ms < oldest->touched_ms))
            oldest = e;
    }
    if (!oldest || host.n >= sizeof oldest->name)
        return NULL;
    *oldest = (struct host){.touched_ms = clock_ms()};
    memcpy(oldest->name, host.p, host.n);
    return oldest;
}

static int places(const struct host *e)
{
    return e->slow_times ? TURNS_PER_SLOW_HOST : TURNS_PER_HOST;
}

static enum hosts_word enter(struct hosts *h, struct str host, int64_t *ret_ms)
{
    struct host *e = entry(h, host);
    int64_t now_ms = clock_ms();
    if (e && ret_ms && e->held_until_ms > now_ms) {
        *ret_ms = e->held_until_ms - now_ms;
        return HOSTS_HELD_BACK;
    }
    if (!e || e->users >= places(e))
        return HOSTS_FULL;
    e->users++;
    return HOSTS_ENTERED;
}

enum hosts_word hosts_enter(struct hosts *h, struct str host, int64_t *ret_ms)
{
    pthread_mutex_lock(&h->lock);
    enum hosts_word word = enter(h, host, ret_ms);
    pthread_mutex_unlock(&h->lock);
    return word;
}

void hosts_leave(struct hosts *h, struct str host)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    if (e && e->users > 0)
        e->users--;
    pthread_mutex_unlock(&h->lock);
}

void hosts_was_good(struct hosts *h, struct str host)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    if (e) {
        e->slow_times = 0;
        e->held_until_ms = 0;
        e->good_until_ms = clock_ms() + WAIT_host_answers_MS;
    }
    pthread_mutex_unlock(&h->lock);
}

int64_t hosts_was_slow(struct hosts *h, struct str host, int64_t retry_ms)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    int64_t hold = hold_ms(HOLD_host_slow, e ? e->slow_times : 0, retry_ms);
    if (e) {
        e->held_until_ms = clock_ms() + hold;
        e->good_until_ms = 0;
        e->slow_times++;
    }
    pthread_mutex_unlock(&h->lock);
    return hold;
}

bool hosts_answers(struct hosts *h, struct str host)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    bool answers = e && e->good_until_ms > clock_ms();
    pthread_mutex_unlock(&h->lock);
    return answers;
}

void hosts_was_silent(struct hosts *h, struct str host, int how)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    if (e) {
        e->how_silent = how;
        e->silent_until_ms = clock_ms() + PAUSE_host_silent_MS;
    }
    pthread_mutex_unlock(&h->lock);
}

bool hosts_is_silent(struct hosts *h, struct str host, int *ret_how)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    bool silent = e && e->silent_until_ms > clock_ms();
    if (silent)
        *ret_how = e->how_silent;
    pthread_mutex_unlock(&h->lock);
    return silent;
}

bool hosts_lacks_bulk(struct hosts *h, struct str host)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    bool lacks = e && e->no_bulk_until_ms > clock_ms();
    pthread_mutex_unlock(&h->lock);
    return lacks;
}

void hosts_found_no_bulk(struct hosts *h, struct str host)
{
    pthread_mutex_lock(&h->lock);
    struct host *e = entry(h, host);
    if (e)
        e->no_bulk_until_ms = clock_ms() + PAUSE_host_lacks_bulk_MS;
    pthread_mutex_unlock(&h->lock);
}
