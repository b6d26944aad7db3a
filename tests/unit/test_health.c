/* test_health.c: the listener for probes: what it answers, and that neither a slow client nor an open connection keeps
 * it from others or from ending. */
#include "core/process/health.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/process/clock.h"
#include "unit.h"

enum { PATIENCE_MS = 10000, ENDS_WITHIN_MS = 1500, TRICKLE_MS = 100, SLOW_CLIENTS = 200, MUCH = 100000 };

static bool is_ready;

static bool say_ready(void *context, struct str *ret_why_not)
{
    *ret_why_not = STR("the test says so");
    return *(bool *)context;
}

static void say_metrics(void *context, struct text *out)
{
    (void)context;
    text_add(out, STR("tests_total 1\n"));
}

/* A port that was free a moment ago, as "127.0.0.1:PORT". */
static struct str free_address(struct arena *a, struct sockaddr_in *ret)
{
    socklen_t n = sizeof *ret;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)ret, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &n), 0);
    close(fd);
    return arena_printf(a, "127.0.0.1:%d", ntohs(ret->sin_port));
}

struct scene {
    struct arena *arena;
    struct sockaddr_in at;
    struct health *health;
};

static struct scene scene;

static int scene_up(void **state)
{
    const struct health_source source = {say_ready, say_metrics, &is_ready};
    scene.arena = arena_new();
    is_ready = true;
    assert_ok(health_open(free_address(scene.arena, &scene.at), &source, NULL, &scene.health));
    assert_ok(health_start(scene.health, NULL));
    *state = &scene;
    return 0;
}

static int scene_down(void **state)
{
    (void)state;
    health_stop(scene.health);
    arena_free(scene.arena);
    return 0;
}

#define HEALTH(f) cmocka_unit_test_setup_teardown(f, scene_up, scene_down)

static int connected(const struct scene *s)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->at, sizeof s->at), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that is said until the connection is closed. */
static struct str heard(const struct scene *s, int fd)
{
    struct text t;
    char part[512];
    text_init(&t, s->arena, sizeof part);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        ssize_t n = recv(fd, part, sizeof part, 0);
        if (n <= 0)
            break;
        text_add(&t, (struct str){part, (size_t)n});
    }
    close(fd);
    return text_str(&t);
}

static struct str asked(const struct scene *s, const char *head)
{
    int fd = connected(s);
    put(fd, head);
    return heard(s, fd);
}

static void says(struct str answer, const char *status, const char *body)
{
    assert_true(str_starts(answer, str_of(status)));
    assert_true(str_ends_nocase(answer, str_of(body)));
}

static void answers_probes(void **state)
{
    const struct scene *s = *state;
    says(asked(s, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
    says(asked(s, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 ", "ready\n");
    says(asked(s, "GET /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 ", "tests_total 1\n");
    says(asked(s, "GET /other HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 ", "\n");
    says(asked(s, "POST /readyz HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 ", "\n");
    is_ready = false;
    says(asked(s, "GET /readyz HTTP/1.1\r\n\r\n"), "HTTP/1.1 503 ", "the test says so\n");
}

static void a_client_that_trickles_is_cut_off(void **state)
{
    const struct scene *s = *state;
    int slow = connected(s), other = connected(s);
    struct pollfd answered = {.fd = other, .events = POLLIN};
    int64_t end_us = clock_span_us() + PATIENCE_MS * INT64_C(1000);
    put(other, "GET /healthz HTTP/1.1\r\n\r\n");
    put(slow, "GET /healthz HTTP/1.1\r\nX: ");
    /* One byte now and then; sooner or later it is refused, which is well. */
    while (poll(&answered, 1, TRICKLE_MS) == 0 && clock_span_us() < end_us)
        (void)!send(slow, "x", 1, MSG_NOSIGNAL);
    assert_true(clock_span_us() < end_us);
    close(slow);
    says(heard(s, other), "HTTP/1.1 200 ", "ok\n");
}

static void an_open_connection_does_not_delay_the_end(void **state)
{
    struct scene *s = *state;
    int silent = connected(s);
    put(silent, "GET ");
    says(asked(s, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 ", "ok\n");
    int another = connected(s);
    int64_t begun_us = clock_span_us();
    health_stop(s->health);
    s->health = NULL;
    assert_true(clock_span_us() - begun_us < ENDS_WITHIN_MS * INT64_C(1000));
    close(silent);
    close(another);
}

static void nothing_listens_without_an_address(void **state)
{
    (void)state;
    const struct health_source source = {say_ready, say_metrics, &is_ready};
    struct health *h = (struct health *)&scene;
    assert_ok(health_open(STR(""), &source, NULL, &h));
    assert_null(h);
    assert_ok(health_start(h, NULL));
    health_stop(h);
}

static void refused(const char *listen, const char *words)
{
    const struct health_source source = {say_ready, say_metrics, &is_ready};
    struct health *h;
    struct err_detail d = {""};
    assert_err(health_open(str_of(listen), &source, &d, &h), BAD_CONFIG);
    assert_null(h);
    assert_says(d, listen);
    assert_says(d, words);
}

static void an_address_that_can_never_be_had_is_a_bad_setting(void **state)
{
    (void)state;
    refused("nowhere", "ADDRESS:PORT");
    refused("127.0.0.1:", "ADDRESS:PORT");
    refused(":8080", "ADDRESS:PORT");
    refused("127.0.0.1:http", "127.0.0.1:http");
    refused("no such host:80", "no such host:80");
}

/* Another process may be about to end, and an address about to come: starting again helps. */
static void a_taken_port_is_no_bad_setting(void **state)
{
    const struct scene *s = *state;
    const struct health_source source = {say_ready, say_metrics, &is_ready};
    struct str taken = arena_printf(s->arena, "127.0.0.1:%d", ntohs(s->at.sin_port));
    struct health *h;
    struct err_detail d = {""};
    assert_err(health_open(taken, &source, &d, &h), START_FAILED);
    assert_says(d, taken.p);
    assert_says(d, "in use");
    assert_err(health_open(STR("192.0.2.1:8080"), &source, &d, &h), START_FAILED);
    assert_says(d, "192.0.2.1:8080");
}

/* Each sends a byte now and then, so none of them is ever idle; a probe gets its answer all the same. */
static void many_slow_clients_do_not_hold_all_places(void **state)
{
    const struct scene *s = *state;
    int slow[SLOW_CLIENTS];
    for (int i = 0; i < SLOW_CLIENTS; i++)
        put(slow[i] = connected(s), "GET /healthz HTTP/1.1\r\nX: ");
    int64_t begun_us = clock_span_us();
    says(asked(s, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 ", "ok\n");
    assert_true(clock_span_us() - begun_us < ENDS_WITHIN_MS * INT64_C(1000));
    for (int i = 0; i < SLOW_CLIENTS; i++)
        close(slow[i]);
}

/* A head that is too long, no HTTP at all, a body that never comes, a client that never reads: the next one is served.
 */
static void what_is_no_probe_hurts_nobody(void **state)
{
    const struct scene *s = *state;
    char *much = arena_alloc(s->arena, MUCH);
    memset(much, 'x', MUCH - 1);
    const char *heads[] = {"\r\n\r\n",
                           "x\r\n\r\n",
                           "GET /healthz\r\n\r\n",
                           "\x16\x03\x01\x02",
                           much,
                           "POST /readyz HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n",
                           "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                           "GET /?a&a&a&&&=&%zz HTTP/1.1\r\nHost: \xff\r\n\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int fd = connected(s);
        (void)!send(fd, heads[i], strlen(heads[i]), MSG_NOSIGNAL);
        says(asked(s, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 ", "ok\n");
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEALTH(answers_probes),
        HEALTH(a_client_that_trickles_is_cut_off),
        HEALTH(an_open_connection_does_not_delay_the_end),
        HEALTH(many_slow_clients_do_not_hold_all_places),
        HEALTH(what_is_no_probe_hurts_nobody),
        HEALTH(a_taken_port_is_no_bad_setting),
        cmocka_unit_test(nothing_listens_without_an_address),
        cmocka_unit_test(an_address_that_can_never_be_had_is_a_bad_setting),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
