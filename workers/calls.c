/* calls.c: the loop around the calls of a turn. It must never judge an answer, nor wait with a database connection in
 * its hand. */
#include "workers/calls.h"

#include <time.h>

#include "core/process/clock.h"

enum {
    SLICE_MS = 200,    /* no schedule: how often the deadline is looked at */
    GATHER_MS = 20,    /* no schedule: what ends within this time is handed on together */
    ROOM_MS = 10,      /* no schedule: how often room is looked for when nothing else goes on */
    CALL_MIN_MS = 200, /* no schedule: with less time left no call is begun */
};

struct calls_place {
    struct str host;
    size_t users; /* within the turn, which has one place for them all; 0: it is not there */
    struct calls_place *next;
};

void calls_begin(struct calls *s, struct job_context *c, int64_t claimed_ms)
{
    *s = (struct calls){.c = c, .claimed_ms = claimed_ms};
    job_give_db(c);
}

/* --- places ------------------------------------------------------------------------------------------------------- */

static struct calls_place *place_at(struct calls *s, struct str host)
{
    for (struct calls_place *p = s->places; p; p = p->next)
        if (str_same(p->host, host))
            return p;
    struct calls_place *p = ARENA_NEW(s->c->arena, struct calls_place);
    *p = (struct calls_place){.host = host, .next = s->places};
    s->places = p;
    return p;
}

enum hosts_word calls_enter(struct calls *s, struct str host, int64_t *ret_ms)
{
    struct calls_place *p = place_at(s, host);
    enum hosts_word word = p->users ? HOSTS_ENTERED : hosts_enter(s->c->worker->hosts, host, ret_ms);
    p->users += word == HOSTS_ENTERED;
    return word;
}

static void leave(struct calls *s, struct calls_place *p)
{
    if (p->users && --p->users == 0)
        hosts_leave(s->c->worker->hosts, p->host);
}

void calls_leave(struct calls *s, struct str host)
{
    leave(s, place_at(s, host));
}

void calls_over(struct calls *s, const struct hub_call *last)
{
    enum hub_outcome how = last->outcome;
    if (how == HUB_TIMED_OUT || how == HUB_CONNECT_TIMED_OUT || how == HUB_NAME_SILENT)
        hosts_was_silent(s->c->worker->hosts, last->host, how);
    leave(s, place_at(s, last->host));
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static int64_t left_ms(const struct calls *s)
{
    return job_deadline_ms(s->c->worker, s->claimed_ms) - clock_ms();
}

void calls_start(struct calls *s, struct hub_call *call)
{
    int64_t left = left_ms(s);
    call->arena = s->c->arena;
    if (call->timeout_ms > left)
        call->timeout_ms = left < CALL_MIN_MS ? 0 : left;
    hub_client_start(s->c->client, call);
}

static unsigned begin(struct calls *s, const struct calls_steps *steps, void *context)
{
    unsigned begun = steps->begin(context);
    job_waits(s->c, begun & CALLS_WAIT);
    return begun;
}

static void hand_on(struct calls *s, const struct calls_steps *steps, void *context)
{
    job_take_db(s->c);
    steps->gathered(context);
    job_give_db(s->c);
}

/* The next call that ended; NULL: none in a while. */
static struct hub_call *next(const struct calls *s, bool soon)
{
    const struct timespec pause = {0, ROOM_MS * 1000000L};
    if (hub_client_open(s->c->client) > 0)
        return hub_client_next(s->c->client, soon ? GATHER_MS : SLICE_MS);
    nanosleep(&pause, NULL);
    return NULL;
}

void calls_run(struct calls *s, const struct calls_steps *steps, void *context)
{
    struct hub_client *client = s->c->client;
    bool news = true;
    unsigned begun = begin(s, steps, context);
    while (hub_client_open(client) > 0 || begun & CALLS_WAIT) {
        struct hub_call *call = next(s, news || begun & CALLS_WAIT);
        if (call) {
            steps->answered(context, call);
            news = true;
        } else if (left_ms(s) <= 0) {
            hub_client_give_up(client);
        } else if (news) {
            hand_on(s, steps, context);
            news = false;
        }
        if (!call || hub_client_open(client) == 0)
            begun = begin(s, steps, context);
        news |= (begun & CALLS_NEWS) > 0;
    }
    hand_on(s, steps, context);
}

void calls_end(struct calls *s)
{
    for (struct calls_place *p = s->places; p; p = p->next)
        while (p->users)
            leave(s, p);
    job_take_db(s->c);
}
