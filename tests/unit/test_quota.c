/* test_quota.c: the setting `limits`: a preset, and what differs from it. */
#include "core/quota.h"

#include "unit.h"

static void read_as(const char *setting, enum quota q, int64_t most)
{
    struct quotas quotas;
    struct err_detail d = {""};
    assert_null(quotas_read(str_of(setting), &quotas, &d));
    assert_int_equal(quotas.most[q], most);
}

static void presets_are_tables_and_single_values_differ(void **state)
{
    (void)state;
    read_as("off", QUOTA_OF_OPERATIONS, 0);
    read_as("off", QUOTA_OF_POLLS, 600);
    read_as("cloud", QUOTA_OF_OPERATIONS, 1000); /* wire.md 7.6, row by row */
    read_as("cloud", QUOTA_OF_REGISTERS, 1000);
    read_as("cloud", QUOTA_OF_POLLS, 5);
    read_as("cloud", QUOTA_OF_INSTANCES, 10);
    read_as("cloud", QUOTA_OF_ENROLLMENTS, 1000000);
    read_as("cloud", QUOTA_OF_REGISTRATIONS, 1000000);
    read_as(" cloud , operationsperminute = 2 ", QUOTA_OF_OPERATIONS, 2);
    read_as("cloud,operationsPerMinute=0", QUOTA_OF_REGISTERS, 1000);
    read_as("operationsPerMinute=7", QUOTA_OF_OPERATIONS, 7);
    read_as("operationsPerMinute=7", QUOTA_OF_INSTANCES, 0);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"clouds",
                                      "cloud,",
                                      "cloud,wishes=1",
                                      "cloud,instances",
                                      "instances=-1",
                                      "instances=1x",
                                      "cloud,instances=9999999999",
                                      "off,cloud"};
    static const char *const says[] = {"clouds",
                                       "no limit .",
                                       "wishes",
                                       "instances must be",
                                       "instances must be",
                                       "instances must be",
                                       "from 0 (none) to 1000000000",
                                       "cloud"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct quotas quotas;
        struct err_detail d = {""};
        assert_ptr_equal(quotas_read(str_of(bad[i]), &quotas, &d), E(BAD_CONFIG));
        assert_non_null(strstr(d.text, says[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(presets_are_tables_and_single_values_differ),
        UNIT(what_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
