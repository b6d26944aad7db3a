/* round.h: a round of jobs that are each a matter of their own: claimed for all parts of the turn at once, looked at,
 * called for, and written part by part as they end, so that one that waits for a silent hub holds up no other. */
#ifndef IDSCOPE_ROUND_H
#define IDSCOPE_ROUND_H

#include "workers/calls.h"

/* What becomes of a job that has ended. */
enum round_end {
    ROUND_OPEN,    /* its call is not over */
    ROUND_DONE,    /* it goes, having had its effect or not */
    ROUND_BACK,    /* it is given back */
    ROUND_WRITTEN, /* that stands in the database */
};

/* One job; the first member of what its kind knows of it. */
struct round_item {
    struct job_context *c;
    struct job_part *part;
    struct calls *calls;
    struct db_job job;
    struct str host; /* that it calls */
    size_t open;     /* what it waits for; 0: it has ended */
    bool begun;
    bool full; /* those before it at the host take long: it must not be called */
    enum round_end end;
    struct db_job_back back; /* ROUND_BACK */
};

struct round_kind {
    size_t size; /* of its struct */
    /* It asks how a host is: of one host one after the other, since what the first finds may answer for all. */
    bool one_by_one;
    /* Reads what can be said without a call. */
    err_t (*look)(struct round_item *item);
    /* Starts calls, where there is something to call for, and says by `open` that it did. */
    void (*begin)(struct round_item *item);
    /* Takes an answer, and may start more. Returns whose it was. */
    struct round_item *(*answered)(struct hub_call *call);
    /* Writes the effect of a job whose calls are over; and ends the job in the same statement, or says what is to
     * become of it by one of the two below. */
    err_t (*finish)(struct round_item *item);
};

void round_done(struct round_item *item, bool effect);
/* After as many failures as its kind allows it is dead. */
void round_put_back(struct round_item *item, int64_t delay_ms, bool failed, struct str error);

/* What the kind's job_function does. */
err_t round_run(struct job_context *c, const struct round_kind *kind);

#endif
