/* loop.h: the slots of the worker and what they share. A slot is a thread that works on one turn at a time: of some
 * kind of job, for some owners, as pool.h shares them out. It hands these to the kind's function, which claims, works
 * and ends the jobs. */
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

/* What became of the jobs of one owner. */
struct job_counts {
    int64_t claimed;
    int64_t done, failed;     /* ended with their effect; ended with a refusal that the tenant sees */
    int64_t retried, dropped; /* given back; ended because there was nothing to do */
    int64_t dead;
};

struct kind_stats {
    _Atomic int64_t busy_us, turns, owners, done, failed, retried, dropped, dead;
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

/* One owner's part of a turn: an ID scope, or a tenant. */
struct job_part {
    struct db_job_owner of;
    struct str name; /* the ID scope, or the tenant as text */
    int64_t due_us;  /* of the job that was due first when the turn began */
    struct job_counts counts;
    bool over; /* all that was claimed is written */
};

/* One turn's view: what a job function gets. */
struct job_context {
    struct worker *worker;
    enum job_kind kind;
    struct job_part *parts;
    size_t part_count;
    int slot;
    bool waits;       /* for room at a host */
    int64_t claim;    /* so many jobs of each owner at most */
    int64_t begun_us; /* this round */
    struct db *db;    /* NULL while the turn waits for hubs (calls.h) */
    struct hub_client *client;
    struct arena *arena; /* of this round */
};

/* Lends the turn's connection to others, and takes one again. */
void job_give_db(struct job_context *c);
void job_take_db(struct job_context *c);
/* The turn waits for room at a host, or does not any more: meanwhile its scopes have no other turn, which would wait as
 * well. */
void job_waits(struct job_context *c, bool waits);
/* The time until which calls of a group that was claimed at claimed_ms may run: before its lease ends, and before the
 * drain does. */
int64_t job_deadline_ms(const struct worker *w, int64_t claimed_ms);

/* Says what went wrong with a part of the turn. */
void job_note_error(const struct job_context *c, const struct job_part *part, err_t e);
/* A bite of a job that goes on and on failed, of the only part of the turn: another attempt begins where this one did;
 * if even that cannot be written, when the lease ends. Returns why. */
err_t job_bite_failed(struct job_context *c, const struct db_job *job, err_t why);
/* What the part has claimed is written, as its counts say; at the end of its function this is taken for granted. While
 * calls for others still run it leaves the turn, so that nobody's silence keeps its new work waiting. */
void job_part_over(struct job_context *c, struct job_part *part);

/* Claims and works on jobs of the owners c->parts, whose counts tell what became of them; as many as
 * job_claim_limit ask for another round. An error says that nothing was claimed; what goes wrong later is a part's own
 * (job_note_error), so that no owner spoils the turn of another. */
typedef err_t job_function(struct job_context *c);
#define JOB(kind, whose, claim, turn_scopes, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)     \
    job_function job_##kind;
#define SWEEP(kind, every_ms, sentence)
#include "core/jobs.def"
/* One bite of any kind of sweep. */
job_function job_sweep;
/* Jobs of the deployment that are for ever, one of each kind of sweep, where they are missing. */
err_t job_sweeps_begin(struct db *db, struct arena *a);

/* Starts all threads; BAD_CONFIG, DATABASE_… when a connection cannot be made. */
err_t loop_start(struct worker *w, struct err_detail *d);
/* Asks all threads to end what they do within their part of drain_ms, and waits for them. */
void loop_stop(struct worker *w);

#endif
