/* shared.h: what all requests of the process share. Made in main, constant afterwards but for what guards itself (gate,
 * token keys). */
#ifndef IDSCOPE_SHARED_H
#define IDSCOPE_SHARED_H

#include "api/gate.h"
#include "core/cfg.h"
#include "core/jwt.h"

/* The keys that sign and check access tokens, read from token_key and read again now and then (a rotation needs no
 * restart). */
struct token_keys;

struct shared {
    const struct cfg *cfg;
    const struct key_ring *ring;
    struct gate *gate;
    struct token_keys *tokens;
};

struct token_keys *token_keys_new(const struct key_ring *ring);
void token_keys_free(struct token_keys *t);
/* The present keys; reads the table when they were read more than a minute ago. They stay valid until
 * token_keys_release. */
err_t token_keys_get(struct token_keys *t, struct db *db, int64_t now_us, const struct jwt_keys **ret);
void token_keys_release(const struct jwt_keys *keys);
/* A token named a key that the set lacks: the next get reads the table again, unless that was done a moment ago. */
void token_keys_doubt(struct token_keys *t, int64_t now_us);

#endif
