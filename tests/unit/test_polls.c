/* test_polls.c: a device may poll so many times in ten seconds, whatever others do. */
#include "api/polls.h"

#include "unit.h"

static const int64_t second_us = 1000000;

static struct db_device device_of(const char *scope, const char *key)
{
    return (struct db_device){str_of(scope), str_of(key)};
}

static void the_sixth_poll_of_ten_seconds_is_refused(void **state)
{
    (void)state;
    struct polls *p = polls_new(5);
    struct db_device d = device_of("0ne1", "d");
    for (int window = 0; window < 3; window++) {
        int64_t now_us = window * 10 * second_us + second_us;
        for (int i = 0; i < 5; i++)
            assert_true(polls_take(p, &d, now_us + i * second_us));
        assert_false(polls_take(p, &d, now_us + 5 * second_us));
        assert_false(polls_take(p, &d, now_us + 10 * second_us - 1));
    }
    polls_free(p);
    polls_free(NULL);
}

static void others_are_counted_for_themselves(void **state)
{
    struct polls *p = polls_new(1);
    struct db_device d = device_of("0ne1", "d"), in_another_scope = device_of("0ne2", "d");
    assert_true(polls_take(p, &d, 1));
    assert_true(polls_take(p, &in_another_scope, 1));
    assert_false(polls_take(p, &d, 1));
    for (int i = 0; i < 200000; i++) { /* far more than there are places */
        struct db_device other = {STR("0ne1"), arena_printf(*state, "other-%d", i)};
        assert_true(polls_take(p, &other, 1));
    }
    polls_free(p);
}

static void without_a_limit_nothing_is_refused(void **state)
{
    (void)state;
    struct polls *p = polls_new(0);
    struct db_device d = device_of("0ne1", "d");
    for (int i = 0; i < 100; i++)
        assert_true(polls_take(p, &d, 1));
    polls_free(p);
}

static void a_clock_that_goes_back_begins_anew(void **state)
{
    (void)state;
    struct polls *p = polls_new(1);
    struct db_device d = device_of("0ne1", "d");
    assert_true(polls_take(p, &d, 100 * second_us));
    assert_true(polls_take(p, &d, second_us));
    assert_false(polls_take(p, &d, second_us));
    polls_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(the_sixth_poll_of_ten_seconds_is_refused),
        UNIT(others_are_counted_for_themselves),
        UNIT(without_a_limit_nothing_is_refused),
        UNIT(a_clock_that_goes_back_begins_anew),
    };
    return cmocka_run_group_tests_name("polls", tests, NULL, NULL);
}
