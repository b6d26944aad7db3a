/* test_rates.c: a device may poll so many times, and an instance be asked so often, whatever others do; several
 * processes share what an instance has. */
#include "api/rates.h"

#include "unit.h"

static const struct str scope = STR("0ne1"), nobody = {NULL, 0};

static bool take(struct rates *t, enum quota q, int64_t most, struct str id_scope, struct str device)
{
    int64_t wait_s;
    return rates_take(t, q, most, id_scope, device, 1, &wait_s);
}

static void others_are_counted_for_themselves(void **state)
{
    struct rates *t = rates_new();
    assert_true(take(t, QUOTA_OF_POLLS, 1, scope, STR("d")));
    assert_true(take(t, QUOTA_OF_POLLS, 1, STR("0ne2"), STR("d")));
    assert_true(take(t, QUOTA_OF_OPERATIONS, 1, scope, nobody));
    assert_true(take(t, QUOTA_OF_REGISTERS, 1, scope, nobody));
    assert_false(take(t, QUOTA_OF_POLLS, 1, scope, STR("d")));
    assert_false(take(t, QUOTA_OF_OPERATIONS, 1, scope, nobody));
    for (int i = 0; i < 200000; i++) /* far more than there are places */
        assert_true(take(t, QUOTA_OF_POLLS, 1, scope, arena_printf(*state, "other-%d", i)));
    rates_free(t);
    rates_free(NULL);
}

static void without_a_limit_nothing_is_refused(void **state)
{
    (void)state;
    struct rates *t = rates_new();
    for (int i = 0; i < 100; i++)
        assert_true(take(t, QUOTA_OF_POLLS, 0, scope, STR("d")));
    rates_free(t);
}

static void a_wait_is_told_in_whole_seconds(void **state)
{
    (void)state;
    struct rates *t = rates_new();
    int64_t wait_s = 0;
    assert_true(rates_take(t, QUOTA_OF_OPERATIONS, 50, scope, nobody, 1, &wait_s));
    for (int i = 1; i < 50; i++)
        assert_true(take(t, QUOTA_OF_OPERATIONS, 50, scope, nobody));
    assert_false(rates_take(t, QUOTA_OF_OPERATIONS, 50, scope, nobody, 1, &wait_s));
    assert_int_equal(wait_s, 2); /* 1.2 */
    assert_int_equal(rates_taken(t, QUOTA_OF_OPERATIONS, 50, scope, 1), 50);
    rates_free(t);
}

static void processes_share_what_an_instance_has_and_not_what_a_device_has(void **state)
{
    (void)state;
    struct rates *t = rates_new();
    int taken = 0, polled = 0;
    rates_share(t, 3);
    for (int i = 0; i < 100; i++) {
        taken += take(t, QUOTA_OF_REGISTERS, 60, scope, nobody);
        polled += take(t, QUOTA_OF_POLLS, 60, scope, STR("d"));
    }
    assert_int_equal(taken, 20);
    assert_int_equal(polled, 60);
    assert_int_equal(rates_taken(t, QUOTA_OF_REGISTERS, 60, scope, 1), 60);
    assert_true(take(t, QUOTA_OF_REGISTERS, 2, STR("0ne2"), nobody)); /* a share is one at least */
    rates_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(others_are_counted_for_themselves),
        UNIT(without_a_limit_nothing_is_refused),
        UNIT(a_wait_is_told_in_whole_seconds),
        UNIT(processes_share_what_an_instance_has_and_not_what_a_device_has),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
