/* test_hosts.c: places at hosts, as the worker's threads share them: no more than there are, a slow host is left in
 * peace, by many threads at once too. */
#include "workers/hosts.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "unit.h"

enum { PLACES = 2, THREADS = 8, TURNS = 400 };

static struct hosts *hosts_of(void **state)
{
    return hosts_new(*state);
}

static void a_host_has_two_places(void **state)
{
    struct hosts *h = hosts_of(state);
    struct str a = STR("a.hub.test"), b = STR("b.hub.test");
    int64_t ms = -1;
    for (int i = 0; i < PLACES; i++)
        assert_int_equal(hosts_enter(h, a, &ms), HOSTS_ENTERED);
    assert_int_equal(hosts_enter(h, a, &ms), HOSTS_FULL);
    assert_int_equal(hosts_enter(h, b, &ms), HOSTS_ENTERED);
    hosts_leave(h, a);
    assert_int_equal(hosts_enter(h, a, &ms), HOSTS_ENTERED);
}

static void a_slow_host_is_held_back_until_it_is_good(void **state)
{
    struct hosts *h = hosts_of(state);
    struct str a = STR("a.hub.test");
    int64_t ms = 0;
    int64_t hold_ms = hosts_was_slow(h, a, 30000);
    assert_true(hold_ms >= 30000);
    assert_int_equal(hosts_enter(h, a, &ms), HOSTS_HELD_BACK);
    assert_true(ms > 0 && ms <= hold_ms);
    assert_int_equal(hosts_enter(h, a, NULL), HOSTS_ENTERED); /* looks whether it is well again */
    assert_int_equal(hosts_enter(h, a, NULL), HOSTS_FULL);    /* one is enough for that */
    hosts_leave(h, a);
    hosts_was_good(h, a);
    assert_int_equal(hosts_enter(h, a, &ms), HOSTS_ENTERED);
}

static void silence_is_told_to_all_who_would_look(void **state)
{
    struct hosts *h = hosts_of(state);
    struct str a = STR("a.hub.test"), b = STR("b.hub.test");
    int how = 0;
    assert_false(hosts_is_silent(h, a, &how));
    hosts_was_silent(h, a, 7);
    assert_true(hosts_is_silent(h, a, &how));
    assert_int_equal(how, 7);
    assert_false(hosts_is_silent(h, b, &how));
}

static void a_host_that_was_good_answers_for_a_while(void **state)
{
    struct hosts *h = hosts_of(state);
    struct str a = STR("a.hub.test"), b = STR("b.hub.test");
    assert_false(hosts_answers(h, a));
    hosts_was_good(h, a);
    assert_true(hosts_answers(h, a));
    assert_false(hosts_answers(h, b));
    hosts_was_slow(h, a, 0);
    assert_false(hosts_answers(h, a));
}

static void holds_grow_and_have_an_end(void **state)
{
    struct hosts *h = hosts_of(state);
    struct str a = STR("a.hub.test");
    int64_t first = hosts_was_slow(h, a, 0), last = first;
    for (int i = 0; i < 40; i++)
        last = hosts_was_slow(h, a, 0);
    assert_true(last > first && last <= 20000);
}

/* More hosts than there are entries: what is in use keeps its entry, the rest is forgotten. */
static void many_hosts_take_no_place_from_one_in_use(void **state)
{
    struct hosts *h = hosts_of(state);
    struct str mine = STR("mine.hub.test");
    int64_t ms;
    for (int i = 0; i < PLACES; i++)
        assert_int_equal(hosts_enter(h, mine, &ms), HOSTS_ENTERED);
    for (int i = 0; i < 2000; i++)
        hosts_was_good(h, arena_printf(*state, "other-%d.hub.test", i));
    assert_int_equal(hosts_enter(h, mine, &ms), HOSTS_FULL);
}

struct crowd {
    struct hosts *hosts;
    atomic_int inside, most, served;
};

static void *come_and_go(void *context)
{
    struct crowd *c = context;
    int64_t ms;
    for (int i = 0; i < TURNS; i++) {
        while (hosts_enter(c->hosts, STR("busy.hub.test"), &ms) != HOSTS_ENTERED)
            sched_yield();
        int inside = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);
        while (inside > most && !atomic_compare_exchange_weak(&c->most, &most, inside))
            continue;
        atomic_fetch_add(&c->served, 1);
        atomic_fetch_sub(&c->inside, 1);
        hosts_leave(c->hosts, STR("busy.hub.test"));
    }
    return NULL;
}

static void a_crowd_is_served_two_at_a_time(void **state)
{
    struct crowd c = {.hosts = hosts_of(state)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.served, THREADS * TURNS);
    assert_true(c.most <= PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_host_has_two_places),
        UNIT(a_slow_host_is_held_back_until_it_is_good),
        UNIT(holds_grow_and_have_an_end),
        UNIT(many_hosts_take_no_place_from_one_in_use),
        UNIT(a_crowd_is_served_two_at_a_time),
        UNIT(silence_is_told_to_all_who_would_look),
        UNIT(a_host_that_was_good_answers_for_a_while),
    };
    return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
