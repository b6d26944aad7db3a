/* gate.c: the cache of what checks need to know. One hash table of immutable, counted entries under one lock; an entry
 * is found by its kind and key, serves for a second and is dropped then; misses are entries too. The database is asked
 * outside the lock. It must never let an entry that somebody holds go, and never serve one that is older than
 * GATE_FRESH_MS. */
#include "api/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "db/gate.h"

enum { ENTRIES_MAX = 10000, BUCKETS = 4096, SWEEP_AT_MOST = 8 };

enum kind { KIND_SCOPE, KIND_INSTANCE, KIND_HUB, KIND_CLIENT };

struct entry {
    struct arena *arena; /* holds the entry and all that it points to */
    enum kind kind;
    struct str key;
    int64_t loaded_us;
    int references; /* the table's own and those given out */
    struct entry *next_in_bucket;
    struct entry *older, *newer; /* all entries of the table, by age */
    err_t miss;                  /* set: nothing is there */
    union {
        struct gate_instance instance;
        struct gate_hub hub;
        struct gate_client client;
    };
};

struct gate {
    struct arena *arena;
    const struct key_ring *ring;
    pthread_mutex_t lock;
    size_t count;
    struct entry *oldest, *newest;
    struct entry *buckets[BUCKETS];
};

struct gate *gate_new(const struct key_ring *ring)
{
    struct arena *a = arena_new();
    struct gate *g = ARENA_NEW(a, struct gate);
    g->arena = a;
    g->ring = ring;
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

/* --- the table; all of this under the lock ------------------------------------------------------------------------ */

static struct entry **bucket_of(struct gate *g, enum kind kind, struct str key)
{
    uint32_t hash = 2166136261U ^ (uint32_t)kind;
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (uint8_t)key.p[i]) * 16777619U;
    return &g->buckets[hash % BUCKETS];
}

static struct entry *find(struct gate *g, enum kind kind, struct str key)
{
    struct entry *e = *bucket_of(g, kind, key);
    while (e && !(e->kind == kind && str_same(e->key, key)))
        e = e->next_in_bucket;
    return e;
}

static void release(struct entry *e)
{
    if (--e->references == 0)
        arena_free(e->arena);
}

static void drop(struct gate *g, struct entry *e)
{
    struct entry **at = bucket_of(g, e->kind, e->key);
    while (*at != e)
        at = &(*at)->next_in_bucket;
    *at = e->next_in_bucket;
    *(e->older ? &e->older->newer : &g->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &g->newest) = e->older;
    g->count--;
    release(e);
}

/* Threads read the clock at slightly different times, so an entry may also be a little younger than now. */
static bool is_fresh(const struct entry *e, int64_t now_us)
{
    int64_t age_us = now_us - e->loaded_us;
    return age_us > -GATE_FRESH_MS * 1000 && age_us < GATE_FRESH_MS * 1000;
}

static void add(struct gate *g, struct entry *e)
{
    struct entry *same = find(g, e->kind, e->key);
    if (same)
        drop(g, same);
    for (int i = 0; g->oldest && i < SWEEP_AT_MOST && (g->count >= ENTRIES_MAX || !is_fresh(g->oldest, e->loaded_us));
         i++)
        drop(g, g->oldest);
    struct entry **bucket = bucket_of(g, e->kind, e->key);
    e->next_in_bucket = *bucket;
    *bucket = e;
    e->older = g->newest;
    *(g->newest ? &g->newest->newer : &g->oldest) = e;
    g->newest = e;
    g->count++;
    e->references++;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    while (g->oldest)
        drop(g, g->oldest);
    pthread_mutex_destroy(&g->lock);
    arena_free(g->arena);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static err_t unseal_policies(struct gate *g, struct arena *a, const char *row_kind, struct str owner,
                             const struct db_policies *from, int (*implied)(int), struct gate_policy **ret,
                             size_t *ret_count)
{
    size_t count = from->key_names.n;
    struct gate_policy *policies = ARENA_NEW_ARRAY(a, count, struct gate_policy);
    for (size_t i = 0; i < count; i++) {
        const struct seal_id row = {row_kind, owner, arena_lower(a, from->key_names.at[i])};
        const struct keypair_sealed sealed = {from->primary_sealed.at[i], from->secondary_sealed.at[i]};
        policies[i].name = from->key_names.at[i];
        policies[i].rights = implied((int)from->rights.at[i]);
        TRY(keypair_open(a, g->ring, &row, &sealed, &policies[i].keys));
    }
    *ret = policies;
    *ret_count = count;
    return NULL;
}

/* The row's texts are in the entry's arena already. */
static err_t take_instance(struct gate *g, struct entry *e, const struct db_gate_instance *row)
{
    e->instance = (struct gate_instance){.id_scope = row->id_scope,
                                         .id_scope_text = row->id_scope_text,
                                         .tenant_id = row->tenant_id,
                                         .name = row->name,
                                         .version = row->version,
                                         .inputs_version = row->inputs_version};
    return unseal_policies(g, e->arena, "instance_policy", row->id_scope, &row->policies, service_rights_implied,
                           &e->instance.policies, &e->instance.policy_count);
}

static err_t load_instance(struct gate *g, struct db *db, struct entry *e)
{
    struct db_gate_instance row;
    struct str absent = {NULL, 0};
    bool by_scope = e->kind == KIND_SCOPE;
    TRY(db_gate_instance(db, e->arena, by_scope ? e->key : absent, by_scope ? absent : e->key, &row));
    return take_instance(g, e, &row);
}

static err_t load_hub(struct gate *g, struct db *db, struct entry *e)
{
    struct db_gate_hub row;
    TRY(db_gate_hub(db, e->arena, e->key, &row));
    e->hub = (struct gate_hub){.hub_id = row.hub_id,
                               .version = row.version,
                               .created_us = row.created_us,
                               .tenant_id = row.tenant_id,
                               .name = row.name};
    return unseal_policies(g, e->arena, "hub_policy", e->key, &row.policies, hub_rights_implied, &e->hub.policies,
                           &e->hub.policy_count);
}

static err_t load_client(struct db *db, struct entry *e)
{
    struct db_gate_client row;
    struct uuid client_id;
    memcpy(client_id.b, e->key.p, sizeof client_id.b);
    TRY(db_gate_client(db, e->arena, &client_id, &row));
    e->client = (struct gate_client){client_id, row.tenant_id, row.role, row.secret};
    return NULL;
}

static err_t load(struct gate *g, struct db *db, struct entry *e)
{
    switch (e->kind) {
    case KIND_SCOPE:
    case KIND_INSTANCE:
        return load_instance(g, db, e);
    case KIND_HUB:
        return load_hub(g, db, e);
    case KIND_CLIENT:
        return load_client(db, e);
    }
    return E(NO_ROW);
}

static struct entry *entry_new(enum kind kind, struct str key, int64_t now_us)
{
    struct arena *a = arena_new();
    struct entry *e = ARENA_NEW(a, struct entry);
    e->arena = a;
    e->kind = kind;
    e->key = arena_str(a, key);
    e->loaded_us = now_us;
    e->references = 1;
    if (kind == KIND_SCOPE)
        e->instance = (struct gate_instance){.id_scope = e->key, .id_scope_text = e->key};
    return e;
}

static struct entry *find_fresh(struct gate *g, enum kind kind, struct str key, int64_t now_us)
{
    pthread_mutex_lock(&g->lock);
    struct entry *e = find(g, kind, key);
    if (e && is_fresh(e, now_us))
        e->references++;
    else
        e = NULL;
    pthread_mutex_unlock(&g->lock);
    return e;
}

static void keep(struct gate *g, struct entry *e)
{
    pthread_mutex_lock(&g->lock);
    add(g, e);
    pthread_mutex_unlock(&g->lock);
}

static void give_back(struct gate *g, struct entry *e)
{
    pthread_mutex_lock(&g->lock);
    release(e);
    pthread_mutex_unlock(&g->lock);
}

/* `miss` is what it is called when nothing is there; *ret is an entry then, too. Only if there is something, or
 * nothing, is it remembered. */
static err_t find_or_load(struct gate *g, struct db *db, enum kind kind, struct str key, int64_t now_us, err_t miss,
                          struct entry **ret)
{
    struct entry *e = find_fresh(g, kind, key, now_us);
    if (!e) {
        e = entry_new(kind, key, now_us);
        err_t failed = load(g, db, e);
        if (failed && failed != E(NO_ROW)) {
            release(e);
            return failed;
        }
        e->miss = failed ? miss : NULL;
        keep(g, e);
    }
    *ret = e;
    return NULL;
}

static err_t look_up(struct gate *g, struct db *db, enum kind kind, struct str key, int64_t now_us, err_t miss,
                     struct entry **ret)
{
    struct entry *e;
    TRY(find_or_load(g, db, kind, key, now_us, miss, &e));
    err_t missed = e->miss;
    if (missed)
        give_back(g, e);
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
    size_t n = 0;
    qsort(keys, count, sizeof *keys, compare_keys);
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = find(g, KIND_SCOPE, keys[i]);
        bool known = (e && is_fresh(e, now_us)) || (n && str_same(keys[n - 1], keys[i]));
        if (!known)
            keys[n++] = keys[i];
    }
    pthread_mutex_unlock(&g->lock);
    return n;
}

void gate_read_scopes(struct gate *g, struct db *db, struct str *keys, size_t count, int64_t now_us)
{
    size_t n = pick_unknown(g, keys, count, now_us);
    if (n < 2)
        return;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct db_gate_instance *rows = ARENA_NEW_ARRAY(a, n, struct db_gate_instance);
    struct entry **entries = ARENA_NEW_ARRAY(a, n, struct entry *);
    struct arena **homes = ARENA_NEW_ARRAY(a, n, struct arena *);
    for (size_t i = 0; i < n; i++) {
        entries[i] = entry_new(KIND_SCOPE, keys[i], now_us);
        homes[i] = entries[i]->arena;
    }
    err_t failed = db_gate_instances(db, a, keys, n, homes, rows);
    for (size_t i = 0; i < n; i++) {
        entries[i]->miss = rows[i].id_scope.p ? NULL : E(INSTANCE_NOT_FOUND);
        if (!failed && (entries[i]->miss || !take_instance(g, entries[i], &rows[i])))
            keep(g, entries[i]);
        give_back(g, entries[i]);
    }
}

/* --- the public face ---------------------------------------------------------------------------------------------- */

err_t gate_instance_by_scope(struct gate *g, struct db *db, struct str id_scope_key, int64_t now_us,
                             const struct gate_instance **ret)
{
    struct entry *e;
    TRY(find_or_load(g, db, KIND_SCOPE, id_scope_key, now_us, E(INSTANCE_NOT_FOUND), &e));
    *ret = &e->instance;
    return NULL;
}

err_t gate_instance_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                            const struct gate_instance **ret)
{
    struct entry *e;
    TRY(look_up(g, db, KIND_INSTANCE, name_key, now_us, E(INSTANCE_NOT_FOUND), &e));
    *ret = &e->instance;
    return NULL;
}

err_t gate_hub_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us, const struct gate_hub **ret)
{
    struct entry *e;
    TRY(look_up(g, db, KIND_HUB, name_key, now_us, E(HUB_NOT_FOUND), &e));
    *ret = &e->hub;
    return NULL;
}

err_t gate_client_by_id(struct gate *g, struct db *db, const struct uuid *client_id, int64_t now_us,
                        const struct gate_client **ret)
{
    struct entry *e;
    struct str key = {(const char *)client_id->b, sizeof client_id->b};
    TRY(look_up(g, db, KIND_CLIENT, key, now_us, E(INVALID_CLIENT), &e));
    *ret = &e->client;
    return NULL;
}

/* The entry around one of its members. */
#define ENTRY_OF(pointer, member) ((struct entry *)((char *)(uintptr_t)(pointer)-offsetof(struct entry, member)))

void gate_release_instance(struct gate *g, const struct gate_instance *i)
{
    if (i)
        give_back(g, ENTRY_OF(i, instance));
}

void gate_release_hub(struct gate *g, const struct gate_hub *h)
{
    if (h)
        give_back(g, ENTRY_OF(h, hub));
}

void gate_release_client(struct gate *g, const struct gate_client *c)
{
    if (c)
        give_back(g, ENTRY_OF(c, client));
}

static void forget(struct gate *g, enum kind kind, struct str key)
{
    pthread_mutex_lock(&g->lock);
    struct entry *e = find(g, kind, key);
    if (e)
        drop(g, e);
    pthread_mutex_unlock(&g->lock);
}

void gate_forget_instance(struct gate *g, struct str id_scope_key, struct str name_key)
{
    forget(g, KIND_SCOPE, id_scope_key);
    forget(g, KIND_INSTANCE, name_key);
}

void gate_forget_hub(struct gate *g, struct str name_key)
{
    forget(g, KIND_HUB, name_key);
}
