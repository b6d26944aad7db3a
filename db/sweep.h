/* sweep.h: what is due by the calendar (db/sql/sweep.sql). Each call is one bounded bite. */
#ifndef IDSCOPE_DB_SWEEP_H
#define IDSCOPE_DB_SWEEP_H

#include "db/job.h"

/* Jobs of the deployment that are for ever, one of each kind, where they are missing. */
err_t db_sweep_begin(struct db *db, struct arena *a, const struct str *kinds, size_t count);

/* Makes jobs of what is due at links, at most so many, and moves the links' next turn. *ret_jobs: new ones. */
err_t db_sweep_link_validate(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs);
err_t db_sweep_latency_measure(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs);
err_t db_sweep_issuers(struct db *db, struct arena *a, int64_t next_ms, int at_most, int64_t *ret_jobs);

/* A bite out of a deleted instance's data, of at most so many rows of each table; out of a deleted hub's devices; out
 * of the latency figures that are too old; out of the names that have rested long enough. *ret_gone is 0 when nothing
 * is left to do. */
err_t db_sweep_retired_scopes(struct db *db, struct arena *a, int at_most, int64_t *ret_gone);
err_t db_sweep_retired_hubs(struct db *db, struct arena *a, int at_most, int64_t *ret_gone);
err_t db_sweep_latencies(struct db *db, struct arena *a, int64_t old_ms, int at_most, int64_t *ret_gone);
err_t db_sweep_challenges(struct db *db, struct arena *a, int at_most, int64_t *ret_gone);
err_t db_sweep_name_rests(struct db *db, struct arena *a, int64_t old_ms, int at_most, int64_t *ret_gone);

/* Folds changes of the counts of the first hub behind *hub that has any; *hub becomes that hub, or 0 behind the last.
 */
err_t db_sweep_hub_device_count(struct db *db, struct arena *a, int64_t *hub, int at_most);

/* Counts the next entries of the deployment in the rounds of that name; *ret_more: the round goes on. */
err_t db_sweep_count(struct db *db, struct arena *a, struct str round, int at_most, bool *ret_more);

/* The round over the stored inputs of choices: the next scope that has old ones; its registrations in bites, which mark
 * what they name; then what was not marked goes. */
struct db_inputs_scope {
    struct str id_scope;
    bool old;         /* false: it has none, it is only how far the look went */
    struct str began; /* the round over this scope: the time as the database writes it */
};
/* The next scope behind `after` with inputs older than old_ms, of at_most that are looked at. NO_ROW: there is none. */
err_t db_sweep_inputs_scope(struct db *db, struct arena *a, struct str after, int64_t old_ms, int at_most,
                            struct db_inputs_scope *ret);
/* *ret_came_to: the last registration of the bite; absent when there was none behind `after`. */
err_t db_sweep_inputs_mark(struct db *db, struct arena *a, const struct db_inputs_scope *s, struct str after,
                           int at_most, struct str *ret_came_to);
/* Ends a round: what is older than old_ms and was not marked goes; fewer than at_most: that was all. */
err_t db_sweep_inputs_clear(struct db *db, struct arena *a, const struct db_inputs_scope *s, int64_t old_ms,
                            int at_most, int64_t *ret_gone);

#endif
