/* queue.h: the bounded, fair queue between the threads that read requests and the lanes that run them.
 *
 * An item belongs to a key (a scope, host or tenant) and to a band (a kind of work that is taken together). Whoever
 * wants to put an item in reserves a place first: no place, or a key that holds a quarter of all places already, is an
 * answer at once. Takers get the items of one band, one of each key in turn, so that a tenant's storm delays the
 * tenant. Of what is taken together one batch a band is on its way at a time: the next is taken when its taker lets it
 * (queue_pass), or when it would be a full one. So many takers make no small batches of what one would have taken at
 * once. Thread-safe. */
#ifndef IDSCOPE_QUEUE_H
#define IDSCOPE_QUEUE_H

#include "core/arena.h"

enum { QUEUE_BANDS_MAX = 4 };

struct queue;
struct queue_key;

/* Embedded in what is queued. `key` and `band` stay set from the reservation until the item is taken. */
struct queue_item {
    struct queue_item *next;
    struct queue_key *key;
    int band;
    int64_t until_us; /* monotonic: from then on queue_take_late gives it out */
};

/* `at_most` are taken together. */
struct queue *queue_new(size_t places, size_t at_most);
void queue_free(struct queue *q);

/* Reserves a place; false when there is none. `key` is any text, of which a keyed hash is kept. Items of one key and
 * band are pushed about in the order of their until_us: one is late, for queue_take_late, when those before it are. */
bool queue_reserve(struct queue *q, struct str key, int band, int64_t until_us, struct queue_item *item);
/* Puts an item with a reserved place in. Cannot fail. */
void queue_push(struct queue *q, struct queue_item *item);
/* Waits for items and takes those of one band, into a place for as many as are taken together; bands that wait take
 * turns. Gives 0 when `wait_ms` is over or the queue is closed and empty. */
size_t queue_take(struct queue *q, struct queue_item **ret, int wait_ms);
/* What was taken of the band goes on by itself: the next may be taken. Once for each take. */
void queue_pass(struct queue *q, int band);
/* Takes up to `at_most` of the items whose time is over, of any band. Never waits; nothing is on its way for it. */
size_t queue_take_late(struct queue *q, struct queue_item **ret, size_t at_most, int64_t now_us);
/* Wakes all takers; from now on nothing can be reserved, but what holds a place is still pushed, and taken at once. */
void queue_close(struct queue *q);
bool queue_is_done(struct queue *q); /* closed, and no place is held any more */
size_t queue_depth(struct queue *q); /* places in use */

#endif
