/* tokens.c: the keys that sign and check access tokens, unsealed from the table token_key and kept for a minute. A set
 * of keys is immutable and counted, so that a request may go on using the one it got while a newer one takes its place.
 * It must never sign or check anything itself, nor let a private key out of the process. */
#include "api/shared.h"

#include <pthread.h>

#include "db/gate.h"

enum { FRESH_S = 60, DOUBT_S = 2 };

struct key_set {
    struct arena *arena;
    struct jwt_key **keys;
    size_t count;
    int references; /* the table's own and those given out; under the lock */
};

struct token_keys {
    struct arena *arena;
    const struct key_ring *ring;
    pthread_mutex_t lock;
    struct key_set *present; /* NULL before the first read */
    int64_t read_us;
    bool doubted;
};

struct token_keys *token_keys_new(const struct key_ring *ring)
{
    struct arena *a = arena_new();
    struct token_keys *t = ARENA_NEW(a, struct token_keys);
    t->arena = a;
    t->ring = ring;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void key_set_free(struct key_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        jwt_key_free(s->keys[i]);
    arena_free(s->arena);
}

/* Under the lock. */
static void release(struct key_set *s)
{
    if (s && --s->references == 0)
        key_set_free(s);
}

void token_keys_free(struct token_keys *t)
{
    if (!t)
        return;
    release(t->present);
    pthread_mutex_destroy(&t->lock);
    arena_free(t->arena);
}

static err_t load_key(struct token_keys *t, const struct db_token_key *row, struct key_set *s)
{
    struct bytes pem, identity = seal_row(s->arena, "token_key", row->kid, STR(""), "private");
    TRY(unseal(s->arena, t->ring, identity, row->private_sealed, &pem));
    TRY(jwt_key_load(row->kid, (struct str){(const char *)pem.p, pem.n}, &s->keys[s->count]));
    s->count++;
    return NULL;
}

static err_t load_set(struct token_keys *t, struct db *db, struct key_set *s)
{
    struct db_token_key *rows;
    size_t count;
    TRY(db_gate_token_keys(db, s->arena, &rows, &count));
    s->keys = ARENA_NEW_ARRAY(s->arena, count, struct jwt_key *);
    for (size_t i = 0; i < count; i++)
        TRY(load_key(t, &rows[i], s));
    return NULL;
}

/* Was the table read so short a time ago? A clock that was set back is no proof. */
static bool read_within(const struct token_keys *t, int64_t now_us, int64_t seconds)
{
    int64_t age_us = now_us - t->read_us;
    return age_us < seconds * 1000000 && age_us > -seconds * 1000000;
}

static struct key_set *take_fresh(struct token_keys *t, int64_t now_us)
{
    pthread_mutex_lock(&t->lock);
    bool fresh = t->present && !t->doubted && read_within(t, now_us, FRESH_S);
    struct key_set *s = fresh ? t->present : NULL;
    if (s)
        s->references++;
    pthread_mutex_unlock(&t->lock);
    return s;
}

static err_t read_again(struct token_keys *t, struct db *db, int64_t now_us, struct key_set **ret)
{
    struct arena *a = arena_new();
    struct key_set *s = ARENA_NEW(a, struct key_set);
    s->arena = a;
    err_t e = load_set(t, db, s);
    if (e) {
        key_set_free(s);
        return e;
    }
    s->references = 2;
    pthread_mutex_lock(&t->lock);
    release(t->present);
    t->present = s;
    t->read_us = now_us;
    t->doubted = false;
    pthread_mutex_unlock(&t->lock);
    *ret = s;
    return NULL;
}

err_t token_keys_get(struct token_keys *t, struct db *db, int64_t now_us, struct token_key_view *ret)
{
    struct key_set *s = take_fresh(t, now_us);
    if (!s)
        TRY(read_again(t, db, now_us, &s));
    *ret = (struct token_key_view){(const struct jwt_key *const *)s->keys, s->count, s};
    return NULL;
}

void token_keys_release(struct token_keys *t, struct token_key_view *v)
{
    pthread_mutex_lock(&t->lock);
    release(v->hold);
    pthread_mutex_unlock(&t->lock);
    *v = (struct token_key_view){.count = 0};
}

void token_keys_doubt(struct token_keys *t, int64_t now_us)
{
    pthread_mutex_lock(&t->lock);
    t->doubted = t->doubted || !read_within(t, now_us, DOUBT_S);
    pthread_mutex_unlock(&t->lock);
}
