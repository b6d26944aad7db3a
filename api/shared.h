/* shared.h: what all requests of the process share. Made in main, constant afterwards but for what guards itself (gate,
 * verdicts, token keys, refused attempts). */
#ifndef IDSCOPE_SHARED_H
#define IDSCOPE_SHARED_H

#include "api/gate.h"
#include "core/cfg.h"
#include "core/jwt.h"
#include "core/operation.h"
#include "core/quota.h"

/* The keys that sign and check access tokens: the process's view of token_key and of the keys of outside issuers, which
 * the chores keep fresh (a rotation needs no restart). */
struct token_keys;
/* How often what was asked of late (api/rates.h). */
struct rates;
/* Refused calls of devices, on their way to the log (api/attempts.h). */
struct attempts;

struct shared {
    const struct cfg *cfg;
    const struct key_ring *ring;
    const struct quotas *quotas;       /* the deployment's */
    struct operation_keys *operations; /* read only */
    struct gate *gate;
    struct rates *rates;
    struct cache *verdicts; /* core/attest/verdict.h */
    struct token_keys *tokens;
    struct attempts *attempts;
};

struct attempts *attempts_new(void);
void attempts_free(struct attempts *t); /* NULL is allowed */

/* An outside issuer, and the keys that its tokens are checked with. */
struct token_issuer {
    struct jwt_rules rules;
    struct jwt_keys keys; /* of which rules leads to the above */
};
struct token_view {
    struct jwt_keys own;
    struct token_issuer *issuers;
    size_t issuer_count;
};

struct token_keys *token_keys_new(const struct key_ring *ring);
void token_keys_free(struct token_keys *t);
/* Reads the tables unless the view is younger than ten seconds; failing that, the view stays. For the chores. */
void token_keys_refresh(struct token_keys *t, struct db *db, int64_t now_us);
/* The view, whatever its age and without a look at the database; NULL: the tables were never read. */
const struct token_view *token_keys_view(struct token_keys *t);
/* The present keys; reads the tables when the view is more than a minute old. */
err_t token_keys_get(struct token_keys *t, struct db *db, int64_t now_us, const struct token_view **ret);
/* A token of `issuer` named a key that the view lacks: the same, with a view that is two seconds old at most. The keys
 * of an outside issuer are due to be fetched then. */
err_t token_keys_get_anew(struct token_keys *t, struct db *db, struct str issuer, int64_t now_us,
                          const struct token_view **ret);
/* Those of an outside issuer; NULL: it is not trusted. */
const struct jwt_keys *token_keys_of(const struct token_view *view, struct str issuer);
/* Keys stay valid until they are given back. NULL is allowed. */
void token_keys_release(const struct token_view *view);

#endif
