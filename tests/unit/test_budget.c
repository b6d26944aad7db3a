/* test_budget.c: what may be held in all and by one holder, and that what is given back can be taken again. */
#include "api/budget.h"

#include "unit.h"

static void one_holder_gets_its_share_and_others_the_rest(void **state)
{
    struct budget *b = budget_new(*state, 100, 40);
    unsigned one = budget_share(b, STR("10.0.0.1")), other = one, third = one;
    for (int i = 0; other == one; i++)
        other = budget_share(b, arena_printf(*state, "other %d", i));
    for (int i = 0; third == one || third == other; i++)
        third = budget_share(b, arena_printf(*state, "third %d", i));
    assert_true(budget_take(b, one, 40));
    assert_false(budget_take(b, one, 1));
    assert_true(budget_take(b, other, 40));
    assert_true(budget_take(b, third, 20));
    assert_false(budget_take(b, third, 1));
    budget_give(b, one, 5);
    assert_true(budget_take(b, third, 5));
    assert_false(budget_take(b, one, 1));
}

static void what_is_refused_is_not_counted(void **state)
{
    struct budget *b = budget_new(*state, 100, 40);
    unsigned one = budget_share(b, STR("a"));
    assert_false(budget_take(b, one, UINT64_MAX));
    assert_false(budget_take(b, one, 41));
    assert_true(budget_take(b, one, 40));
    budget_give(b, one, 40);
    assert_true(budget_take(b, one, 40));
}

static void the_same_name_has_the_same_share(void **state)
{
    struct budget *b = budget_new(*state, 100, 40);
    assert_int_equal(budget_share(b, STR("::1")), budget_share(b, STR("::1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(one_holder_gets_its_share_and_others_the_rest),
        UNIT(what_is_refused_is_not_counted),
        UNIT(the_same_name_has_the_same_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
