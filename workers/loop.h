/* loop.h: the slots of the worker and what they share. A slot is a thread that works on one turn at a time: of some
 * kind of job, for some ID scope, as pool.h shares them out. It hands the scope to the kind's function, which claims,
 * works and ends the jobs. */
#ifndef IDSCOPE_LOOP_H
#define IDSCOPE_LOOP_H

#include <stdatomic.h>

#include "core/cfg.h"
#include "core/seal.h"
#include "db/job.h"
#include "workers/connections.h"
#include "workers/frozen.h"
#include "workers/hosts.h"
#include "workers/hub_client.h"
#include "workers/schedule.h"

/* What became of the jobs of one group. */
struct job_counts {
    int64_t claimed;
    int64_t done, failed;     /* ended with their effect; ended with a refusal that the tenant sees */
    int64_t retried, dropped; /* given back; ended because there was nothing to do */
    int64_t dead;
};

struct kind_stats {
    _Atomic int64_t busy_us, done, failed, retried, dropped, dead;
    _Atomic int running; /* slots */
};

struct worker {
    const struct cfg *cfg;
    const struct key_ring *ring;
    struct hub_client_settings hub;
    struct hosts *hosts;
    struct cache *frozen;
    struct arena *arena; /* of the process */
    struct connections *connections;
    struct kind_stats stats[JOB_KINDS];
    atomic_bool stopping;
    _Atomic int64_t stop_by_ms; /* monotonic; once stopping */
};

/* One turn's view: what a job function gets. */
struct job_context {
    struct worker *worker;
    enum job_kind kind;
    struct db_job_owner of;
    struct db *db; /* NULL while the turn waits for hubs (calls.h) */
    struct hub_client *client;
    struct arena *arena; /* of this group */
    struct job_counts counts;
};

/* Lends the turn's connection to others, and takes one again. */
void job_give_db(struct job_context *c);
void job_take_db(struct job_context *c);
/* The time until which calls of a group that was claimed at claimed_ms may run: before its lease ends, and before the
 * drain does. */
int64_t job_deadline_ms(const struct worker *w, int64_t claimed_ms);

/* Claims and works on jobs of one owner (c->of): an ID scope, or a tenant, whose id as text id_scope is then. c->counts
 * tells what became of them; claimed == job_claim_limit asks for another round. */
typedef err_t job_function(struct job_context *c, struct str id_scope);
#define JOB(kind, whose, claim, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)                  \
    job_function job_##kind;
#define SWEEP(kind, every_ms, sentence)
#include "workers/jobs.def"
/* One bite of any kind of sweep. */
job_function job_sweep;
/* Jobs of the deployment that are for ever, one of each kind of sweep, where they are missing. */
err_t job_sweeps_begin(struct db *db, struct arena *a);

/* Starts all threads; BAD_CONFIG, DATABASE_… when a connection cannot be made. */
err_t loop_start(struct worker *w, struct err_detail *d);
/* Asks all threads to end what they do within their part of drain_ms, and waits for them. */
void loop_stop(struct worker *w);

#endif
