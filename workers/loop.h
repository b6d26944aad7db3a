/* loop.h: the threads of the worker and what they share. A thread works on one kind of job with a connection and a
 * client of its own: it walks the scopes that have due work, fair between tenants, and hands each to the kind's
 * function, which claims, works and ends the jobs. */
#ifndef IDSCOPE_LOOP_H
#define IDSCOPE_LOOP_H

#include <stdatomic.h>

#include "core/cfg.h"
#include "core/seal.h"
#include "db/db.h"
#include "workers/frozen.h"
#include "workers/hosts.h"
#include "workers/hub_client.h"

enum job_kind {
#define JOB(kind, claim, first_ms, longest_ms, attempts, sentence) JOB_##kind,
#include "workers/jobs.def"
#undef JOB
    JOB_KINDS
};

/* What became of the jobs of one group. */
struct job_counts {
    int64_t claimed;
    int64_t done, failed;     /* ended with their effect; ended with a refusal that the tenant sees */
    int64_t retried, dropped; /* given back; ended because there was nothing to do */
    int64_t dead;
};

struct kind_stats {
    _Atomic int64_t groups, busy_us, done, failed, retried, dropped, dead;
};

struct worker {
    const struct cfg *cfg;
    const struct key_ring *ring;
    struct hub_client_settings hub;
    struct hosts *hosts;
    struct frozen *frozen;
    struct kind_stats stats[JOB_KINDS];
    _Atomic int64_t swept;
    _Atomic int threads, threads_up; /* threads_up: whose database answered last time */
    atomic_bool stopping;
    _Atomic int64_t stop_by_ms; /* monotonic; once stopping */
};

/* One thread's view: what a job function gets. */
struct job_context {
    struct worker *worker;
    enum job_kind kind;
    struct db *db;
    struct hub_client *client;
    struct arena *arena; /* of this group */
    struct job_counts counts;
};

struct str job_kind_name(enum job_kind kind);
int job_claim_limit(enum job_kind kind);
int64_t job_backoff_ms(enum job_kind kind, int attempt);
/* True when this many failed attempts are too many. */
bool job_is_over(enum job_kind kind, int attempt);
/* The time until which calls of a group that was claimed at claimed_ms may run: before its lease ends, and before the
 * drain does. */
int64_t job_deadline_ms(const struct worker *w, int64_t claimed_ms);

/* Claims and works on jobs of one scope. c->counts tells what became of them; claimed == job_claim_limit asks for
 * another round. */
typedef err_t job_function(struct job_context *c, struct str id_scope);
#define JOB(kind, claim, first_ms, longest_ms, attempts, sentence) job_function job_##kind;
#include "workers/jobs.def"
#undef JOB

/* Starts all threads; BAD_CONFIG, DATABASE_… when the first connection cannot be made. */
err_t loop_start(struct worker *w, struct err_detail *d);
/* Asks all threads to end what they do within drain_ms, and waits for them. */
void loop_stop(struct worker *w);
/* One pass of the sweeps (sweep.c). */
err_t sweep(struct worker *w, struct db *db, struct arena *a);

#endif
