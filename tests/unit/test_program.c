/* test_program.c: how the time of a stop is shared. */
#include "core/process/program.h"

#include "unit.h"

static void the_last_words_are_within_the_drain(void **state)
{
    (void)state;
    assert_int_equal(program_work_ms(5000), 3000);
    assert_int_equal(program_work_ms(60000), 58000);
    assert_int_equal(program_work_ms(1000), 500);
    assert_int_equal(program_work_ms(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT(the_last_words_are_within_the_drain)};
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
