/* gate.c: what checks need to know, read from the database and remembered for a second (core/cache.h); that nothing is
 * there is remembered too. It must never show a value that is older, nor one of which only a part was read. */
#include "api/gate.h"

#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "core/cache.h"
#include "core/model.h"
#include "core/word.h"

enum { ENTRIES_MAX = 10000 }; /* of each kind */

enum kind { KIND_SCOPE, KIND_INSTANCE, KIND_HUB, KIND_CLIENT, KIND_FEDERATED, KINDS };

static const err_t misses[KINDS] = {
    [KIND_SCOPE] = E(INSTANCE_NOT_FOUND), [KIND_INSTANCE] = E(INSTANCE_NOT_FOUND), [KIND_HUB] = E(HUB_NOT_FOUND),
    [KIND_CLIENT] = E(INVALID_CLIENT),    [KIND_FEDERATED] = E(INVALID_CLIENT),
};

/* A value of the cache; what is given out of it stands first, so that it leads back to the whole. */
struct entry {
    union {
        struct gate_instance instance;
        struct gate_hub hub;
        struct gate_client client;
    };
    err_t miss; /* set: nothing is there */
};

struct gate {
    struct arena *arena;
    const struct key_ring *ring;
    struct quotas quotas;
    struct cache *known[KINDS];
};

struct gate *gate_new(const struct key_ring *ring, const struct quotas *quotas)
{
    struct arena *a = arena_new();
    struct gate *g = ARENA_NEW(a, struct gate);
    g->arena = a;
    g->ring = ring;
    g->quotas = *quotas;
    for (enum kind k = 0; k < KINDS; k++)
        g->known[k] = cache_new(ENTRIES_MAX, GATE_FRESH_MS * 1000);
    return g;
}

void gate_free(struct gate *g)
{
    for (enum kind k = 0; g && k < KINDS; k++)
        cache_free(g->known[k]);
    arena_free(g ? g->arena : NULL);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static err_t unseal_policies(struct gate *g, struct arena *a, const char *row_kind, struct str owner,
                             int (*implied)(int), struct gate_policies *p)
{
    p->at = ARENA_NEW_ARRAY(a, p->key_names.n, struct gate_policy);
    for (size_t i = 0; i < p->key_names.n; i++) {
        const struct seal_id row = {row_kind, owner, arena_lower(a, p->key_names.at[i])};
        const struct keypair_sealed sealed = {p->primary_sealed.at[i], p->secondary_sealed.at[i]};
        p->at[i].name = p->key_names.at[i];
        p->at[i].rights = implied((int)p->rights.at[i]);
        TRY(keypair_open(a, g->ring, &row, &sealed, &p->at[i].keys));
    }
    return NULL;
}

static void take_quotas(const struct gate *g, struct gate_instance *i)
{
    i->quotas = g->quotas;
    for (size_t k = 0; k < i->limit_names.n; k++)
        quotas_set(&i->quotas, i->limit_names.at[k], i->limits.at[k]);
}

static bool counts_registrations(const struct gate *g)
{
    return g->quotas.most[QUOTA_OF_REGISTRATIONS];
}

/* The row's texts are in the entry's arena already. */
static err_t take_instance(struct gate *g, struct entry *e, const struct gate_instance *row)
{
    e->instance = *row;
    take_quotas(g, &e->instance);
    TRY(ip_filter_read(cache_arena(e), row->network, &e->instance.filter));
    return unseal_policies(g, cache_arena(e), "instance_policy", row->id_scope, service_rights_implied,
                           &e->instance.policies);
}

static err_t load_instance(struct gate *g, struct db *db, struct str id_scope, struct str name, struct entry *e)
{
    struct gate_instance row;
    TRY(db_gate_instance(db, cache_arena(e), id_scope, name, counts_registrations(g), &row));
    return take_instance(g, e, &row);
}

static err_t load_hub(struct gate *g, struct db *db, struct str key, struct entry *e)
{
    TRY(db_gate_hub(db, cache_arena(e), key, &e->hub));
    TRY(ip_filter_read(cache_arena(e), e->hub.network, &e->hub.filter));
    return unseal_policies(g, cache_arena(e), "hub_policy", key, hub_rights_implied, &e->hub.policies);
}

static err_t take_client(struct db *db, const struct uuid *client_id, struct entry *e)
{
    struct arena *a = cache_arena(e);
    struct gate_grants *g = &e->client.grants;
    TRY(db_gate_client(db, a, client_id, &e->client));
    g->at = ARENA_NEW_ARRAY(a, g->roles.n, struct gate_grant);
    for (size_t i = 0; i < g->roles.n; i++)
        g->at[i] = (struct gate_grant){word_number(role_words, g->roles.at[i]), g->scopes.at[i]};
    return NULL;
}

static err_t load_client(struct db *db, struct str key, struct entry *e)
{
    struct uuid client_id;
    memcpy(client_id.b, key.p, sizeof client_id.b);
    return take_client(db, &client_id, e);
}

/* Claims of a token hold no NUL (core/json.h), so it divides them. */
static err_t load_federated(struct db *db, struct str key, struct entry *e)
{
    struct arena *a = cache_arena(e);
    struct db_federated f;
    struct uuid client_id;
    f.tenant = str_split(str_split(key, '\0', &f.issuer), '\0', &f.subject);
    TRY(db_gate_federated(db, a, &f, &client_id));
    return take_client(db, &client_id, e);
}

static err_t load(struct gate *g, struct db *db, enum kind kind, struct str key, struct entry *e)
{
    const struct str absent = {NULL, 0};
    switch (kind) {
    case KIND_SCOPE:
        return load_instance(g, db, key, absent, e);
    case KIND_INSTANCE:
        return load_instance(g, db, absent, key, e);
    case KIND_HUB:
        return load_hub(g, db, key, e);
    case KIND_CLIENT:
        return load_client(db, key, e);
    case KIND_FEDERATED:
        return load_federated(db, key, e);
    case KINDS:
        break;
    }
    return E(NO_ROW);
}

/* A scope of no instance looks like an instance without policies. */
static struct entry *entry_new(struct gate *g, enum kind kind, struct str key, int64_t now_us)
{
    struct entry *e = cache_make(g->known[kind], key, sizeof *e, now_us);
    if (kind == KIND_SCOPE)
        e->instance.id_scope = e->instance.id_scope_text = arena_str(cache_arena(e), key);
    return e;
}

/* What is not there is an entry too, with its miss. Only if there is something, or nothing, is it remembered. */
static err_t find_or_load(struct gate *g, struct db *db, enum kind kind, struct str key, int64_t now_us,
                          struct entry **ret)
{
    struct entry *e = cache_find(g->known[kind], key, now_us);
    if (!e) {
        e = entry_new(g, kind, key, now_us);
        err_t failed = load(g, db, kind, key, e);
        if (failed && failed != E(NO_ROW)) {
            cache_release(e);
            return failed;
        }
        e->miss = failed ? misses[kind] : NULL;
        cache_keep(g->known[kind], e);
    }
    *ret = e;
    return NULL;
}

static err_t look_up(struct gate *g, struct db *db, enum kind kind, struct str key, int64_t now_us, struct entry **ret)
{
    struct entry *e;
    TRY(find_or_load(g, db, kind, key, now_us, &e));
    err_t missed = e->miss;
    if (missed)
        cache_release(e);
    else
        *ret = e;
    return missed;
}

/* --- many scopes at once ------------------------------------------------------------------------------------------ */

static int compare_keys(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Puts those of the keys that are not known freshly to the front, once each, and counts them. */
static size_t pick_unknown(struct gate *g, struct str *keys, size_t count, int64_t now_us)
{
    qsort(keys, count, sizeof *keys, compare_keys);
    size_t n = 0, missing = cache_missing(g->known[KIND_SCOPE], keys, count, now_us);
    for (size_t i = 0; i < missing; i++)
        if (!n || !str_same(keys[n - 1], keys[i]))
            keys[n++] = keys[i];
    return n;
}

void gate_read_scopes(struct gate *g, struct db *db, struct str *keys, size_t count, int64_t now_us)
{
    size_t n = pick_unknown(g, keys, count, now_us);
    if (n < 2)
        return;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct gate_instance *rows = ARENA_NEW_ARRAY(a, n, struct gate_instance);
    struct entry **entries = ARENA_NEW_ARRAY(a, n, struct entry *);
    struct arena **homes = ARENA_NEW_ARRAY(a, n, struct arena *);
    for (size_t i = 0; i < n; i++) {
        entries[i] = entry_new(g, KIND_SCOPE, keys[i], now_us);
        homes[i] = cache_arena(entries[i]);
    }
    err_t failed = db_gate_instances(db, a, keys, n, counts_registrations(g), homes, rows);
    for (size_t i = 0; i < n; i++) {
        entries[i]->miss = rows[i].id_scope.p ? NULL : misses[KIND_SCOPE];
        if (!failed && (entries[i]->miss || !take_instance(g, entries[i], &rows[i])))
            cache_keep(g->known[KIND_SCOPE], entries[i]);
        cache_release(entries[i]);
    }
}

/* --- the public face ---------------------------------------------------------------------------------------------- */

err_t gate_instance_by_scope(struct gate *g, struct db *db, struct str id_scope_key, int64_t now_us,
                             const struct gate_instance **ret)
{
    struct entry *e;
    TRY(find_or_load(g, db, KIND_SCOPE, id_scope_key, now_us, &e));
    *ret = &e->instance;
    return NULL;
}

err_t gate_instance_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                            const struct gate_instance **ret)
{
    struct entry *e;
    TRY(look_up(g, db, KIND_INSTANCE, name_key, now_us, &e));
    *ret = &e->instance;
    return NULL;
}

err_t gate_hub_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us, const struct gate_hub **ret)
{
    struct entry *e;
    TRY(look_up(g, db, KIND_HUB, name_key, now_us, &e));
    *ret = &e->hub;
    return NULL;
}

err_t gate_client_by_id(struct gate *g, struct db *db, const struct uuid *client_id, int64_t now_us,
                        const struct gate_client **ret)
{
    struct entry *e;
    struct str key = {(const char *)client_id->b, sizeof client_id->b};
    TRY(look_up(g, db, KIND_CLIENT, key, now_us, &e));
    *ret = &e->client;
    return NULL;
}

err_t gate_client_federated(struct gate *g, struct db *db, struct arena *a, const struct db_federated *f,
                            int64_t now_us, const struct gate_client **ret)
{
    struct entry *e;
    struct text key;
    text_init(&key, a, 256);
    text_add(&key, f->issuer);
    text_add_char(&key, '\0');
    text_add(&key, f->subject);
    text_add_char(&key, '\0');
    text_add(&key, f->tenant);
    TRY(look_up(g, db, KIND_FEDERATED, text_str(&key), now_us, &e));
    *ret = &e->client;
    return NULL;
}

void gate_release(const void *held)
{
    cache_release(held);
}

void gate_forget_instance(struct gate *g, struct str id_scope_key, struct str name_key)
{
    cache_forget(g->known[KIND_SCOPE], id_scope_key);
    cache_forget(g->known[KIND_INSTANCE], name_key);
}

void gate_forget_hub(struct gate *g, struct str name_key)
{
    cache_forget(g->known[KIND_HUB], name_key);
}
