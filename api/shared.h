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
/* A view of the present keys, newest first (it signs). Reads the table when the view is older than a
 * minute or empty. The view stays valid until token_keys_release. */
struct token_key_view {
    const struct jwt_key *const *keys;
    size_t count;
    void *hold;
};
err_t token_keys_get(struct token_keys *t, struct db *db, int64_t now_us, struct token_key_view *ret);
void token_keys_release(struct token_keys *t, struct token_key_view *v);
/* A token named a key that the view lacks: the next get reads the table again, unless that was done a moment ago. */
void token_keys_doubt(struct token_keys *t, int64_t now_us);

#endif
