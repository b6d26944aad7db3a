/* test_queue.c: the queue between the threads that read requests and the lanes: who gets a place, whose turn it is, and
 * that nothing is lost or taken twice, by many threads at once too. */
#include "api/queue.h"

#include <pthread.h>
#include <stdatomic.h>

#include "unit.h"

enum { PLACES = 16, QUARTER = PLACES / 4, FULL = 8, NO_WAIT_MS = 0 };
static const int64_t NEVER_US = INT64_MAX;

static int queue_up(void **state)
{
    *state = queue_new(PLACES, FULL);
    return 0;
}

static int singles_up(void **state)
{
    *state = queue_new(PLACES, 1);
    return 0;
}

static int queue_down(void **state)
{
    queue_free(*state);
    return 0;
}

#define QUEUE(f) cmocka_unit_test_setup_teardown(f, queue_up, queue_down)
#define SINGLES(f) cmocka_unit_test_setup_teardown(f, singles_up, queue_down)

static bool put(struct queue *q, const char *key, int band, struct queue_item *item)
{
    if (!queue_reserve(q, str_of(key), band, NEVER_US, item))
        return false;
    queue_push(q, item);
    return true;
}

static void one_of_each_key_in_turn(void **state)
{
    struct queue *q = *state;
    struct queue_item storm[3], calm[2], *got[FULL];
    for (int i = 0; i < 3; i++)
        assert_true(put(q, "storm", 0, &storm[i]));
    for (int i = 0; i < 2; i++)
        assert_true(put(q, "calm", 0, &calm[i]));
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 5);
    const struct queue_item *wanted[] = {&storm[0], &calm[0], &storm[1], &calm[1], &storm[2]};
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(got[i], wanted[i]);
}

static void what_is_late_is_given_out_apart(void **state)
{
    struct queue *q = *state;
    struct queue_item early[2], late[2], *got[FULL];
    assert_true(queue_reserve(q, STR("a"), 0, 10, &early[0]) && queue_reserve(q, STR("a"), 0, 30, &late[0]));
    assert_true(queue_reserve(q, STR("b"), 1, 20, &early[1]) && queue_reserve(q, STR("c"), 0, 30, &late[1]));
    queue_push(q, &early[0]);
    queue_push(q, &late[0]);
    queue_push(q, &early[1]);
    queue_push(q, &late[1]);
    assert_int_equal(queue_take_late(q, got, 8, 9), 0);
    assert_int_equal(queue_take_late(q, got, 8, 20), 2);
    assert_ptr_equal(got[0], &early[0]);
    assert_ptr_equal(got[1], &early[1]);
    assert_int_equal(queue_depth(q), 2);
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 2);
    assert_ptr_equal(got[0], &late[0]);
    assert_ptr_equal(got[1], &late[1]);
    assert_int_equal(queue_take_late(q, got, 8, 99), 0);
}

static void a_turn_is_kept_between_takes(void **state)
{
    struct queue *q = *state;
    struct queue_item a[2], b[2], *got;
    for (int i = 0; i < 2; i++)
        assert_true(put(q, "a", 0, &a[i]) && put(q, "b", 0, &b[i]));
    const struct queue_item *wanted[] = {&a[0], &b[0], &a[1], &b[1]};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
        assert_ptr_equal(got, wanted[i]);
    }
}

static void a_key_gets_a_quarter_and_others_get_in(void **state)
{
    struct queue *q = *state;
    struct queue_item items[QUARTER + 1], other, *got;
    for (int i = 0; i < QUARTER; i++)
        assert_true(put(q, "storm", i % 2, &items[i]));
    assert_false(put(q, "storm", 0, &items[QUARTER]));
    assert_true(put(q, "calm", 0, &other));
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
    assert_true(put(q, "storm", 0, &items[QUARTER]));
}

static void a_full_queue_has_no_place(void **state)
{
    struct queue *q = *state;
    struct queue_item items[PLACES + 1], *got;
    char key[2] = "a";
    for (int i = 0; i < PLACES; i++, key[0]++)
        assert_true(put(q, key, 0, &items[i]));
    assert_int_equal(queue_depth(q), PLACES);
    assert_false(put(q, "one more", 0, &items[PLACES]));
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
    assert_true(put(q, "one more", 0, &items[PLACES]));
}

/* Reserved but not pushed: it counts, but there is nothing to take. */
static void a_reserved_place_is_taken(void **state)
{
    struct queue *q = *state;
    struct queue_item item, *got;
    assert_true(queue_reserve(q, STR("a"), 0, NEVER_US, &item));
    assert_int_equal(queue_depth(q), 1);
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 0);
}

static void bands_are_not_mixed(void **state)
{
    struct queue *q = *state;
    struct queue_item first[2], second[2], *got[4];
    for (int i = 0; i < 2; i++)
        assert_true(put(q, "a", 0, &first[i]) && put(q, "a", 1, &second[i]));
    for (int take = 0; take < 2; take++) {
        assert_int_equal(queue_take(q, got, NO_WAIT_MS), 2);
        assert_int_equal(got[0]->band, got[1]->band);
    }
    assert_int_equal(queue_depth(q), 0);
}

static void bands_take_turns(void **state)
{
    struct queue *q = *state;
    struct queue_item first[2], second[2], *got;
    for (int i = 0; i < 2; i++)
        assert_true(put(q, "a", 0, &first[i]) && put(q, "a", 1, &second[i]));
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
    int band = got->band;
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
    assert_int_not_equal(got->band, band);
}

/* So that a second taker makes no small batches of what one would have taken at once. */
static void the_next_is_taken_when_the_last_was_passed(void **state)
{
    struct queue *q = *state;
    struct queue_item first, second[2], other, *got[FULL];
    assert_true(put(q, "a", 0, &first));
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 1);
    for (int i = 0; i < 2; i++) {
        assert_true(put(q, "a", 0, &second[i]));
        assert_int_equal(queue_take(q, got, NO_WAIT_MS), 0);
    }
    assert_true(put(q, "a", 1, &other));
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 1); /* of another band nothing is on its way */
    assert_ptr_equal(got[0], &other);
    queue_pass(q, 0);
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 2);
}

static void a_full_batch_waits_for_nobody(void **state)
{
    struct queue *q = *state;
    struct queue_item first, items[FULL], *got[FULL];
    char key[2] = "b";
    assert_true(put(q, "a", 0, &first));
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 1);
    for (int i = 0; i < FULL; i++, key[0]++) {
        assert_int_equal(queue_take(q, got, NO_WAIT_MS), 0);
        assert_true(put(q, key, 0, &items[i]));
    }
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), FULL);
}

static void *wait_for_one(void *q)
{
    struct queue_item *got[FULL];
    return queue_take(q, got, 10000) == 1 ? q : NULL;
}

/* Without a wait for the end of its time. */
static void who_waits_is_called_when_it_is_passed(void **state)
{
    struct queue *q = *state;
    struct queue_item first, second, *got[FULL];
    pthread_t taker;
    void *took;
    assert_true(put(q, "a", 0, &first));
    assert_int_equal(queue_take(q, got, NO_WAIT_MS), 1);
    assert_true(put(q, "a", 0, &second));
    assert_int_equal(pthread_create(&taker, NULL, wait_for_one, q), 0);
    queue_pass(q, 0);
    pthread_join(taker, &took);
    assert_ptr_equal(took, q);
}

static void a_closed_queue_gives_what_it_holds(void **state)
{
    struct queue *q = *state;
    struct queue_item in, reserved, late, *got;
    assert_true(put(q, "a", 0, &in));
    assert_true(queue_reserve(q, STR("a"), 0, NEVER_US, &reserved));
    queue_close(q);
    assert_false(queue_reserve(q, STR("b"), 0, NEVER_US, &late));
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
    assert_false(queue_is_done(q));
    queue_push(q, &reserved);
    assert_int_equal(queue_take(q, &got, NO_WAIT_MS), 1);
    assert_ptr_equal(got, &reserved);
    assert_true(queue_is_done(q));
}

/* --- many threads ------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 2000 };

struct work {
    struct queue_item item;
    _Atomic int taken;
};

struct crowd {
    struct queue *q;
    struct work work[THREADS][EACH];
    _Atomic int next_thread, refused;
};

static void *producer(void *context)
{
    struct crowd *c = context;
    int me = atomic_fetch_add(&c->next_thread, 1);
    char key[] = {(char)('a' + me), '\0'};
    for (int i = 0; i < EACH;) {
        if (put(c->q, key, i % 3, &c->work[me][i].item))
            i++;
        else
            atomic_fetch_add(&c->refused, 1);
    }
    return NULL;
}

static void *consumer(void *context)
{
    struct crowd *c = context;
    struct queue_item *got[FULL];
    while (!queue_is_done(c->q)) {
        size_t count = queue_take(c->q, got, 1000);
        for (size_t i = 0; i < count; i++)
            atomic_fetch_add(&((struct work *)(void *)got[i])->taken, 1);
        if (count)
            queue_pass(c->q, got[0]->band);
    }
    return NULL;
}

static void each_item_is_taken_once_by_one(void **state)
{
    static struct crowd c;
    pthread_t producers[THREADS], consumers[THREADS];
    c.q = *state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&consumers[i], NULL, consumer, &c), 0);
        assert_int_equal(pthread_create(&producers[i], NULL, producer, &c), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(producers[i], NULL);
    queue_close(c.q);
    for (int i = 0; i < THREADS; i++)
        pthread_join(consumers[i], NULL);
    for (int i = 0; i < THREADS * EACH; i++)
        assert_int_equal(c.work[i / EACH][i % EACH].taken, 1);
    assert_int_equal(queue_depth(c.q), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE(one_of_each_key_in_turn),
        QUEUE(what_is_late_is_given_out_apart),
        SINGLES(a_turn_is_kept_between_takes),
        SINGLES(a_key_gets_a_quarter_and_others_get_in),
        SINGLES(a_full_queue_has_no_place),
        QUEUE(a_reserved_place_is_taken),
        QUEUE(bands_are_not_mixed),
        SINGLES(bands_take_turns),
        QUEUE(the_next_is_taken_when_the_last_was_passed),
        QUEUE(a_full_batch_waits_for_nobody),
        QUEUE(who_waits_is_called_when_it_is_passed),
        SINGLES(a_closed_queue_gives_what_it_holds),
        QUEUE(each_item_is_taken_once_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
