/* test_log_sink.c: lines come out whole and in order; and a reader that does not read, is slow or is gone holds nobody
 * up: neither who logs nor the end. */
#include "core/process/log_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "core/json.h"
#include "core/process/clock.h"
#include "unit.h"

enum { PATIENCE_MS = 20000, MANY = 20000, THREADS = 4, EACH = 500, SOON_US = 20000000, HANGS_S = 120 };

static struct {
    struct arena *arena;
    int read_fd, write_fd;
    char held[65536]; /* read and not yet looked at */
    size_t at, n;
} scene;

static int scene_up(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    scene.arena = arena_new();
    scene.read_fd = ends[0];
    scene.write_fd = ends[1];
    scene.at = scene.n = 0;
    log_init("t", LOG_INFO, log_sink_start(scene.write_fd));
    return 0;
}

static int scene_down(void **state)
{
    (void)state;
    if (scene.read_fd >= 0)
        close(scene.read_fd); /* first, so that a writer that stands in a write goes on */
    log_sink_stop();
    close(scene.write_fd);
    arena_free(scene.arena);
    return 0;
}

#define SINK(f) cmocka_unit_test_setup_teardown(f, scene_up, scene_down)

static void say(int64_t number)
{
    log_event(LOG_INFO, "said", L_NUM("number", number),
              L_CSTR("padding", "a line of about the length of a request's"));
}

static char next_char(void)
{
    struct pollfd p = {.fd = scene.read_fd, .events = POLLIN};
    if (scene.at == scene.n) {
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        ssize_t n = read(scene.read_fd, scene.held, sizeof scene.held);
        assert_true(n > 0);
        scene.at = 0;
        scene.n = (size_t)n;
    }
    return scene.held[scene.at++];
}

/* The event of the next line, which must be one whole JSON object; its number. */
static struct str heard(const char *member, int64_t *ret_number)
{
    struct text line;
    json_auto_t *v = NULL;
    text_init(&line, scene.arena, 256);
    for (char c; (c = next_char()) != '\n';)
        text_add_char(&line, c);
    assert_ok(json_read(text_str(&line), NULL, &v));
    *ret_number = json_integer_value(json_object_get(v, member));
    return arena_str(scene.arena, str_of(json_string_value(json_object_get(v, "event"))));
}

static void a_line_is_written_at_once(void **state)
{
    int64_t number;
    (void)state;
    say(7);
    assert_text(heard("number", &number), "said");
    assert_int_equal(number, 7);
}

static void nobody_waits_for_a_reader_that_does_not_read(void **state)
{
    int64_t number, before = -1, heard_count = 0, begun_us = clock_span_us();
    (void)state;
    for (int64_t i = 0; i < MANY; i++)
        say(i);
    assert_true(clock_span_us() - begun_us < SOON_US);
    uint64_t lost = log_sink_lost();
    assert_in_range(lost, 1, MANY);
    while (str_same(heard("number", &number), STR("said"))) {
        assert_true(number > before);
        before = number;
        heard_count++;
    }
    assert_int_equal(heard_count + (int64_t)lost, MANY);
    say(MANY);
    assert_text(heard("number", &number), "said");
    assert_int_equal(number, MANY);
}

static void the_number_of_lost_lines_is_said_when_somebody_reads_again(void **state)
{
    int64_t number;
    (void)state;
    for (int64_t i = 0; i < MANY; i++)
        say(i);
    uint64_t lost = log_sink_lost();
    while (str_same(heard("lines", &number), STR("said")))
        ;
    assert_int_equal(number, lost);
    assert_int_equal(log_sink_lost(), lost);
}

/* The backlog grows round by round and never empties, so that the ring goes round more than once. */
static void a_slow_reader_gets_all_in_order(void **state)
{
    int64_t said = 0, number, wanted = 0;
    (void)state;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 1500; i++)
            say(said++);
        for (int i = 0; i < 1000; i++, wanted++) {
            assert_text(heard("number", &number), "said");
            assert_int_equal(number, wanted);
        }
    }
    for (; wanted < said; wanted++) {
        assert_text(heard("number", &number), "said");
        assert_int_equal(number, wanted);
    }
    assert_int_equal(log_sink_lost(), 0);
}

static void a_descriptor_that_does_not_block_loses_nothing(void **state)
{
    int64_t number;
    (void)state;
    assert_int_equal(fcntl(scene.write_fd, F_SETFL, O_NONBLOCK), 0);
    for (int64_t i = 0; i < 2000; i++)
        say(i);
    for (int64_t i = 0; i < 2000; i++) {
        assert_text(heard("number", &number), "said");
        assert_int_equal(number, i);
    }
}

static void *say_each(void *first)
{
    for (int64_t i = 0; i < EACH; i++)
        say(*(int64_t *)first + i);
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    pthread_t threads[THREADS];
    int64_t firsts[THREADS], heard_of[THREADS] = {0}, number;
    (void)state;
    for (int64_t t = 0; t < THREADS; t++) {
        firsts[t] = t * EACH;
        assert_int_equal(pthread_create(&threads[t], NULL, say_each, &firsts[t]), 0);
    }
    for (int i = 0; i < THREADS * EACH; i++) {
        assert_text(heard("number", &number), "said");
        assert_in_range(number, 0, THREADS * EACH - 1);
        assert_int_equal(number % EACH, heard_of[number / EACH]++);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
}

/* SIGPIPE would end the program, and a line about lost lines would be lost for ever. */
static void a_reader_that_is_gone_costs_its_lines_only(void **state)
{
    int64_t end_us = clock_span_us() + PATIENCE_MS * INT64_C(1000);
    (void)state;
    close(scene.read_fd);
    scene.read_fd = -1;
    say(1);
    say(2);
    while (log_sink_lost() < 2 && clock_span_us() < end_us)
        poll(NULL, 0, 1);
    poll(NULL, 0, 50);
    assert_int_equal(log_sink_lost(), 2);
}

static void the_end_writes_what_waits(void **state)
{
    int64_t number;
    (void)state;
    for (int64_t i = 0; i < 100; i++)
        say(i);
    log_sink_stop();
    for (int64_t i = 0; i < 100; i++) {
        assert_text(heard("number", &number), "said");
        assert_int_equal(number, i);
    }
    log_init("t", LOG_INFO, log_sink_start(scene.write_fd)); /* for scene_down to stop */
}

/* The last test: the writer that is left behind goes with the process. */
static void the_end_does_not_wait_for_a_reader_that_does_not_read(void **state)
{
    (void)state;
    scene_up(NULL);
    for (int64_t i = 0; i < MANY; i++)
        say(i);
    int64_t begun_us = clock_span_us();
    log_sink_stop();
    assert_true(clock_span_us() - begun_us < SOON_US);
    arena_free(scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SINK(a_line_is_written_at_once),
        SINK(nobody_waits_for_a_reader_that_does_not_read),
        SINK(the_number_of_lost_lines_is_said_when_somebody_reads_again),
        SINK(a_slow_reader_gets_all_in_order),
        SINK(a_descriptor_that_does_not_block_loses_nothing),
        SINK(threads_do_not_mix_their_lines),
        SINK(a_reader_that_is_gone_costs_its_lines_only),
        SINK(the_end_writes_what_waits),
        cmocka_unit_test(the_end_does_not_wait_for_a_reader_that_does_not_read),
    };
    alarm(HANGS_S);
    return cmocka_run_group_tests_name("log_sink", tests, NULL, NULL);
}
