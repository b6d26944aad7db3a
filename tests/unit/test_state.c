/* test_state.c: the moves of registrations and links, those that must not be among them, and kill points. */
#include "core/state.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/killpoint.h"
#include "unit.h"

static void a_registration_moves_by_the_table(void **state)
{
    (void)state;
    assert_int_equal(regstate_move(REG_ABSENT, REG_EV_REGISTER), REG_ASSIGNING);
    assert_int_equal(regstate_move(REG_ASSIGNING, REG_EV_REGISTER), REG_ASSIGNING);
    assert_int_equal(regstate_move(REG_ASSIGNING, REG_EV_HUB_MADE), REG_ASSIGNED);
    assert_int_equal(regstate_move(REG_ASSIGNING, REG_EV_NO_HUB), REG_FAILED);
    assert_int_equal(regstate_move(REG_ASSIGNED, REG_EV_REGISTER_SAME), REG_ASSIGNED);
    assert_int_equal(regstate_move(REG_ASSIGNED, REG_EV_REGISTER), REG_ASSIGNING);
    assert_int_equal(regstate_move(REG_FAILED, REG_EV_REGISTER), REG_ASSIGNING);
    assert_int_equal(regstate_move(REG_DISABLED, REG_EV_REGISTER), REG_ASSIGNING);
}

static void every_registration_can_be_blocked(void **state)
{
    (void)state;
    static const int from[] = {REG_ABSENT, REG_ASSIGNING, REG_ASSIGNED, REG_FAILED, REG_DISABLED};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        assert_int_equal(regstate_move(from[i], REG_EV_REGISTER_BLOCKED), REG_DISABLED);
}

static void a_late_worker_moves_nothing(void **state)
{
    (void)state;
    static const int settled[] = {REG_ABSENT, REG_UNASSIGNED, REG_ASSIGNED, REG_FAILED, REG_DISABLED};
    for (size_t i = 0; i < sizeof settled / sizeof *settled; i++) {
        assert_int_equal(regstate_move(settled[i], REG_EV_HUB_MADE), REG_ABSENT);
        assert_int_equal(regstate_move(settled[i], REG_EV_NO_HUB), REG_ABSENT);
    }
    assert_int_equal(regstate_move(REG_ASSIGNING, REG_EV_REGISTER_SAME), REG_ABSENT);
    assert_int_equal(regstate_move(REG_FAILED, REG_EV_REGISTER_SAME), REG_ABSENT);
    assert_int_equal(regstate_move(99, REG_EV_REGISTER), REG_ABSENT);
}

static void probes_move_a_link(void **state)
{
    (void)state;
    for (int from = LINK_PENDING; from <= LINK_UNREACHABLE; from++) {
        assert_int_equal(linkstate_move(from, LINK_EV_PROBE_GOOD), LINK_VALID);
        assert_int_equal(linkstate_move(from, LINK_EV_PROBE_ONE_BAD), LINK_DEGRADED);
        assert_int_equal(linkstate_move(from, LINK_EV_PROBE_REFUSED), LINK_INVALID);
        assert_int_equal(linkstate_move(from, LINK_EV_HUB_DELETED), LINK_INVALID);
        assert_int_equal(linkstate_move(from, LINK_EV_CREDENTIAL_GONE), LINK_INVALID);
        assert_int_equal(linkstate_move(from, LINK_EV_CREDENTIAL_CHANGE), LINK_PENDING);
        assert_int_equal(linkstate_move(from, LINK_EV_PROBE_FAILED),
                         from == LINK_INVALID ? LINK_INVALID : LINK_UNREACHABLE);
    }
    assert_int_equal(linkstate_move(LINK_ABSENT, LINK_EV_PROBE_GOOD), LINK_ABSENT);
    assert_int_equal(linkstate_move(LINK_ABSENT, LINK_EV_LINKED), LINK_PENDING);
    assert_int_equal(linkstate_move(LINK_VALID, LINK_EV_LINKED), LINK_ABSENT);
}

/* How a child that passes the point "here" ends: the signal, or 0. Without `point` no variable is set. */
static int passed(const char *point, const char *one_in, const char *log)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (point)
            setenv("IDSCOPE_KILL_POINT", point, 1);
        if (one_in)
            setenv("IDSCOPE_KILL_ONE_IN", one_in, 1);
        if (log)
            setenv("IDSCOPE_KILL_LOG", log, 1);
        KILL_STANDS(STR("0ne1"), STR("one"));
        KILL_STANDS(STR("0ne1"), STR("two"));
        KILL_POINT("here");
        KILL_POINT_OF("here", STR("0ne1"), STR("three"));
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

#ifdef IDSCOPE_KILL_POINTS
static void a_kill_point_kills_and_is_counted(void **state)
{
    char log[] = "/tmp/idscope-kill-XXXXXX", lines[64] = "";
    (void)state;
    int fd = mkstemp(log);
    assert_int_equal(passed("here", NULL, log), SIGKILL);
    assert_int_equal(passed("elsewhere", NULL, log), 0);
    assert_int_equal(passed(NULL, NULL, log), 0);
    assert_int_equal(passed("here", "nonsense", log), 0);
    assert_int_equal(passed("here", "4294967295", log), 0);
    assert_int_equal(passed("here", "1", NULL), SIGKILL);
    assert_int_equal(passed("here", NULL, "/no/such/folder"), SIGKILL);
    assert_int_equal(passed("here", "1", log), SIGKILL);
    assert_int_equal(pread(fd, lines, sizeof lines - 1, 0), 10);
    assert_string_equal(lines, "here\nhere\n");
    close(fd);
    unlink(log);
}

static void a_kill_that_is_aimed_meets_who_stands_there(void **state)
{
    char log[] = "/tmp/idscope-kill-XXXXXX", lines[64] = "";
    (void)state;
    int fd = mkstemp(log);
    setenv("IDSCOPE_KILL_AIM", " 0ne2/two 0ne1/tw ", 1);
    assert_int_equal(passed("here", NULL, log), 0);
    setenv("IDSCOPE_KILL_AIM", " 0ne1/two ", 1);
    assert_int_equal(passed("here", NULL, log), SIGKILL);
    setenv("IDSCOPE_KILL_AIM", " 0ne2/two 0ne1/three ", 1);
    assert_int_equal(passed("here", NULL, log), SIGKILL);
    unsetenv("IDSCOPE_KILL_AIM");
    assert_int_equal(pread(fd, lines, sizeof lines - 1, 0), 42);
    assert_string_equal(lines, "here 0ne1/one  0ne1/two \nhere 0ne1/three \n");
    close(fd);
    unlink(log);
}
#else
static void a_kill_point_does_nothing_in_this_build(void **state)
{
    (void)state;
    assert_int_equal(passed("here", "1", NULL), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_registration_moves_by_the_table), UNIT(every_registration_can_be_blocked),
        UNIT(a_late_worker_moves_nothing),       UNIT(probes_move_a_link),
#ifdef IDSCOPE_KILL_POINTS
        UNIT(a_kill_point_kills_and_is_counted), UNIT(a_kill_that_is_aimed_meets_who_stands_there),
#else
        UNIT(a_kill_point_does_nothing_in_this_build),
#endif
    };
    return cmocka_run_group_tests_name("state, killpoint", tests, NULL, NULL);
}
