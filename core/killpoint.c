/* killpoint.c: ends (or freezes) the process at a named place, for the crash tests (killpoint.h). It must be empty in
 * every other build. */
#include "killpoint.h"

#ifdef IDSCOPE_KILL_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt.h"

static bool is_due(void)
{
    const char *text = getenv("IDSCOPE_KILL_ONE_IN");
    int64_t one_in = 1;
    if (text && !dec_i64(str_of(text), 1, UINT32_MAX, &one_in))
        return false;
    uint64_t random;
    crypt_random(&random, sizeof random);
    return random % (uint64_t)one_in == 0;
}

/* One write with O_APPEND: several processes may die into one file. */
static void record(const char *name)
{
    const char *path = getenv("IDSCOPE_KILL_LOG");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    struct arena *a = arena_new();
    struct str line = arena_printf(a, "%s\n", name);
    ssize_t written = write(fd, line.p, line.n);
    (void)written;
    close(fd);
    arena_free(a);
}

void killpoint_hit(const char *name)
{
    const char *wanted = getenv("IDSCOPE_KILL_POINT");
    if (!wanted || strcmp(wanted, name) != 0 || !is_due())
        return;
    record(name);
    const char *signal_name = getenv("IDSCOPE_KILL_SIGNAL");
    raise(signal_name && strcmp(signal_name, "STOP") == 0 ? SIGSTOP : SIGKILL);
}

#endif
