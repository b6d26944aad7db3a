/* pool.c: the sharing of slots that pool.h describes. It must never begin what would leave nothing for a tenant that
 * has nothing. */
#include "workers/pool.h"

#include <string.h>

enum {
    ACCOUNTS_MAX = 256,  /* tenants whose time is remembered; who used least makes room */
    HALF_LIFE_MS = 8000, /* no schedule: time that was used counts for half after so long */
    HALVINGS_MAX = 40,
};

struct turn {
    bool running, waits;
    int kind;
    struct uuid tenant;
    char scopes[POOL_TURN_MAX][POOL_SCOPE_MAX];
    int scope_count;
    int64_t begun_ms;
};

/* Time that was used, halved as it passes. */
struct account {
    struct uuid tenant;
    int64_t used_ms, as_of_ms;
};

struct pool {
    const struct pool_kind *kinds;
    int kind_count, slots;
    struct turn turns[POOL_SLOTS_MAX];
    struct account tenants[ACCOUNTS_MAX];
    struct account of_kind[POOL_KINDS_MAX];
};

struct pool *pool_new(struct arena *a, int slots, const struct pool_kind *kinds, int kind_count)
{
    struct pool *p = ARENA_NEW(a, struct pool);
    p->kinds = kinds;
    p->kind_count = kind_count;
    p->slots = slots < POOL_SLOTS_MAX ? slots : POOL_SLOTS_MAX;
    return p;
}

/* --- time that was used ------------------------------------------------------------------------------------------- */

static int64_t used_ms(const struct account *a, int64_t now_ms)
{
    int64_t halvings = (now_ms - a->as_of_ms) / HALF_LIFE_MS;
    return halvings < HALVINGS_MAX ? a->used_ms >> halvings : 0;
}

static void use(struct account *a, int64_t ms, int64_t now_ms)
{
    int64_t halvings = (now_ms - a->as_of_ms) / HALF_LIFE_MS;
    a->used_ms = used_ms(a, now_ms) + ms;
    a->as_of_ms = halvings < HALVINGS_MAX ? a->as_of_ms + halvings * HALF_LIFE_MS : now_ms;
}

static bool is_of(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static const struct account *account_of(const struct pool *p, const struct uuid *tenant)
{
    for (size_t i = 0; i < ACCOUNTS_MAX; i++)
        if (is_of(&p->tenants[i].tenant, tenant))
            return &p->tenants[i];
    return NULL;
}

static struct account *open_account(struct pool *p, const struct uuid *tenant, int64_t now_ms)
{
    struct account *quiet = &p->tenants[0];
    for (size_t i = 0; i < ACCOUNTS_MAX; i++) {
        if (is_of(&p->tenants[i].tenant, tenant))
            return &p->tenants[i];
        if (used_ms(&p->tenants[i], now_ms) < used_ms(quiet, now_ms))
            quiet = &p->tenants[i];
    }
    *quiet = (struct account){.tenant = *tenant, .as_of_ms = now_ms};
    return quiet;
}

/* --- who may begin ------------------------------------------------------------------------------------------------ */

/* How the slots stand, as one candidate sees them. */
struct view {
    int all, of_kind, of_tenant, of_tenant_and_kind, of_scope;
    int64_t tenant_ms;
    bool scope_waits;
};

static bool is_for(const struct turn *t, const char *id_scope)
{
    for (int i = 0; i < t->scope_count; i++)
        if (strcmp(t->scopes[i], id_scope) == 0)
            return true;
    return false;
}

static struct view look(const struct pool *p, int kind, const struct pool_scope *s, int64_t now_ms)
{
    const struct account *account = account_of(p, &s->tenant);
    struct view v = {.tenant_ms = account ? used_ms(account, now_ms) : 0};
    for (int i = 0; i < p->slots; i++) {
        const struct turn *t = &p->turns[i];
        if (!t->running)
            continue;
        bool same_kind = t->kind == kind, same_tenant = is_of(&t->tenant, &s->tenant);
        v.all++;
        v.of_kind += same_kind;
        v.of_tenant += same_tenant;
        v.of_tenant_and_kind += same_kind && same_tenant;
        bool same_scope = same_kind && is_for(t, s->id_scope);
        v.of_scope += same_scope;
        v.scope_waits |= same_scope && t->waits;
        v.tenant_ms += same_tenant ? now_ms - t->begun_ms : 0;
    }
    return v;
}

static bool scope_may(const struct pool *p, int kind, const struct view *v)
{
    return v->of_scope < p->kinds[kind].scope_slots && !v->scope_waits;
}

static bool may_begin(const struct pool *p, int kind, const struct view *v)
{
    const struct pool_kind *k = &p->kinds[kind];
    return scope_may(p, kind, v) && v->of_tenant < p->slots - v->all && v->of_tenant_and_kind < k->slots - v->of_kind;
}

static bool comes_before(const struct view *v, const struct pool_scope *s, const struct view *than,
                         const struct pool_scope *other)
{
    if (v->of_tenant != than->of_tenant)
        return v->of_tenant < than->of_tenant;
    if (v->tenant_ms != than->tenant_ms)
        return v->tenant_ms < than->tenant_ms;
    return s->due_us < other->due_us;
}

size_t pool_choose(const struct pool *p, int kind, const struct pool_scope *at, size_t count, int64_t now_ms)
{
    size_t best = count;
    struct view of_best = {0};
    for (size_t i = 0; i < count; i++) {
        struct view v = look(p, kind, &at[i], now_ms);
        if (!may_begin(p, kind, &v) || (best < count && !comes_before(&v, &at[i], &of_best, &at[best])))
            continue;
        best = i;
        of_best = v;
    }
    return best;
}

static int64_t kind_ms(const struct pool *p, int kind, int64_t now_ms)
{
    int64_t ms = used_ms(&p->of_kind[kind], now_ms);
    for (int i = 0; i < p->slots; i++)
        if (p->turns[i].running && p->turns[i].kind == kind)
            ms += now_ms - p->turns[i].begun_ms;
    return ms / p->kinds[kind].weight;
}

void pool_order(const struct pool *p, int64_t now_ms, int *ret_kinds)
{
    for (int kind = 0; kind < p->kind_count; kind++) {
        int at = kind;
        for (; at > 0 && kind_ms(p, ret_kinds[at - 1], now_ms) > kind_ms(p, kind, now_ms); at--)
            ret_kinds[at] = ret_kinds[at - 1];
        ret_kinds[at] = kind;
    }
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

static void let_in(struct turn *t, const struct pool_scope *scope)
{
    memcpy(t->scopes[t->scope_count++], scope->id_scope, sizeof scope->id_scope);
}

int pool_begin(struct pool *p, int kind, const struct pool_scope *scope, int64_t now_ms)
{
    int slot = 0;
    while (p->turns[slot].running)
        slot++;
    p->turns[slot] = (struct turn){.running = true, .kind = kind, .tenant = scope->tenant, .begun_ms = now_ms};
    let_in(&p->turns[slot], scope);
    return slot;
}

bool pool_join(struct pool *p, int slot, const struct pool_scope *scope)
{
    struct turn *t = &p->turns[slot];
    const struct view v = look(p, t->kind, scope, t->begun_ms);
    if (t->scope_count == p->kinds[t->kind].turn_scopes || !is_of(&t->tenant, &scope->tenant) ||
        !scope_may(p, t->kind, &v))
        return false;
    let_in(t, scope);
    return true;
}

void pool_wait(struct pool *p, int slot, bool waits)
{
    p->turns[slot].waits = waits;
}

void pool_leave(struct pool *p, int slot, const char *id_scope)
{
    struct turn *t = &p->turns[slot];
    for (int i = 0; i < t->scope_count; i++)
        if (strcmp(t->scopes[i], id_scope) == 0) {
            memmove(t->scopes[i], t->scopes[--t->scope_count], POOL_SCOPE_MAX);
            return;
        }
}

void pool_end(struct pool *p, int slot, int64_t now_ms)
{
    struct turn *t = &p->turns[slot];
    t->running = false;
    use(open_account(p, &t->tenant, now_ms), now_ms - t->begun_ms, now_ms);
    use(&p->of_kind[t->kind], now_ms - t->begun_ms, now_ms);
}
