/* pool.h: who gets the next slot. A fixed number of slots is shared between kinds of jobs, tenants and scopes; turns
 * are counted in time, not in number. A turn is one tenant's, and may be for several of its scopes.
 *
 * The rule for tenants is that of shared buffers in switches (Choudhury and Hahne, "Dynamic queue length thresholds"):
 * a tenant may begin another turn while it has fewer slots than are free. So one tenant alone gets half of them, two
 * come to a third each, and the last free slot goes only to one that has none. The same holds within the slots of each
 * kind. Among those who may begin, the tenant with the fewest slots comes first, then the one that used the least time
 * lately, then the oldest work.
 *
 * Pure: no threads, no clock, no database. Whoever calls holds a lock. */
#ifndef IDSCOPE_POOL_H
#define IDSCOPE_POOL_H

#include "core/arena.h"
#include "core/cfg.h"
#include "core/enc.h"

enum { POOL_SLOTS_MAX = CFG_JOB_SLOTS_MOST, POOL_KINDS_MAX = 24, POOL_SCOPE_MAX = 40, POOL_TURN_MAX = 16 };

/* A row of jobs.def. */
struct pool_kind {
    int turn_scopes; /* of one turn, POOL_TURN_MAX at most */
    int slots, scope_slots, weight;
};

/* Work that could begin: one scope's, of one kind; or a tenant's that is of no scope. */
struct pool_scope {
    char id_scope[POOL_SCOPE_MAX]; /* or the tenant as text */
    struct uuid tenant;
    int64_t due_us;
};

struct pool;

/* `kinds` must outlive the pool. */
struct pool *pool_new(struct arena *a, int slots, const struct pool_kind *kinds, int kind_count);
/* All kinds, in the order in which they may look for work: the one that used least of its share first. */
void pool_order(const struct pool *p, int64_t now_ms, int *ret_kinds);
/* The index of the scope whose turn is next; `count` when none of them may begin now. */
size_t pool_choose(const struct pool *p, int kind, const struct pool_scope *at, size_t count, int64_t now_ms);
/* Takes a slot for a turn that pool_choose allowed. */
int pool_begin(struct pool *p, int kind, const struct pool_scope *scope, int64_t now_ms);
/* Lets another scope into the turn of a slot: one of its tenant that has not as many turns as its kind gives a scope.
 * False: it stays outside. */
bool pool_join(struct pool *p, int slot, const struct pool_scope *scope);
/* The turn of a slot waits for room, or does not any more. While it does its scopes have no other turn of the kind. */
void pool_wait(struct pool *p, int slot, bool waits);
/* A scope leaves the turn, which goes on for others: it may have another turn from now on. */
void pool_leave(struct pool *p, int slot, const char *id_scope);
/* Gives the slot back. */
void pool_end(struct pool *p, int slot, int64_t now_ms);

#endif
