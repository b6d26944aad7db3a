/* tokens.c: the keys that sign and check access tokens, unsealed from the table token_key. The last set that was read
 * is the process's view (core/cache.h), and stays it, however old, until a newer one takes its place; who has one goes
 * on using it. It must never sign or check anything itself, nor let a private key out of the process. */
#include "api/shared.h"

#include <stdlib.h>

#include "core/cache.h"
#include "db/gate.h"

/* How old the view may be. REFRESH_S is for the chores, so a new key is seen so much later; the others are for who
 * cannot do with less. */
enum { REFRESH_S = 10, FRESH_S = 60, DOUBT_S = 2 };
enum { VERIFIED_MAX = 1000, VERIFIED_S = 3600 };

static const struct str only = STR("keys"); /* there is one set */

struct token_keys {
    struct arena *arena;
    const struct key_ring *ring;
    struct cache *sets;     /* struct jwt_keys */
    struct cache *verified; /* tokens that were found good, see core/jwt.h */
};

struct token_keys *token_keys_new(const struct key_ring *ring)
{
    struct arena *a = arena_new();
    struct token_keys *t = ARENA_NEW(a, struct token_keys);
    *t = (struct token_keys){.arena = a,
                             .ring = ring,
                             .sets = cache_new(1, INT64_MAX),
                             .verified = cache_new(VERIFIED_MAX, VERIFIED_S * INT64_C(1000000))};
    return t;
}

void token_keys_free(struct token_keys *t)
{
    if (!t)
        return;
    cache_free(t->sets);
    cache_free(t->verified);
    arena_free(t->arena);
}

static err_t load_keys(struct token_keys *t, struct db *db, struct jwt_keys *to)
{
    struct arena *a = cache_arena(to);
    struct db_token_key *rows;
    struct bytes pem;
    TRY(db_gate_token_keys(db, a, &rows, &to->count));
    to->at = ARENA_NEW_ARRAY(a, to->count, struct jwt_key *);
    to->verified = t->verified;
    for (size_t i = 0; i < to->count; i++) {
        TRY(unseal(a, t->ring, seal_row(a, "token_key", rows[i].kid, STR(""), "private"), rows[i].private_sealed,
                   &pem));
        TRY(jwt_key_load(a, rows[i].kid, (struct str){(const char *)pem.p, pem.n}, &to->at[i]));
    }
    return NULL;
}

static err_t read_keys(struct token_keys *t, struct db *db, int64_t now_us, const struct jwt_keys **ret)
{
    struct jwt_keys *keys = cache_make(only, sizeof *keys, now_us);
    err_t e = load_keys(t, db, keys);
    if (e) {
        cache_release(keys);
        return e;
    }
    cache_keep(t->sets, keys);
    *ret = keys;
    return NULL;
}

static err_t get_no_older(struct token_keys *t, struct db *db, int64_t now_us, int64_t age_s,
                          const struct jwt_keys **ret)
{
    const struct jwt_keys *view = token_keys_view(t);
    if (!view || llabs(now_us - cache_made_us(view)) >= age_s * 1000000) {
        token_keys_release(view);
        return read_keys(t, db, now_us, ret);
    }
    *ret = view;
    return NULL;
}

void token_keys_refresh(struct token_keys *t, struct db *db, int64_t now_us)
{
    const struct jwt_keys *keys;
    if (!get_no_older(t, db, now_us, REFRESH_S, &keys))
        token_keys_release(keys);
}

const struct jwt_keys *token_keys_view(struct token_keys *t)
{
    return cache_find(t->sets, only, 0);
}

err_t token_keys_get(struct token_keys *t, struct db *db, int64_t now_us, const struct jwt_keys **ret)
{
    return get_no_older(t, db, now_us, FRESH_S, ret);
}

err_t token_keys_get_anew(struct token_keys *t, struct db *db, int64_t now_us, const struct jwt_keys **ret)
{
    return get_no_older(t, db, now_us, DOUBT_S, ret);
}

void token_keys_release(const struct jwt_keys *keys)
{
    cache_release(keys);
}
