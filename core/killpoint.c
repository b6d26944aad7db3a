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

/* Whose work stands at the next point of this thread: a word each, and whether the kill is aimed at one of them. */
static _Thread_local struct {
    struct arena *arena;
    struct text words;
    bool aimed_at;
} here;

static void forget(void)
{
    if (here.arena)
        arena_free(here.arena);
    here.arena = NULL;
    here.aimed_at = false;
}

void killpoint_stands(struct str id_scope, struct str subject)
{
    const char *aim = getenv("IDSCOPE_KILL_AIM");
    if (!aim)
        return;
    if (!here.arena) {
        here.arena = arena_new();
        text_init(&here.words, here.arena, 256);
    }
    struct str word = arena_printf(here.arena, " %.*s/%.*s ", STR_ARG(id_scope), STR_ARG(subject));
    here.aimed_at = here.aimed_at || strstr(aim, word.p);
    text_add(&here.words, word);
}

/* One write with O_APPEND: several processes may die into one file. */
static void record(const char *name)
{
    const char *path = getenv("IDSCOPE_KILL_LOG");
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    struct arena *a = arena_new();
    struct str line = arena_printf(a, "%s%s\n", name, here.arena ? text_str(&here.words).p : "");
    ssize_t written = write(fd, line.p, line.n);
    (void)written;
    close(fd);
    arena_free(a);
}

void killpoint_hit(const char *name)
{
    const char *wanted = getenv("IDSCOPE_KILL_POINT");
    bool aimed = here.aimed_at || !getenv("IDSCOPE_KILL_AIM");
    if (wanted && strcmp(wanted, name) == 0 && aimed && is_due()) {
        record(name);
        const char *signal_name = getenv("IDSCOPE_KILL_SIGNAL");
        raise(signal_name && strcmp(signal_name, "STOP") == 0 ? SIGSTOP : SIGKILL);
    }
    forget();
}

#endif
