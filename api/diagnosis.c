/* diagnosis.c: brings together what a refused token is held against: the enrollment's keys, and whose keys the device
 * may have in their place. It must never hand a key on. */
#include "api/diagnosis.h"

#include "api/gate.h"
#include "core/attest/diagnose.h"
#include "core/limits.h"
#include "core/process/clock.h"
#include "db/device.h"

struct suspects {
    struct attest_suspect *at;
    size_t count;
};

static void add_policies(struct arena *a, const struct gate_policies *policies, struct suspects *to)
{
    for (size_t i = 0; i < policies->key_names.n; i++)
        to->at[to->count++] = (struct attest_suspect){
            arena_printf(a, "policy \"%.*s\" of the instance", STR_ARG(policies->at[i].name)), policies->at[i].keys};
}

static void add_groups(struct arena *a, const struct shared *shared, const struct db_group_found *groups, size_t count,
                       struct suspects *to)
{
    for (size_t i = 0; i < count; i++) {
        const struct attest_row row = {shared->ring, groups[i].attestation};
        struct attest_suspect *next = &to->at[to->count];
        next->whose = arena_printf(a, "the enrollment group \"%.*s\" itself, from which devices derive theirs",
                                   STR_ARG(groups[i].id));
        to->count += attest_keys(a, &row, &next->keys);
    }
}

/* False: none of them is the attempt's own, with symmetric keys. */
static bool add_enrollments(struct arena *a, const struct shared *shared, const struct attempt_row *attempt,
                            const struct enrollment_near *near, size_t count, struct suspects *to,
                            struct keypair *ret_own)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const struct attest_row row = {shared->ring, near[i].attestation};
        struct keypair keys;
        if (!attest_keys(a, &row, &keys))
            continue;
        if (str_same(near[i].attestation.key, attempt->registration_key)) {
            *ret_own = keys;
            found = true;
        } else {
            to->at[to->count++] = (struct attest_suspect){
                arena_printf(a, "the enrollment \"%.*s\"", STR_ARG(near[i].registration_id)), keys};
        }
    }
    return found;
}

static struct str diagnose(struct arena *a, const struct shared *shared, const struct gate_instance *instance,
                           struct db *db, const struct attempt_row *attempt, struct str authorization)
{
    const struct presented presented = {.authorization = authorization};
    const struct attest_claim claim = {.presented = &presented,
                                       .id_scope = attempt->id_scope,
                                       .registration_id = attempt->registration_id,
                                       .now_us = attempt->at_us};
    struct enrollment_near *near;
    struct db_group_found *groups;
    struct keypair own;
    size_t near_count, group_count;
    if (db_enrollment_near(db, a, attempt->id_scope, attempt->registration_key, &near, &near_count) ||
        db_group_lookup(db, a, &attempt->id_scope, 1, ATTEST_SYMMETRIC_KEY, GROUPS_MOST, &groups, &group_count))
        return (struct str){NULL, 0};
    size_t most = near_count + group_count + instance->policies.key_names.n;
    struct suspects s = {ARENA_NEW_ARRAY(a, most, struct attest_suspect), 0};
    add_policies(a, &instance->policies, &s);
    add_groups(a, shared, groups, group_count, &s);
    bool has_keys = add_enrollments(a, shared, attempt, near, near_count, &s, &own);
    if (!attempt->enrolled)
        return attest_diagnose_stranger(a, &claim, s.at, s.count);
    return has_keys ? attest_diagnose(a, &own, &claim, s.at, s.count) : (struct str){NULL, 0};
}

struct str diagnosis_of(struct arena *a, const struct shared *shared, struct db *db, const struct attempt_row *attempt,
                        struct str authorization)
{
    const struct gate_instance *instance;
    if (gate_instance_by_scope(shared->gate, db, attempt->id_scope, clock_wall_us(), &instance))
        return (struct str){NULL, 0};
    struct str found = diagnose(a, shared, instance, db, attempt, authorization);
    gate_release(instance);
    return found;
}
