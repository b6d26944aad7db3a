/* test_bucket.c: so many in a window, the first ones at once, then each when its share of the window is over. */
#include "core/bucket.h"

#include "unit.h"

enum { SECOND_US = 1000000 };

static void the_first_ones_come_at_once_and_the_rest_in_step(void **state)
{
    (void)state;
    struct bucket b = {0};
    int64_t now_us = 7 * SECOND_US, window_us = 10 * SECOND_US, wait_us = 0;
    for (int i = 0; i < 5; i++)
        assert_true(bucket_take(&b, 5, window_us, now_us, &wait_us));
    assert_int_equal(bucket_taken(&b, 5, window_us, now_us), 5);
    assert_false(bucket_take(&b, 5, window_us, now_us, &wait_us));
    assert_int_equal(wait_us, 2 * SECOND_US);
    assert_false(bucket_take(&b, 5, window_us, now_us + wait_us - 1, &wait_us));
    assert_int_equal(wait_us, 1);
    for (int i = 1; i < 20; i++) {
        assert_true(bucket_take(&b, 5, window_us, now_us + i * 2 * SECOND_US, &wait_us));
        assert_false(bucket_take(&b, 5, window_us, now_us + i * 2 * SECOND_US, &wait_us));
    }
    assert_int_equal(bucket_taken(&b, 5, window_us, now_us + 48 * SECOND_US), 0);
}

/* Whatever the numbers: never fewer than the bound at once, never more than twice in a window. */
static void a_window_gives_out_what_it_may(void **state)
{
    (void)state;
    static const int64_t bounds[] = {1, 2, 3, 7, 100, 999, 1000, 1000000000};
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++) {
        struct bucket b = {0};
        int64_t most = bounds[k], wait_us = 0, taken = 0, tries = most < 2000 ? most : 2000;
        for (int64_t i = 0; i < tries; i++)
            assert_true(bucket_take(&b, most, 60 * SECOND_US, 1 + i, &wait_us));
        for (int64_t now_us = 3000; most < 2000 && now_us <= 60 * SECOND_US; now_us += 7001)
            taken += bucket_take(&b, most, 60 * SECOND_US, now_us, &wait_us);
        assert_true(taken <= most);
    }
}

static void a_clock_that_goes_back_begins_anew(void **state)
{
    (void)state;
    struct bucket b = {0};
    int64_t wait_us = 0;
    assert_true(bucket_take(&b, 1, 10 * SECOND_US, 100 * SECOND_US, &wait_us));
    assert_true(bucket_take(&b, 1, 10 * SECOND_US, SECOND_US, &wait_us));
    assert_false(bucket_take(&b, 1, 10 * SECOND_US, SECOND_US, &wait_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(the_first_ones_come_at_once_and_the_rest_in_step),
        UNIT(a_window_gives_out_what_it_may),
        UNIT(a_clock_that_goes_back_begins_anew),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
