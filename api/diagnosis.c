/* diagnosis.c: brings together what a refused token is held against: the enrollment's keys, those of the groups, whose
 * keys the device may have in their place, and for which id it may have been meant. It must never hand a key on. */
#include "api/diagnosis.h"

#include "api/gate.h"
#include "core/attest/diagnose.h"
#include "core/limits.h"
#include "core/nearest.h"
#include "core/process/clock.h"
#include "db/device.h"

enum { NEAREST_TOLD = 3 };

/* What is read of the database. */
struct held_against {
    struct enrollment_near *near; /* the device's own among them */
    struct db_group_found *groups;
    struct str_list registered;
    size_t near_count, group_count;
};

static err_t read_all(struct arena *a, struct db *db, const struct attempt_row *attempt, struct held_against *ret)
{
    TRY(db_enrollment_near(db, a, attempt->id_scope, attempt->registration_key, &ret->near, &ret->near_count));
    TRY(db_registration_near(db, a, attempt->id_scope, attempt->registration_key, &ret->registered));
    return db_group_lookup(db, a, &attempt->id_scope, 1, ATTEST_SYMMETRIC_KEY, GROUPS_MOST, &ret->groups,
                           &ret->group_count);
}

/* Then a token is the mistake, and the lane has said so. */
static bool is_by_certificate(const struct held_against *h, const struct attempt_row *attempt)
{
    for (size_t i = 0; i < h->near_count; i++)
        if (str_same(h->near[i].attestation.key, attempt->registration_key))
            return h->near[i].attestation.type == ATTEST_X509;
    return false;
}

static void add_policies(struct arena *a, const struct gate_policies *policies, struct attest_suspects *to)
{
    for (size_t i = 0; i < policies->key_names.n; i++)
        to->others[to->other_count++] = (struct attest_suspect){
            arena_printf(a, "policy \"%.*s\" of the instance", STR_ARG(policies->at[i].name)), policies->at[i].keys};
}

static void add_groups(struct arena *a, const struct shared *shared, const struct held_against *h,
                       struct attest_suspects *to)
{
    for (size_t i = 0; i < h->group_count; i++) {
        const struct attest_row row = {shared->ring, h->groups[i].attestation};
        struct attest_suspect *next = &to->groups[to->group_count];
        next->whose = h->groups[i].id;
        to->group_count += attest_keys(a, &row, &next->keys);
    }
}

/* The device's own. What it has for its hub is not for here. */
static void add_own(struct arena *a, const struct attest_row *row, struct keypair *keys, struct attest_suspects *to)
{
    if (attest_keys(a, row, keys))
        to->own = keys;
    else if (attest_hub_keys(a, row, keys))
        to->others[to->other_count++] = (struct attest_suspect){STR("the device at its hub"), *keys};
}

/* Another device's keys. */
static void add_neighbour(struct arena *a, const struct enrollment_near *e, const struct attest_row *row,
                          struct attest_suspects *to)
{
    struct keypair keys;
    if (attest_keys(a, row, &keys))
        to->others[to->other_count++] =
            (struct attest_suspect){arena_printf(a, "the enrollment \"%.*s\"", STR_ARG(e->registration_id)), keys};
}

static void add_enrollments(struct arena *a, const struct shared *shared, const struct attempt_row *attempt,
                            const struct held_against *h, struct attest_suspects *to)
{
    struct keypair *own = ARENA_NEW(a, struct keypair);
    for (size_t i = 0; i < h->near_count; i++) {
        const struct attest_row row = {shared->ring, h->near[i].attestation};
        if (str_same(row.stored.key, attempt->registration_key))
            add_own(a, &row, own, to);
        else
            add_neighbour(a, &h->near[i], &row, to);
    }
}

static struct str_list ids_of(struct arena *a, const struct attempt_row *attempt, const struct held_against *h)
{
    struct str_list ids = {ARENA_NEW_ARRAY(a, h->near_count + h->registered.n, struct str), 0, true};
    for (size_t i = 0; i < h->near_count; i++)
        if (!str_same(h->near[i].attestation.key, attempt->registration_key))
            ids.at[ids.n++] = h->near[i].registration_id;
    for (size_t i = 0; i < h->registered.n; i++)
        ids.at[ids.n++] = h->registered.at[i];
    return ids;
}

static struct str diagnose(struct arena *a, const struct shared *shared, const struct gate_instance *instance,
                           const struct held_against *h, const struct attempt_row *attempt, struct str authorization)
{
    const struct presented presented = {.authorization = authorization};
    const struct attest_claim claim = {.presented = &presented,
                                       .id_scope = attempt->id_scope,
                                       .registration_id = attempt->registration_id,
                                       .now_us = attempt->at_us};
    struct attest_suspects all = {.enrolled = attempt->enrolled, .ids = ids_of(a, attempt, h)};
    all.others = ARENA_NEW_ARRAY(a, h->near_count + instance->policies.key_names.n, struct attest_suspect);
    all.groups = ARENA_NEW_ARRAY(a, h->group_count, struct attest_suspect);
    add_policies(a, &instance->policies, &all);
    add_groups(a, shared, h, &all);
    add_enrollments(a, shared, attempt, h, &all);
    return attest_diagnose(a, &claim, &all);
}

static struct str nearest_of(struct arena *a, const struct attempt_row *attempt, const struct held_against *h)
{
    struct str_list ids = ids_of(a, attempt, h);
    struct str next;
    struct text t;
    text_init(&t, a, 64);
    for (size_t n = 0; n < NEAREST_TOLD && (next = nearest_take(ids, attempt->registration_key)).p; n++)
        text_printf(&t, "%s\"%.*s\"", n ? ", " : "", STR_ARG(next));
    return t.n ? text_str(&t) : (struct str){NULL, 0};
}

struct diagnosis diagnosis_of(struct arena *a, const struct shared *shared, struct db *db,
                              const struct attempt_row *attempt, struct str authorization)
{
    const struct gate_instance *instance;
    struct held_against h;
    struct diagnosis found = {.mistake = {NULL, 0}};
    if (read_all(a, db, attempt, &h) ||
        gate_instance_by_scope(shared->gate, db, attempt->id_scope, clock_wall_us(), &instance))
        return found;
    if (authorization.n && !is_by_certificate(&h, attempt))
        found.mistake = diagnose(a, shared, instance, &h, attempt, authorization);
    if (!attempt->enrolled)
        found.nearest = nearest_of(a, attempt, &h);
    gate_release(instance);
    return found;
}
