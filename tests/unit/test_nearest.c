/* test_nearest.c: which ids begin alike. */
#include "core/nearest.h"

#include "unit.h"

static void those_that_begin_most_like_it_come_first_and_once(void **state)
{
    (void)state;
    struct str at[] = {STR("other"), STR("Pump-1"), STR("pump-22"), STR("PUMP-22"), STR("pipe"), STR("pump-2")};
    const struct str_list ids = {at, sizeof at / sizeof *at, true};
    const char *const order[] = {"pump-22", "pump-2", "Pump-1", "pipe", NULL, NULL};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_text(nearest_take(ids, STR("pump-21")), order[i]);
}

static void among_none_there_is_none(void **state)
{
    (void)state;
    assert_text(nearest_take((struct str_list){NULL, 0, true}, STR("pump")), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(those_that_begin_most_like_it_come_first_and_once),
        UNIT(among_none_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
