/* lane.h: the threads that run calls. A lane is one thread with one PostgreSQL connection; a class of lanes shares
 * a queue, so that a storm on one plane does not starve the others. One more thread, the watch, waits for nothing: it
 * keeps the time of all calls, also of those whose lane is held up by the database. */
#ifndef IDSCOPE_LANE_H
#define IDSCOPE_LANE_H

#include "api/call.h"

enum { LANE_BATCH_MAX = CFG_BATCH_MOST };

struct lanes;

/* Opens the connections. */
err_t lanes_open(const struct shared *shared, struct err_detail *d, struct lanes **ret);
void lanes_start(struct lanes *l);

/* Runs a call that is routed, and completes its reply: that for its error when it was refused already, the operation's,
 * or 503 when there is no place in the
 * queue (at once) or when request_timeout_ms are over. The lanes own the call from here on; `done` gives a call back,
 * exactly once, on whatever thread: the caller's own, a lane's or the watch's. After a time-out that is a stand-in
 * with the same door, while the lane still holds the call itself, and frees it. */
void lanes_submit(struct lanes *l, struct call *c, void (*done)(struct call *c));

/* From now on calls that wait are answered 503 unrun, and no new ones are taken; returns when all lanes have ended. */
void lanes_stop(struct lanes *l);
void lanes_free(struct lanes *l); /* after lanes_stop, or when never started; NULL is allowed */

/* Has every class a lane with a connection to a database that answers? */
bool lanes_ready(const struct lanes *l);
void lanes_metrics(const struct lanes *l, struct text *out);

#endif
