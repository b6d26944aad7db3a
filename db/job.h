/* job.h: the queue (db/sql/job.sql): finding, claiming, ending and giving back jobs; and the sweeps that fill it and
 * clear away what is dead. What a job means is the business of workers/job. */
#ifndef IDSCOPE_DB_JOB_H
#define IDSCOPE_DB_JOB_H

#include "db/db.h"

struct db_job {
    struct str subject, hub; /* hub: empty but for kinds whose subject is a thing on a hub */
    struct str payload;      /* JSON; absent: none */
    int64_t fence;           /* of this claim: what ends or gives back the job names it */
    int attempt;             /* failed ones so far */
};

/* A scope that has living jobs of a kind. */
struct db_due_scope {
    struct str id_scope;
    struct uuid tenant; /* all zeros: nobody's any more */
    bool due;
    int64_t due_us; /* of the job that is due first */
};
/* The next scopes behind `after`, by their names; at_most of them mean that there may be more. */
err_t db_job_due_scopes(struct db *db, struct arena *a, struct str kind, struct str after, int at_most,
                        struct db_due_scope **ret, size_t *ret_count);

struct db_job_claim {
    struct str id_scope, kind;
    int at_most;
    int64_t lease_ms;
};
/* Parameters and result of statement SQL_JOB_CLAIM, for callers that send it in a pipeline of their own. */
void db_job_claim_args(struct db_args *in, struct arena *a, const struct db_job_claim *c);
struct db_job *db_job_claim_rows(const struct rows *rows, struct arena *a, size_t *ret_count);
err_t db_job_claim(struct db *db, struct arena *a, const struct db_job_claim *c, struct db_job **ret,
                   size_t *ret_count);

err_t db_job_done(struct db *db, struct arena *a, struct str id_scope, struct str kind, const struct db_job *at,
                  size_t count);

enum { DB_JOB_DEAD_MS = -1 };
struct db_job_back {
    struct db_job job;
    int64_t delay_ms; /* DB_JOB_DEAD_MS: not before a person asks for it */
    bool failed;      /* counts as an attempt */
    struct str error; /* why, for people; absent leaves what stands */
};
err_t db_job_put_back(struct db *db, struct arena *a, struct str id_scope, struct str kind,
                      const struct db_job_back *at, size_t count);

/* Turns what is due at links into jobs, at most so many, and moves the links' next turn. *ret_made counts the new jobs.
 */
err_t db_sweep_link_validate(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_made);
err_t db_sweep_latency_measure(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_made);
/* One bounded bite out of a deleted instance's data, or out of a deleted hub's devices; *ret_gone is 0 when nothing is
 * left to do. */
err_t db_sweep_retired_scope(struct db *db, struct arena *a, int at_most, int64_t *ret_gone);
err_t db_sweep_retired_hubs(struct db *db, struct arena *a, int at_most, int64_t *ret_gone);
/* Clears old inputs of choices of the next scope behind *scope, which it moves; NO_ROW when the round is over. */
err_t db_sweep_alloc_input(struct db *db, struct arena *a, struct str *scope, int at_most, int64_t *ret_gone);
/* Folds changes of the counts of the first hub behind *hub that has any; *hub becomes that hub, or 0 behind the last.
 */
err_t db_sweep_hub_device_count(struct db *db, struct arena *a, int64_t *hub, int at_most);
err_t db_sweep_latency(struct db *db, int64_t *ret_gone);

#endif
