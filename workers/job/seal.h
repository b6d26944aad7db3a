/* seal.h: sealing audit events in blocks. */
#ifndef IDSCOPE_SEAL_JOB_H
#define IDSCOPE_SEAL_JOB_H

#include "db/db.h"

/* Seals the next events up to an id, at most so many, a block for each tenant, and says the hash of each block in the
 * log: all of them or none. Answers how many. */
err_t seal_events(struct db *db, struct arena *a, int64_t up_to, int at_most, int64_t *ret_events);

/* Blocks that were sealed more than `keep_s` seconds ago go, with their events: the first one of `at_most` tenants. */
err_t seal_cut(struct db *db, struct arena *a, int64_t keep_s, int64_t at_most, int64_t *ret_blocks);

#endif
