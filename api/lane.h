/* lane.h: the threads that run operations. A lane is one thread with one PostgreSQL connection; a class of lanes shares
 * a queue, so that a storm on one plane does not starve the others. */
#ifndef IDSCOPE_LANE_H
#define IDSCOPE_LANE_H

#include "api/queue.h"
#include "api/call.h"

enum lane_class { LANE_DEVICE, LANE_SERVICE, LANE_HUB, LANE_MANAGEMENT, LANE_CLASSES };
enum { LANE_BATCH_MAX = 512 };

struct lanes;

/* Beside each request that goes to a lane. */
struct lane_work {
    struct queue_item item;
    struct call *call;
    enum lane_class class;
    int64_t reserved_us, begun_us; /* monotonic */
    const char *owner_kind;        /* for the log: "idScope", "tenant" or "hub"; NULL while unknown */
    struct str owner;
};

/* Opens the connections. `done` is called on a lane's thread when the reply of a request is complete; the lane does not
 * touch it afterwards. */
err_t lanes_open(const struct shared *shared, void (*done)(struct lane_work *w), struct err_detail *d,
                 struct lanes **ret);
void lanes_start(struct lanes *l);

/* Reserves a place in the queue of the request's class; false when there is none (503). w->call is routed. */
bool lanes_reserve(struct lanes *l, struct lane_work *w);
/* Hands over a request with a place. */
void lanes_push(struct lanes *l, struct lane_work *w);

/* From now on requests that wait are answered 503 unrun, and no new ones are taken; returns when all lanes have ended.
 */
void lanes_stop(struct lanes *l);
void lanes_free(struct lanes *l); /* after lanes_stop, or when never started; NULL is allowed */

/* Has every class a connection to the database? As of each lane's last call, which is at most a second ago. */
bool lanes_ready(const struct lanes *l);
void lanes_metrics(const struct lanes *l, struct text *out);

#endif
