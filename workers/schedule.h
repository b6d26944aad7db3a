/* schedule.h: the rows of jobs.def as numbers: what bounds each kind of job, and when something is tried again. Times
 * are milliseconds. */
#ifndef IDSCOPE_SCHEDULE_H
#define IDSCOPE_SCHEDULE_H

#include "core/arena.h"
#include "workers/pool.h"

enum job_kind {
#define JOB(kind, whose, claim, turn_scopes, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)     \
    JOB_##kind,
#include "core/jobs.def"
    JOB_KINDS
};

enum pace {
#define PACE(name, first_ms, longest_ms, part, sentence) PACE_##name,
#include "core/jobs.def"
};

enum hold {
#define HOLD(name, first_ms, longest_ms, longest_asked_ms, sentence) HOLD_##name,
#include "core/jobs.def"
};

enum {
#define PAUSE(name, ms, sentence) PAUSE_##name##_MS = (ms),
#include "core/jobs.def"
};

enum {
#define WAIT(name, ms, sentence) WAIT_##name##_MS = (ms),
#include "core/jobs.def"
};

enum {
#define PERCENT(name, percent, sentence) PERCENT_##name = (percent),
#include "core/jobs.def"
};

enum {
#define KEEP(name, ms, sentence) KEEP_##name##_MS = (ms),
#include "core/jobs.def"
};

struct str job_kind_name(enum job_kind kind);
/* Whose jobs they are: a tenant's, or an ID scope's. */
bool job_is_of_tenant(enum job_kind kind);
/* How many jobs of the kind are claimed at once. */
int job_claim_limit(enum job_kind kind);
/* The kind's bounds in the pool, by enum job_kind; JOB_KINDS of them. */
const struct pool_kind *job_pool_kinds(void);
/* The wait after the failed attempt number `attempt` (from 0), a quarter of it at random. */
int64_t job_backoff_ms(enum job_kind kind, int attempt);
/* True when this many failed attempts are too many. */
bool job_is_over(enum job_kind kind, int attempt);

/* So much of `ms` as a PERCENT row says. */
int64_t percent_of(int percent, int64_t ms);
/* The time to the next regular look at a link, which comes every `ms`. */
int64_t next_check_ms(int64_t ms);

/* The wait until a state that has lasted for lasted_ms is looked at again. */
int64_t pace_ms(enum pace pace, int64_t lasted_ms);

/* How long something is left in peace that was slow `times` times before, in a row, and that asked for asked_ms (0: it
 * did not); up to a quarter more at random, so that workers do not come back all at once. */
int64_t hold_ms(enum hold hold, int times, int64_t asked_ms);

#endif
