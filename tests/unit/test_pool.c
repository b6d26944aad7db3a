/* test_pool.c: slots are shared between tenants, kinds and scopes: nobody takes the last one from one who has none,
 * however much work he has, and turns are counted in time. */
#include "workers/pool.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { SLOTS = 16, BUSY, QUIET, KINDS = 2 };

static const struct pool_kind kinds[KINDS] = {{4, 16, 4, 4}, {1, 8, 1, 1}};

static struct pool *pool_of(void **state)
{
    return pool_new(*state, SLOTS, kinds, KINDS);
}

static struct pool_scope scope(int tenant, int number)
{
    struct pool_scope s = {.due_us = 1000};
    s.tenant.b[0] = (uint8_t)tenant;
    snprintf(s.id_scope, sizeof s.id_scope, "0ne%04d%04d", tenant, number);
    return s;
}

/* Begins a turn when it may begin; -1 when not. */
static int begin(struct pool *p, int kind, int tenant, int number, int64_t now_ms)
{
    struct pool_scope s = scope(tenant, number);
    return pool_choose(p, kind, &s, 1, now_ms) == 0 ? pool_begin(p, kind, &s, now_ms) : -1;
}

/* Begins as many turns as the tenant may have, each for a scope of its own. */
static int fill(struct pool *p, int kind, int tenant)
{
    int n = 0;
    while (begin(p, kind, tenant, n, 0) >= 0)
        n++;
    return n;
}

static void one_tenant_alone_gets_half_of_the_slots(void **state)
{
    struct pool *p = pool_of(state);
    assert_int_equal(fill(p, 0, BUSY), SLOTS / 2);
    assert_true(begin(p, 0, QUIET, 0, 0) >= 0);
}

static void who_has_a_slot_never_takes_the_last_one(void **state)
{
    struct pool *p = pool_of(state);
    int busy = fill(p, 0, BUSY), other = fill(p, 0, 100);
    assert_int_equal(other, (SLOTS - busy) / 2);
    assert_int_equal(fill(p, 0, BUSY) + fill(p, 0, 100), 0);
    assert_true(begin(p, 0, QUIET, 0, 0) >= 0);
}

/* Three ask without end, the first of them always first: in the end each has a quarter, and so has who comes new. */
static void greedy_tenants_come_to_equal_shares(void **state)
{
    enum { GREEDY = 3, ROUNDS = 200 };
    struct pool *p = pool_of(state);
    int owner[SLOTS], count[GREEDY] = {0};
    memset(owner, -1, sizeof owner);
    for (int round = 0; round < ROUNDS; round++) {
        for (int tenant = 0; tenant < GREEDY; tenant++)
            for (int slot; (slot = begin(p, 0, 100 + tenant, round, round)) >= 0; count[tenant]++)
                owner[slot] = tenant;
        int oldest = round % SLOTS;
        if (owner[oldest] < 0)
            continue;
        pool_end(p, oldest, round);
        count[owner[oldest]]--;
        owner[oldest] = -1;
    }
    for (int tenant = 0; tenant < GREEDY; tenant++)
        assert_true(count[tenant] >= SLOTS / (GREEDY + 1) - 1 && count[tenant] <= SLOTS / (GREEDY + 1) + 1);
    assert_true(begin(p, 0, QUIET, 0, ROUNDS) >= 0);
}

static void the_share_of_a_kind_is_kept_too(void **state)
{
    struct pool *p = pool_of(state);
    assert_int_equal(fill(p, 1, BUSY), kinds[1].slots / 2);
    assert_true(begin(p, 1, QUIET, 0, 0) >= 0);
    assert_true(begin(p, 0, BUSY, 0, 0) >= 0); /* its other work goes on */
}

static void the_share_is_of_all_kinds_together(void **state)
{
    struct pool *p = pool_of(state);
    assert_int_equal(fill(p, 0, BUSY), SLOTS / 2);
    assert_int_equal(fill(p, 1, BUSY), 0);
    assert_true(fill(p, 1, QUIET) > 0);
}

static void a_scope_has_no_more_slots_than_its_kind_gives_one(void **state)
{
    struct pool *p = pool_of(state);
    for (int i = 0; i < kinds[0].scope_slots; i++)
        assert_true(begin(p, 0, BUSY, 0, 0) >= 0);
    assert_int_equal(begin(p, 0, BUSY, 0, 0), -1);
    assert_true(begin(p, 0, BUSY, 1, 0) >= 0);
}

static void a_slot_that_is_given_back_is_free(void **state)
{
    struct pool *p = pool_of(state);
    int slot = begin(p, 1, BUSY, 0, 0);
    assert_int_equal(begin(p, 1, BUSY, 0, 0), -1);
    pool_end(p, slot, 10);
    assert_true(begin(p, 1, BUSY, 0, 10) >= 0);
}

static void who_has_fewer_slots_comes_first(void **state)
{
    struct pool *p = pool_of(state);
    struct pool_scope at[] = {scope(BUSY, 1), scope(BUSY, 2), scope(QUIET, 1)};
    assert_true(begin(p, 0, BUSY, 0, 0) >= 0);
    at[2].due_us = 9999; /* its work is the youngest */
    assert_int_equal(pool_choose(p, 0, at, 3, 0), 2);
}

static void turns_are_counted_in_time(void **state)
{
    struct pool *p = pool_of(state);
    struct pool_scope at[] = {scope(BUSY, 1), scope(QUIET, 1)};
    pool_end(p, begin(p, 0, BUSY, 0, 0), 5000); /* one long turn */
    for (int i = 0; i < 10; i++)
        pool_end(p, begin(p, 0, QUIET, i, 5000), 5010); /* many short ones */
    assert_int_equal(pool_choose(p, 0, at, 2, 5010), 1);
}

static void time_that_was_used_is_forgotten(void **state)
{
    struct pool *p = pool_of(state);
    struct pool_scope at[] = {scope(QUIET, 1), scope(BUSY, 1)};
    pool_end(p, begin(p, 0, BUSY, 0, 0), 60000);
    pool_end(p, begin(p, 0, QUIET, 0, 599000), 600000);
    assert_int_equal(pool_choose(p, 0, at, 2, 600000), 1);
}

static void of_one_tenant_the_oldest_work_comes_first(void **state)
{
    struct pool *p = pool_of(state);
    struct pool_scope at[] = {scope(BUSY, 1), scope(BUSY, 2), scope(BUSY, 3)};
    at[1].due_us = 1;
    assert_int_equal(pool_choose(p, 0, at, 3, 0), 1);
}

/* Lets a scope into the turn of a slot. */
static bool join(struct pool *p, int slot, int tenant, int number)
{
    struct pool_scope s = scope(tenant, number);
    return pool_join(p, slot, &s);
}

static void a_turn_is_for_so_many_scopes_of_one_tenant(void **state)
{
    struct pool *p = pool_of(state);
    int slot = begin(p, 0, BUSY, 0, 0);
    assert_false(join(p, slot, QUIET, 1));
    for (int i = 1; i < kinds[0].turn_scopes; i++)
        assert_true(join(p, slot, BUSY, i));
    assert_false(join(p, slot, BUSY, 50));
}

static void who_joined_has_a_slot_less(void **state)
{
    struct pool *p = pool_of(state);
    for (int i = 0; i < kinds[0].scope_slots; i++)
        assert_true(join(p, begin(p, 0, BUSY, i + 1, 0), BUSY, 0));
    assert_int_equal(begin(p, 0, BUSY, 0, 0), -1);
    assert_false(join(p, begin(p, 0, BUSY, 50, 0), BUSY, 0));
}

/* The silence of one hub in a turn keeps nobody else's new work waiting. */
static void who_left_may_begin_again_while_the_turn_goes_on(void **state)
{
    struct pool *p = pool_of(state);
    struct pool_scope left = scope(BUSY, 0);
    int slots[4];
    for (int i = 0; i < kinds[0].scope_slots; i++) {
        slots[i] = begin(p, 0, BUSY, 0, 0);
        assert_true(join(p, slots[i], BUSY, i + 1));
    }
    pool_leave(p, slots[0], left.id_scope);
    pool_leave(p, slots[0], left.id_scope); /* it is not there any more */
    assert_true(begin(p, 0, BUSY, 0, 0) >= 0);
    assert_int_equal(begin(p, 0, BUSY, 0, 0), -1);
}

/* Another turn of its would claim what cannot go either. */
static void a_scope_whose_turn_waits_for_room_has_no_other(void **state)
{
    struct pool *p = pool_of(state);
    int slot = begin(p, 0, BUSY, 0, 0);
    assert_true(join(p, slot, BUSY, 1));
    pool_wait(p, slot, true);
    assert_int_equal(begin(p, 0, BUSY, 0, 0), -1);
    assert_int_equal(begin(p, 0, BUSY, 1, 0), -1);
    assert_false(join(p, begin(p, 0, BUSY, 2, 0), BUSY, 1));
    assert_true(begin(p, 1, BUSY, 0, 0) >= 0); /* its other work goes on */
    pool_wait(p, slot, false);
    assert_true(begin(p, 0, BUSY, 0, 0) >= 0);
}

static void a_turn_costs_its_tenant_one_slot_for_any_number_of_scopes(void **state)
{
    struct pool *p = pool_of(state);
    int begun = 0;
    for (int slot; (slot = begin(p, 0, BUSY, 2 * begun, 0)) >= 0; begun++)
        assert_true(join(p, slot, BUSY, 2 * begun + 1));
    assert_int_equal(begun, SLOTS / 2);
    assert_true(begin(p, 0, QUIET, 0, 0) >= 0);
}

static void the_kind_that_used_least_of_its_share_looks_first(void **state)
{
    struct pool *p = pool_of(state);
    int order[KINDS];
    pool_order(p, 0, order);
    assert_int_equal(order[0], 0);
    int slot = begin(p, 0, BUSY, 0, 0);
    pool_order(p, 3000, order);
    assert_int_equal(order[0], 1);
    pool_end(p, slot, 3000);
    pool_end(p, begin(p, 1, BUSY, 0, 3000), 4000); /* a second weighs as much as four of the other kind */
    pool_order(p, 4000, order);
    assert_int_equal(order[0], 0);
}

static void more_tenants_than_are_remembered_harm_nobody(void **state)
{
    struct pool *p = pool_of(state);
    for (int i = 0; i < 5000; i++) {
        struct pool_scope s = scope(1, i);
        memcpy(s.tenant.b + 1, &i, sizeof i);
        pool_end(p, pool_begin(p, 0, &s, i), i + 1);
    }
    assert_int_equal(fill(p, 0, BUSY), SLOTS / 2);
}

static void a_pool_of_one_slot_works(void **state)
{
    struct pool *p = pool_new(*state, 1, kinds, KINDS);
    int slot = begin(p, 0, BUSY, 0, 0);
    assert_int_equal(slot, 0);
    assert_int_equal(begin(p, 0, QUIET, 0, 0), -1);
    pool_end(p, slot, 1);
    assert_true(begin(p, 1, QUIET, 0, 1) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(one_tenant_alone_gets_half_of_the_slots),
        UNIT(who_has_a_slot_never_takes_the_last_one),
        UNIT(greedy_tenants_come_to_equal_shares),
        UNIT(the_share_of_a_kind_is_kept_too),
        UNIT(the_share_is_of_all_kinds_together),
        UNIT(a_scope_has_no_more_slots_than_its_kind_gives_one),
        UNIT(a_slot_that_is_given_back_is_free),
        UNIT(who_has_fewer_slots_comes_first),
        UNIT(turns_are_counted_in_time),
        UNIT(time_that_was_used_is_forgotten),
        UNIT(of_one_tenant_the_oldest_work_comes_first),
        UNIT(a_turn_is_for_so_many_scopes_of_one_tenant),
        UNIT(who_joined_has_a_slot_less),
        UNIT(who_left_may_begin_again_while_the_turn_goes_on),
        UNIT(a_scope_whose_turn_waits_for_room_has_no_other),
        UNIT(a_turn_costs_its_tenant_one_slot_for_any_number_of_scopes),
        UNIT(the_kind_that_used_least_of_its_share_looks_first),
        UNIT(more_tenants_than_are_remembered_harm_nobody),
        UNIT(a_pool_of_one_slot_works),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
