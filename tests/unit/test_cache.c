/* test_cache.c: what is found under a key and for how long, what somebody holds, and many threads at one cache. */
#include "core/cache.h"

#include <pthread.h>

#include "unit.h"

enum { MOST = 20, FRESH_US = 1000, THREADS = 6, ROUNDS = 2000, KEYS = 5 };

static struct cache *cache;

static int make_cache(void **state)
{
    cache = cache_new(MOST, FRESH_US);
    return unit_up(state);
}

static int drop_cache(void **state)
{
    cache_free(cache);
    return unit_down(state);
}

/* A value that says what it is; held by the caller. */
static int *value_of(struct str key, int number, int64_t now_us)
{
    int *v = cache_make(cache, key, sizeof *v, now_us);
    *v = number;
    return v;
}

static void put(struct str key, int number, int64_t now_us)
{
    int *v = value_of(key, number, now_us);
    cache_keep(cache, v);
    cache_release(v);
}

/* What is found, or -1. */
static int number_at(struct str key, int64_t now_us)
{
    const int *v = cache_find(cache, key, now_us);
    int number = v ? *v : -1;
    cache_release(v);
    return number;
}

static void a_value_is_found_while_it_is_fresh(void **state)
{
    (void)state;
    put(STR("a"), 1, 10000);
    assert_int_equal(number_at(STR("a"), 10000), 1);
    assert_int_equal(number_at(STR("a"), 10000 + FRESH_US - 1), 1);
    assert_int_equal(number_at(STR("a"), 10000 + FRESH_US), -1);
    assert_int_equal(number_at(STR("a"), 10000 - FRESH_US + 1), 1);
    assert_int_equal(number_at(STR("a"), 10000 - FRESH_US), -1);
    assert_int_equal(number_at(STR("b"), 10000), -1);
    assert_int_equal(number_at(STR(""), 10000), -1);
}

static void the_last_one_kept_is_found(void **state)
{
    (void)state;
    put(STR("a"), 1, 0);
    put(STR("a"), 2, 0);
    assert_int_equal(number_at(STR("a"), 0), 2);
    cache_forget(cache, STR("a"));
    cache_forget(cache, STR("a"));
    assert_int_equal(number_at(STR("a"), 0), -1);
}

static void what_is_forgotten_while_it_is_made_is_not_kept(void **state)
{
    (void)state;
    int *slow = value_of(STR("a"), 1, 0);
    cache_forget(cache, STR("a"));
    cache_keep(cache, slow);
    assert_int_equal(number_at(STR("a"), 0), -1);
    put(STR("a"), 2, 0);
    slow = cache_keep_first(cache, slow);
    assert_int_equal(*slow, 2);
    cache_release(slow);
    cache_forget(cache, STR("a"));
    assert_int_equal(number_at(STR("a"), 0), -1);
}

static void what_is_forgotten_is_not_made_way_for(void **state)
{
    (void)state;
    int *slow = value_of(STR("a"), 1, 0);
    cache_forget(cache, STR("a"));
    put(STR("a"), 2, 0);
    cache_keep(cache, slow);
    cache_release(slow);
    assert_int_equal(number_at(STR("a"), 0), 2);
}

static void the_first_one_stays_where_that_is_asked_for(void **state)
{
    (void)state;
    put(STR("a"), 1, 0);
    int *first = cache_keep_first(cache, value_of(STR("a"), 2, FRESH_US - 1));
    assert_int_equal(*first, 1);
    cache_release(first);
    assert_int_equal(number_at(STR("a"), 0), 1);
    int *second = cache_keep_first(cache, value_of(STR("a"), 3, FRESH_US));
    assert_int_equal(*second, 3);
    cache_release(second);
    assert_int_equal(number_at(STR("a"), FRESH_US), 3);
}

static void what_is_missing_comes_first(void **state)
{
    struct str keys[] = {STR("a"), STR("b"), STR("c"), STR("d")};
    (void)state;
    put(STR("b"), 2, -FRESH_US);
    put(STR("a"), 1, 0);
    put(STR("c"), 3, 0);
    assert_int_equal(cache_missing(cache, keys, 4, 0), 2);
    assert_text(keys[0], "b");
    assert_text(keys[1], "d");
    assert_int_equal(cache_missing(cache, keys, 0, 0), 0);
}

static void what_is_held_lives_on(void **state)
{
    (void)state;
    put(STR("a"), 1, 0);
    const int *held = cache_find(cache, STR("a"), 0);
    put(STR("a"), 2, 0);
    cache_forget(cache, STR("a"));
    cache_free(cache);
    assert_int_equal(*held, 1);
    cache_release(held);
    cache_release(NULL);
    cache_free(NULL);
    cache = NULL;
}

static void what_a_value_points_to_lives_with_it(void **state)
{
    (void)state;
    struct str *made = cache_make(cache, STR("a"), sizeof *made, 7);
    *made = arena_copy(cache_arena(made), "text", 4);
    assert_int_equal(cache_made_us(made), 7);
    cache_keep(cache, made);
    cache_release(made);
    const struct str *found = cache_find(cache, STR("a"), 7);
    assert_text(*found, "text");
    cache_release(found);
}

static void the_oldest_make_room(void **state)
{
    for (int i = 0; i < MOST + 3; i++)
        put(arena_printf(*state, "k%d", i), i, i);
    for (int i = 0; i < MOST + 3; i++)
        assert_int_equal(number_at(arena_printf(*state, "k%d", i), MOST), i < 3 ? -1 : i);
}

static struct str key_of(char *to, int i)
{
    to[0] = (char)('a' + i % KEYS);
    return (struct str){to, 1};
}

/* Finds, keeps and forgets like requests do; gives what was found under a wrong key. */
static void *use_often(void *context)
{
    char letter[1];
    void *wrong = NULL;
    for (int i = 0; i < ROUNDS && !wrong; i++) {
        struct str key = key_of(letter, i * (int)(intptr_t)context);
        int *v = cache_find(cache, key, i);
        if (!v) {
            v = value_of(key, letter[0], i);
            v = i % 2 ? cache_keep_first(cache, v) : (cache_keep(cache, v), v);
        }
        wrong = *v == letter[0] ? NULL : cache;
        cache_release(v);
        if (i % 7 == 0)
            cache_forget(cache, key);
    }
    return wrong;
}

static void many_threads_share_it(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

#define CACHE(test) cmocka_unit_test_setup_teardown(test, make_cache, drop_cache)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE(a_value_is_found_while_it_is_fresh),
        CACHE(the_last_one_kept_is_found),
        CACHE(what_is_forgotten_while_it_is_made_is_not_kept),
        CACHE(what_is_forgotten_is_not_made_way_for),
        CACHE(the_first_one_stays_where_that_is_asked_for),
        CACHE(what_is_missing_comes_first),
        CACHE(what_is_held_lives_on),
        CACHE(what_a_value_points_to_lives_with_it),
        CACHE(the_oldest_make_room),
        CACHE(many_threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
