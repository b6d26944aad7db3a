/* test_resolver.c: names without waiting, as far as no name server is asked: addresses, /etc/hosts, what is no name.
 * Silent name servers, and questions that are left behind, are in the flow suite "neighbours". */
#include "workers/resolver.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/process/clock.h"
#include "unit.h"

enum { SHORT_MS = 3000, SLICE_MS = 20 };

/* Asks until there is an answer or the time is over. */
static enum resolver_word wait_for(struct resolver *r, const char *host, int64_t most_ms, const char **ret_addresses)
{
    int64_t until_ms = clock_ms() + most_ms;
    enum resolver_word word;
    while ((word = resolver_look(r, str_of(host), ret_addresses)) == RESOLVER_ASKED && clock_ms() < until_ms) {
        struct curl_waitfd fds[16];
        int ms = SLICE_MS;
        unsigned count = resolver_sockets(r, fds, 16, &ms);
        assert_true(ms <= SLICE_MS + 1);
        struct timespec pause = {0, count > 0 ? 1000000 : SLICE_MS * 1000000};
        nanosleep(&pause, NULL);
        resolver_step(r);
    }
    return word;
}

static struct resolver *resolver_of(void **state)
{
    resolver_global_init();
    return resolver_new(*state);
}

static void an_address_is_its_own(void **state)
{
    struct resolver *r = resolver_of(state);
    const char *addresses = NULL;
    assert_int_equal(wait_for(r, "192.0.2.7", SHORT_MS, &addresses), RESOLVER_FOUND);
    assert_string_equal(addresses, "192.0.2.7");
    assert_int_equal(wait_for(r, "2001:db8::1", SHORT_MS, &addresses), RESOLVER_FOUND);
    assert_string_equal(addresses, "[2001:db8::1]");
    resolver_free(r);
}

static void the_hosts_file_is_read(void **state)
{
    struct resolver *r = resolver_of(state);
    const char *addresses = NULL;
    assert_int_equal(wait_for(r, "localhost", SHORT_MS, &addresses), RESOLVER_FOUND);
    assert_non_null(strstr(addresses, "127.0.0.1"));
    resolver_free(r);
}

static void what_is_no_name_has_no_address(void **state)
{
    struct resolver *r = resolver_of(state);
    const char *addresses = NULL;
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(resolver_look(r, STR(""), &addresses), RESOLVER_NO_NAME);
    assert_int_equal(resolver_look(r, str_of(longest), &addresses), RESOLVER_NO_NAME);
    resolver_free(r);
}

static void more_names_than_are_remembered_are_answered_too(void **state)
{
    struct resolver *r = resolver_of(state);
    const char *addresses = NULL;
    for (int i = 0; i < 1000; i++) {
        char name[80];
        snprintf(name, sizeof name, "192.0.2.%d", i % 250);
        assert_int_equal(wait_for(r, name, SHORT_MS, &addresses), RESOLVER_FOUND);
        assert_string_equal(addresses, name);
    }
    resolver_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_address_is_its_own),
        UNIT(the_hosts_file_is_read),
        UNIT(what_is_no_name_has_no_address),
        UNIT(more_names_than_are_remembered_are_answered_too),
    };
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
