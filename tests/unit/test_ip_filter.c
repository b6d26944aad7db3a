/* test_ip_filter.c: ranges of addresses, and rules for them: the first that fits decides, what none fits is admitted.
 */
#include "core/ip_filter.h"

#include "unit.h"

static bool within(const char *range, const char *address)
{
    struct cidr c;
    struct address a;
    assert_true(cidr_read(str_of(range), &c));
    assert_true(address_read(str_of(address), &a));
    return cidr_holds(&c, &a);
}

static void a_range_holds_what_begins_like_it(void **state)
{
    (void)state;
    assert_true(within("10.0.0.0/8", "10.255.255.255"));
    assert_false(within("10.0.0.0/8", "11.0.0.0"));
    assert_true(within("10.1.2.3", "10.1.2.3"));
    assert_false(within("10.1.2.3", "10.1.2.2"));
    assert_true(within("10.1.2.3/30", "10.1.2.0")); /* bits behind the range's own do not count */
    assert_true(within("10.1.2.128/25", "10.1.2.129"));
    assert_false(within("10.1.2.128/25", "10.1.2.127"));
    assert_true(within("0.0.0.0/0", "255.255.255.255"));
    assert_false(within("0.0.0.0/0", "2001:db8::1"));
    assert_true(within("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(within("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(within("::/0", "2001:db8::1"));
}

static void an_address_of_ipv4_is_the_same_one_in_ipv6(void **state)
{
    (void)state;
    assert_true(within("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(within("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(within("::/0", "10.1.2.3"));
}

static void what_is_no_range_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "x",           "10.0.0",     "10.0.0.0/33",  "10.0.0.0/-1", "10.0.0.0/",
        "010.0.0.1", "10.0.0.0/8x", "10.0.0.0 ",  "::/129",       ":::",         "fe80::1%lo",
        "[::1]",     "1.2.3.4:443", "10.0.0.0//", "10.0.0.0/8/8", "256.0.0.1",   "/8"};
    struct cidr c;
    struct address a;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cidr_read(str_of(bad[i]), &c))
            fail_msg("%s is a range", bad[i]);
    assert_false(cidr_read((struct str){"1.2.3.4\0.5", 10}, &c));
    assert_false(address_read(STR("10.0.0.0/8"), &a));
    assert_false(address_read((struct str){NULL, 0}, &a));
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static struct ip_filter filter_of(struct arena *a, const char *stored)
{
    struct ip_filter f;
    assert_null(ip_filter_read(a, str_of(stored), &f));
    return f;
}

/* The name of the rule that refuses; "-": it is admitted, "*": nobody is. */
static const char *verdict(struct arena *a, const char *stored, const char *address, enum ip_target target)
{
    const struct ip_filter f = filter_of(a, stored);
    const struct ip_rule *rule;
    if (ip_filter_admits(&f, str_of(address), target, &rule))
        return "-";
    return rule ? rule->name.p : "*";
}

#define RULE(name, action, mask, more)                                                                                 \
    "{\"filterName\":\"" name "\",\"action\":\"" action "\",\"ipMask\":\"" mask "\"" more "}"
#define RULES(all) "{\"ipFilterRules\":[" all "]}"

static void the_first_rule_that_fits_decides(void **state)
{
    static const char *const rules = RULES(RULE("plant", "Accept", "10.1.0.0/16", "") "," RULE(
        "rest", "Reject", "10.0.0.0/8", "") "," RULE("late", "Reject", "10.1.2.3", ""));
    assert_string_equal(verdict(*state, rules, "10.1.2.3", IP_DEVICE), "-");
    assert_string_equal(verdict(*state, rules, "10.2.2.3", IP_DEVICE), "rest");
    assert_string_equal(verdict(*state, rules, "10.2.2.3", IP_SERVICE), "rest");
    assert_string_equal(verdict(*state, rules, "192.0.2.1", IP_SERVICE), "-"); /* what no rule fits */
    assert_string_equal(verdict(*state, "{}", "192.0.2.1", IP_SERVICE), "-");
}

static void a_rule_concerns_its_target(void **state)
{
    static const char *const rules = RULES(RULE("d", "Reject", "10.0.0.0/8", ",\"target\":\"deviceApi\"") "," RULE(
        "s", "Reject", "10.1.0.0/16", ",\"target\":\"serviceApi\"") "," RULE("a", "Reject", "10.1.1.0/24",
                                                                             ",\"target\":\"all\""));
    assert_string_equal(verdict(*state, rules, "10.2.0.1", IP_DEVICE), "d");
    assert_string_equal(verdict(*state, rules, "10.2.0.1", IP_SERVICE), "-");
    assert_string_equal(verdict(*state, rules, "10.1.1.1", IP_SERVICE), "s");
    assert_string_equal(
        verdict(*state, RULES(RULE("a", "Reject", "::/0", ",\"target\":\"all\"")), "10.1.1.1", IP_DEVICE), "a");
}

static void who_has_no_address_is_refused_where_there_are_rules(void **state)
{
    assert_string_equal(verdict(*state, RULES(RULE("a", "Accept", "::/0", "")), "unix", IP_DEVICE), "*");
    assert_string_equal(verdict(*state, "{}", "unix", IP_DEVICE), "-");
}

static void nobody_calls_what_is_disabled(void **state)
{
    assert_string_equal(verdict(*state, "{\"publicNetworkAccess\":\"Disabled\"}", "10.0.0.1", IP_SERVICE), "*");
    assert_string_equal(
        verdict(*state,
                "{\"publicNetworkAccess\":\"Disabled\",\"ipFilterRules\":[" RULE("a", "Accept", "::/0", "") "]}",
                "10.0.0.1", IP_DEVICE),
        "*");
}

static void what_means_the_same_is_stored_as_the_same(void **state)
{
    struct ip_filter f = {.access = NETWORK_ENABLED, .rules.set = true};
    assert_text(ip_filter_text(*state, &f), "{}");
    f.access = NETWORK_DISABLED;
    assert_text(ip_filter_text(*state, &f), "{\"publicNetworkAccess\":\"Disabled\"}");
    static const char *const rules = RULES(RULE("a", "Accept", "::/0", ",\"target\":\"all\""));
    f = filter_of(*state, rules);
    assert_text(ip_filter_text(*state, &f), rules);
}

static void what_breaks_a_rule_is_named(void **state)
{
    static const struct {
        const char *rules, *says;
    } bad[] = {
        {RULE("a", "Accept", "10.0.0.0/8", "") "," RULE("A", "Reject", "::/0", ""),
         "p.ipFilterRules[1].filterName stands twice"},
        {RULE("a b", "Accept", "::/0", ""), "p.ipFilterRules[0].filterName"},
        {RULE("", "Accept", "::/0", ""), "p.ipFilterRules[0].filterName"},
        {RULE("a", "Accept", "10.0.0.0/99", ""), "p.ipFilterRules[0].ipMask"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ip_filter f = {.access = 0};
        struct err_detail d = {""};
        static const struct codec table[] = {IP_FILTER_ROWS(struct ip_filter, access, rules), CODEC_END};
        assert_null(codec_read(*state, table, 0, arena_printf(*state, RULES("%s"), bad[i].rules), &f, NULL));
        assert_ptr_equal(ip_filter_check(&f, "p", &d), E(BAD_FIELD));
        if (!strstr(d.text, bad[i].says))
            fail_msg("%s", d.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_holds_what_begins_like_it),
        cmocka_unit_test(an_address_of_ipv4_is_the_same_one_in_ipv6),
        cmocka_unit_test(what_is_no_range_is_refused),
        UNIT(the_first_rule_that_fits_decides),
        UNIT(a_rule_concerns_its_target),
        UNIT(who_has_no_address_is_refused_where_there_are_rules),
        UNIT(nobody_calls_what_is_disabled),
        UNIT(what_means_the_same_is_stored_as_the_same),
        UNIT(what_breaks_a_rule_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
