/* test_role.c: how far a role reaches: its scope and what stands below, by whole names. */
#include "core/role.h"

#include "unit.h"

static bool covers(const char *scope, const char *at)
{
    return role_covers(str_of(scope), str_of(at));
}

static void a_scope_covers_itself_and_what_is_below(void **state)
{
    (void)state;
    assert_true(covers("/s/1", "/s/1"));
    assert_true(covers("/s/1", "/s/1/g/a"));
    assert_true(covers("/s/1/g/a", "/s/1/g/a/hub/x"));
    assert_true(covers("", "/s/1"));
}

static void nothing_above_or_beside_it_is_covered(void **state)
{
    (void)state;
    assert_false(covers("/s/1/g/a", "/s/1"));
    assert_false(covers("/s/1/g/a", "/s/1/g/b"));
    assert_false(covers("/s/1/g/a", "/s/1/g/ab")); /* whose name begins like it */
    assert_false(covers("/s/1/g/a", "/s/1/g/a-b/hub/x"));
}

static void a_role_manages_as_much_as_the_ones_below_it(void **state)
{
    (void)state;
    assert_true(role_manages(ROLE_OWNER, ROLE_CONTRIBUTOR));
    assert_true(role_manages(ROLE_READER, ROLE_READER));
    assert_false(role_manages(ROLE_READER, ROLE_CONTRIBUTOR));
    assert_false(role_manages(ROLE_DATA_CONTRIBUTOR, ROLE_READER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_covers_itself_and_what_is_below),
        cmocka_unit_test(nothing_above_or_beside_it_is_covered),
        cmocka_unit_test(a_role_manages_as_much_as_the_ones_below_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
