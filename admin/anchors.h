/* anchors.h: hashes of sealed blocks that were kept outside of the database: one of them, or the worker's log. */
#ifndef IDSCOPE_ANCHORS_H
#define IDSCOPE_ANCHORS_H

#include "admin/run.h"

struct anchors;

/* A block as an anchor names it. */
struct anchor {
    struct uuid tenant_id;
    int64_t block;
    struct sha256 hash;
    bool seen; /* there is such a block */
};

/* From --anchor and --anchor-file; BAD_REQUEST when they are none. Lines of the file that are not of sealed blocks are
 * passed over. */
err_t anchors_read(struct run *run, struct anchors **ret);
/* Does a block fit what is known of it? False: an anchor of this tenant and number has another hash. */
bool anchors_fit(struct anchors *x, const struct uuid *tenant, int64_t block, struct bytes hash);
/* Those of blocks that were never asked about: of this tenant, one after the other; NULL: no more. `*at` begins at 0.
 */
const struct anchor *anchors_unseen(const struct anchors *x, const struct uuid *tenant, size_t *at);
/* The hash of --anchor was given and is no block's that was asked about. */
bool anchors_lone_unseen(const struct anchors *x);

#endif
