/* test_schedule.c: waits grow, have an end, and are spread. */
#include "workers/schedule.h"

#include <string.h>

#include "unit.h"

static void back_off_doubles_to_its_end_and_is_never_nothing(void **state)
{
    (void)state;
    for (int kind = 0; kind < JOB_KINDS; kind++) {
        int64_t first = job_backoff_ms((enum job_kind)kind, 0), last = job_backoff_ms((enum job_kind)kind, 40);
        assert_true(first > 0 && last > first);
        assert_true(last <= 60000);
        assert_true(job_backoff_ms((enum job_kind)kind, 1 << 20) <= 60000);
    }
}

static void a_kind_with_attempts_is_over_and_one_without_never(void **state)
{
    (void)state;
    assert_false(job_is_over(JOB_hub_remove, 9));
    assert_true(job_is_over(JOB_hub_remove, 10));
    assert_false(job_is_over(JOB_assign, 1 << 20));
}

static void a_silent_link_is_tried_less_and_less_often_but_never_forgotten(void **state)
{
    (void)state;
    int64_t minute = pace_ms(PACE_link_silent, 60000), hour = pace_ms(PACE_link_silent, 3600000);
    assert_true(pace_ms(PACE_link_silent, 0) >= 1000);
    assert_true(minute > pace_ms(PACE_link_silent, 0) && hour > minute);
    assert_int_equal(pace_ms(PACE_link_silent, INT64_C(1) << 50), 300000);
    assert_true(pace_ms(PACE_link_refused, 3600000) < hour);
}

static void holds_grow_and_go_by_what_the_host_asks(void **state)
{
    (void)state;
    assert_true(hold_ms(HOLD_host_slow, 3, 0) > hold_ms(HOLD_host_slow, 0, 0));
    assert_true(hold_ms(HOLD_host_slow, 0, 40000) >= 40000);
    assert_true(hold_ms(HOLD_host_slow, 0, 86400000) <= 60000 + 60000 / 4);
}

static void the_caps_of_kinds_leave_room_for_two_tenants(void **state)
{
    (void)state;
    for (int kind = 0; kind < JOB_KINDS; kind++) {
        assert_true(job_pool_kinds()[kind].slots >= 2);
        assert_true(job_pool_kinds()[kind].weight > 0);
        assert_true(job_claim_limit((enum job_kind)kind) > 0);
        assert_true(job_kind_name((enum job_kind)kind).n > 0);
    }
}

static void regular_looks_come_up_to_a_tenth_sooner_and_not_in_step(void **state)
{
    (void)state;
    int64_t least = 1000000, most = 0;
    for (int i = 0; i < 200; i++) {
        int64_t ms = next_check_ms(1000000);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_true(least >= 900000 && most <= 1000000);
    assert_true(most - least > 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(back_off_doubles_to_its_end_and_is_never_nothing),
        UNIT(a_kind_with_attempts_is_over_and_one_without_never),
        UNIT(a_silent_link_is_tried_less_and_less_often_but_never_forgotten),
        UNIT(holds_grow_and_go_by_what_the_host_asks),
        UNIT(the_caps_of_kinds_leave_room_for_two_tenants),
        UNIT(regular_looks_come_up_to_a_tenth_sooner_and_not_in_step),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
