/* issuer.h: outside issuers as the worker needs them, which fetches their keys (db/sql/issuer.sql). */
#ifndef IDSCOPE_DB_ISSUER_H
#define IDSCOPE_DB_ISSUER_H

#include "core/jwks.h"
#include "db/db.h"

struct db_issuer {
    struct str issuer;
    struct str keys_url; /* absent: where its discovery document says */
};
/* NO_ROW when it is trusted no more, is disabled, or has keys that the operator gave. */
err_t db_issuer_find(struct db *db, struct arena *a, struct str issuer, struct db_issuer *ret);
/* The issuer has these keys and no others; of one that is gone nothing is written. */
err_t db_issuer_keys_put(struct db *db, struct arena *a, struct str issuer, const struct jwks_key *keys, size_t count);
/* Why its keys were not fetched, for operators; the ones that were there stay. */
err_t db_issuer_failed(struct db *db, struct arena *a, struct str issuer, struct str why);

#endif
