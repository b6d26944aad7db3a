/* test_privileges.c: who may become whom. As root a child process does it, and looks what is left of root; as anybody
 * else the same wish is refused. */
#include "core/process/privileges.h"

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { GROUPS_MAX = 64 };

static void refused(const char *user, const char *words)
{
    struct err_detail d = {""};
    assert_err(privileges_drop(str_of(user), &d), BAD_CONFIG);
    assert_says(d, words);
}

static void no_user_and_root_are_bad_settings(void **state)
{
    (void)state;
    refused("no-such-user", "there is no user no-such-user");
    refused("root", "other than root");
    refused("0", "other than root");
    refused("-1", "there is no user -1");
    refused("4294967295", "there is no user 4294967295");
}

static void nobody_else_or_myself_changes_nothing(void **state)
{
    uid_t before = getuid();
    assert_ok(privileges_drop(STR(""), NULL));
    if (before != 0)
        assert_ok(privileges_drop(arena_printf(*state, "%u", before), NULL));
    assert_int_equal(getuid(), before);
}

/* In a child: 0 when all of root is gone. */
static int left_of_root(const char *user, gid_t *groups, int most)
{
    uid_t real, effective, saved;
    struct err_detail d = {""};
    if (setgroups(2, (const gid_t[]){0, 4}) || privileges_drop(str_of(user), &d))
        return 1;
    if (getresuid(&real, &effective, &saved) || !real || real != effective || real != saved)
        return 2;
    if (getresgid(&real, &effective, &saved) || !real || real != effective || real != saved)
        return 3;
    for (int n = getgroups(most, groups); n > 0; n--)
        if (groups[n - 1] == 0)
            return 4;
    return setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0 ? 5 : 0;
}

static void becomes(const char *user)
{
    gid_t groups[GROUPS_MAX];
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(left_of_root(user, groups, GROUPS_MAX));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void root_is_given_up_for_good(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        becomes("daemon");
        becomes("54321");
    } else {
        refused("daemon", "only root may become the user daemon");
        refused("54321", "only root may become the user 54321");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(no_user_and_root_are_bad_settings),
        UNIT(nobody_else_or_myself_changes_nothing),
        UNIT(root_is_given_up_for_good),
    };
    return cmocka_run_group_tests_name("privileges", tests, NULL, NULL);
}
