/* tokens.c: the keys that sign and check access tokens, unsealed from the table token_key, and those of outside
 * issuers. The last set that was read is the process's view (core/cache.h), and stays it, however old, until a newer
 * one takes its place; who has one goes on using it. It must never sign or check anything itself, nor let a private key
 * out of the process, nor ask an issuer: the worker does. */
#include "api/shared.h"

#include <stdlib.h>

#include "core/cache.h"
#include "core/model.h"
#include "core/word.h"
#include "db/gate.h"

/* How old the view may be. REFRESH_S is for the chores, so a new key is seen so much later; the others are for who
 * cannot do with less. */
enum { REFRESH_S = 10, FRESH_S = 60, DOUBT_S = 2 };
enum {
#define PAUSE(name, ms, sentence) PAUSE_##name##_MS = (ms),
#define KEEP(name, ms, sentence) KEEP_##name##_MS = (ms),
#include "core/jobs.def"
};
enum { VERIFIED_MAX = 1000, VERIFIED_S = 3600 };

static const struct str only = STR("keys"); /* there is one set */

struct token_keys {
    struct arena *arena;
    const struct key_ring *ring;
    struct cache *sets;     /* struct token_view */
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

static err_t load_own(struct token_keys *t, struct db *db, struct arena *a, struct jwt_keys *to)
{
    struct db_token_key *rows;
    struct bytes pem;
    TRY(db_gate_token_keys(db, a, &rows, &to->count));
    to->at = ARENA_NEW_ARRAY(a, to->count, struct jwt_key *);
    to->verified = t->verified;
    for (size_t i = 0; i < to->count; i++) {
        TRY(unseal(a, t->ring, seal_row(a, "token_key", rows[i].kid, STR(""), "private"), rows[i].private_sealed,
                   &pem));
        TRY(jwt_key_load(a, rows[i].kid, bytes_str(pem), &to->at[i]));
    }
    return NULL;
}

static void take_issuer(struct token_keys *t, struct arena *a, const struct db_gate_issuer *row,
                        struct token_issuer *to)
{
    to->rules = (struct jwt_rules){row->issuer, row->audience, row->subject_claim, row->tenant_claim};
    to->keys =
        (struct jwt_keys){ARENA_NEW_ARRAY(a, row->kids.n + 1, struct jwt_key *), row->kids.n, t->verified, &to->rules};
    for (size_t i = 0; i < row->kids.n; i++) {
        enum jwt_algorithm algorithm = word_number(key_algorithm_words, row->algorithms.at[i]);
        to->keys.at[i] = jwt_key_outside(a, row->kids.at[i], algorithm, row->public_keys.at[i]);
    }
}

static err_t load_issuers(struct token_keys *t, struct db *db, struct arena *a, struct token_view *to)
{
    struct db_gate_issuer *rows;
    TRY(db_gate_issuers(db, a, KEEP_issuer_keys_MS, &rows, &to->issuer_count));
    to->issuers = ARENA_NEW_ARRAY(a, to->issuer_count + 1, struct token_issuer);
    for (size_t i = 0; i < to->issuer_count; i++)
        take_issuer(t, a, &rows[i], &to->issuers[i]);
    return NULL;
}

static err_t load_view(struct token_keys *t, struct db *db, struct token_view *to)
{
    TRY(load_own(t, db, cache_arena(to), &to->own));
    return load_issuers(t, db, cache_arena(to), to);
}

static err_t read_view(struct token_keys *t, struct db *db, int64_t now_us, const struct token_view **ret)
{
    struct token_view *view = cache_make(t->sets, only, sizeof *view, now_us);
    err_t e = load_view(t, db, view);
    if (e) {
        cache_release(view);
        return e;
    }
    cache_keep(t->sets, view);
    *ret = view;
    return NULL;
}

/* Is the view too old for who wants it no older than that, or is there none? */
static bool is_older(const struct token_view *view, int64_t now_us, int64_t age_s)
{
    return !view || llabs(now_us - cache_made_us(view)) >= age_s * 1000000;
}

static err_t get_no_older(struct token_keys *t, struct db *db, int64_t now_us, int64_t age_s,
                          const struct token_view **ret)
{
    const struct token_view *view = token_keys_view(t);
    if (is_older(view, now_us, age_s)) {
        token_keys_release(view);
        return read_view(t, db, now_us, ret);
    }
    *ret = view;
    return NULL;
}

void token_keys_refresh(struct token_keys *t, struct db *db, int64_t now_us)
{
    const struct token_view *view;
    if (!get_no_older(t, db, now_us, REFRESH_S, &view))
        token_keys_release(view);
}

const struct token_view *token_keys_view(struct token_keys *t)
{
    return cache_find(t->sets, only, 0);
}

err_t token_keys_get(struct token_keys *t, struct db *db, int64_t now_us, const struct token_view **ret)
{
    return get_no_older(t, db, now_us, FRESH_S, ret);
}

/* Whoever sends tokens of made-up keys makes the database read no more often than that, and write no more often than
 * the issuer may be asked. */
err_t token_keys_get_anew(struct token_keys *t, struct db *db, struct str issuer, int64_t now_us,
                          const struct token_view **ret)
{
    const struct token_view *view = token_keys_view(t);
    bool old = is_older(view, now_us, DOUBT_S), outside = view && token_keys_of(view, issuer);
    token_keys_release(view);
    if (old && outside) {
        ARENA_CLEANUP struct arena *a = arena_new();
        TRY(db_gate_issuer_wanted(db, a, issuer, PAUSE_issuer_wanted_MS));
    }
    return get_no_older(t, db, now_us, DOUBT_S, ret);
}

const struct jwt_keys *token_keys_of(const struct token_view *view, struct str issuer)
{
    for (size_t i = 0; i < view->issuer_count; i++)
        if (str_same(view->issuers[i].rules.issuer, issuer))
            return &view->issuers[i].keys;
    return NULL;
}

void token_keys_release(const struct token_view *view)
{
    cache_release(view);
}
