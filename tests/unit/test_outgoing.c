/* test_outgoing.c: which addresses the worker may call: nothing private, whatever form it comes in, unless it is
 * listed. */
#include "workers/outgoing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "unit.h"

static bool may_reach(const char *list, const char *address)
{
    struct outgoing o;
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    assert_null(outgoing_parse(str_of(list), NULL, &o));
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
        return outgoing_may_reach(&o, (const struct sockaddr *)(const void *)&four);
    assert_int_equal(inet_pton(AF_INET6, address, &six.sin6_addr), 1);
    return outgoing_may_reach(&o, (const struct sockaddr *)(const void *)&six);
}

static void the_public_internet_is_allowed(void **state)
{
    static const char *const good[] = {"8.8.8.8",        "9.255.255.255", "11.0.0.0",
                                       "172.15.255.255", "172.32.0.0",    "192.167.255.255",
                                       "2606:4700::1",   "2a00:1450::1",  "::ffff:8.8.8.8"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!may_reach("", good[i]))
            fail_msg("%s is refused", good[i]);
}

static void special_ranges_are_refused_in_every_form(void **state)
{
    static const char *const bad[] = {"127.0.0.1",
                                      "10.1.2.3",
                                      "172.16.0.0",
                                      "172.31.255.255",
                                      "192.168.0.1",
                                      "169.254.169.254",
                                      "0.0.0.0",
                                      "100.64.0.1",
                                      "192.0.2.1",
                                      "198.18.0.1",
                                      "224.0.0.1",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "::7f00:1",
                                      "::ffff:127.0.0.1",
                                      "::ffff:10.0.0.1",
                                      "64:ff9b::7f00:1",
                                      "2002:7f00:1::",
                                      "fe80::1",
                                      "fc00::1",
                                      "fd12:3456::1",
                                      "ff02::1",
                                      "2001:db8::1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (may_reach("", bad[i]))
            fail_msg("%s is allowed", bad[i]);
}

static void a_listed_range_is_allowed_and_nothing_beside_it(void **state)
{
    (void)state;
    assert_true(may_reach("10.0.0.0/8", "10.255.255.255"));
    assert_true(may_reach("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_false(may_reach("10.0.0.0/8", "127.0.0.1"));
    assert_true(may_reach("192.168.4.0/22", "192.168.7.255"));
    assert_false(may_reach("192.168.4.0/22", "192.168.8.0"));
    assert_true(may_reach("10.0.0.1", "10.0.0.1"));
    assert_false(may_reach("10.0.0.1", "10.0.0.2"));
    assert_true(may_reach(" 10.0.0.0/8 , fd00::/8", "fd12::1"));
    assert_false(may_reach("fd00::/8", "fe80::1"));
}

static void other_families_are_refused(void **state)
{
    struct outgoing o;
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    (void)state;
    assert_null(outgoing_parse(STR("0.0.0.0/0,::/0"), NULL, &o));
    assert_false(outgoing_may_reach(&o, (const struct sockaddr *)(const void *)&local));
}

static void what_is_no_range_is_named(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "::/129",       "10.0.0.0/", "10.0.0.0/-1",
                                      "host.test",   "10.0.0.0/8,,", "10.0.0"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct outgoing o;
        struct err_detail d = {""};
        assert_ptr_equal(outgoing_parse(str_of(bad[i]), &d, &o), E(BAD_CONFIG));
        assert_non_null(strstr(d.text, "outgoing_allow"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_internet_is_allowed),
        cmocka_unit_test(special_ranges_are_refused_in_every_form),
        cmocka_unit_test(a_listed_range_is_allowed_and_nothing_beside_it),
        cmocka_unit_test(other_families_are_refused),
        cmocka_unit_test(what_is_no_range_is_named),
    };
    return cmocka_run_group_tests_name("outgoing", tests, NULL, NULL);
}
