/* calls.h: the calls of one turn of a job: many hubs at once, one loop. The turn takes places at hosts, starts calls,
 * and is told of each that ended, where it may start more; when the deadline comes, or the worker's drain ends, all
 * that still run are given up. Meanwhile the turn holds no database connection: others use it.
 *
 *     calls_begin(&s, c, claimed_ms);
 *     calls_run(&s, &steps, context);
 *     calls_end(&s);
 */
#ifndef IDSCOPE_CALLS_H
#define IDSCOPE_CALLS_H

#include "workers/loop.h"

struct calls_place;
struct calls {
    struct job_context *c;
    int64_t claimed_ms;         /* monotonic: the deadline goes by it */
    struct calls_place *places; /* at hosts */
};

/* From here to calls_end there is no c->db. */
void calls_begin(struct calls *s, struct job_context *c, int64_t claimed_ms);
/* Takes a place at the host for this turn, as hosts_enter does; a turn takes one, however often it asks, and has it
 * until it has left as often. */
enum hosts_word calls_enter(struct calls *s, struct str host, int64_t *ret_ms);
/* Leaves before the turn's end. */
void calls_leave(struct calls *s, struct str host);
/* The same behind the last call of one who looks how a host is; its silence is noted for others who would. */
void calls_over(struct calls *s, const struct hub_call *last);
/* Starts the call, for which the caller has set all that is asked; its time is cut to the deadline. It comes back
 * through calls_run, exactly once; as HUB_CANCELLED when there is no time left. */
void calls_start(struct calls *s, struct hub_call *call);
/* What came of an attempt to begin. */
enum calls_begun {
    CALLS_WAIT = 1, /* something waits for room at a host: to be tried again in a moment */
    CALLS_NEWS = 2, /* something ended without a call */
};

struct calls_steps {
    /* Starts what there is room for. Returns some of enum calls_begun. */
    unsigned (*begin)(void *context);
    /* Gets each call that ended (call->owner is the caller's), and may start more. */
    void (*answered)(void *context, struct hub_call *call);
    /* Called with c->db set when some ended and others still run, and at the end. */
    void (*gathered)(void *context);
};
/* Runs until no call is open and nothing waits. */
void calls_run(struct calls *s, const struct calls_steps *steps, void *context);
/* Leaves all hosts and takes a database connection again. */
void calls_end(struct calls *s);

#endif
