/* job.h: the queue (db/sql/job.sql): finding, claiming, ending and giving back jobs. What a job means is the business
 * of workers/job. */
#ifndef IDSCOPE_DB_JOB_H
#define IDSCOPE_DB_JOB_H

#include "db/db.h"

struct db_job {
    struct str subject, hub; /* hub: empty but for kinds whose subject is a thing on a hub */
    struct str payload;      /* JSON; absent: none */
    int64_t fence;           /* of this claim: what ends or gives back the job names it */
    int attempt;             /* failed ones so far */
};

/* Whose jobs: those of an ID scope, or, where it is absent, of the tenant (all ones: of the deployment). */
struct db_job_owner {
    struct str id_scope;
    struct uuid tenant;
};

/* One who has living jobs of a kind. */
struct db_due_owner {
    struct str id_scope; /* of a tenant: its id as text */
    struct uuid tenant;  /* all zeros: nobody's any more */
    bool due;
    int64_t due_us; /* of the job that is due first */
};
/* The next owners behind `after`, in order; at_most of them mean that there may be more. */
err_t db_job_due(struct db *db, struct arena *a, struct str kind, const struct db_job_owner *after, int at_most,
                 struct db_due_owner **ret, size_t *ret_count);

struct db_job_claim {
    struct str kind;
    int64_t at_most, lease_ms; /* at most of each owner */
};
/* Parameters of SQL_JOB_CLAIM behind the scope, for callers that send it in a pipeline of their own; its rows are
 * struct db_job. */
struct db_in db_job_claim_in(const struct db_job_claim *c);
struct db_job_list {
    struct db_job *at;
    size_t count;
};
/* Claims jobs of each owner that are due, those first that have waited longest; they are nobody else's until the lease
 * ends. All together or none. */
err_t db_job_claim(struct db *db, struct arena *a, const struct db_job_claim *c, const struct db_job_owner *owners,
                   size_t count, struct db_job_list *ret);

/* Ends jobs; what another has claimed since stays. */
err_t db_job_done(struct db *db, struct arena *a, const struct db_job_owner *o, struct str kind,
                  const struct db_job *at, size_t count);

enum { DB_JOB_DEAD_MS = -1 };
struct db_job_back {
    struct db_job job;
    int64_t delay_ms; /* DB_JOB_DEAD_MS: not before a person asks for it */
    bool failed;      /* counts as an attempt */
    struct str error; /* why, for people; absent leaves what stands */
};
/* Gives jobs back; what another has claimed since stays as it is. */
err_t db_job_put_back(struct db *db, struct arena *a, const struct db_job_owner *o, struct str kind,
                      const struct db_job_back *at, size_t count);

/* Gives back one that went well and has more to do, in delay_ms; job->payload says how far it has come. What another
 * has claimed since stays as it is. */
err_t db_job_go_on(struct db *db, struct arena *a, const struct db_job_owner *o, struct str kind,
                   const struct db_job *job, int64_t delay_ms);

#endif
