/* privileges.c: gives up root. It must never go on half-way: who may not become the user does not run at all. */
#include "core/process/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/crypt.h"
#include "core/process/start.h"

enum { ENTRY_MAX = 16384 };

struct identity {
    const char *name;
    uid_t uid;
    gid_t gid;
    bool has_account;
};

static err_t find_account(struct arena *a, struct identity *to, struct err_detail *d)
{
    struct passwd entry, *found;
    int failure = getpwnam_r(to->name, &entry, arena_alloc(a, ENTRY_MAX), ENTRY_MAX, &found);
    if (failure)
        return err_say(d, start_error(failure), "run_as: the user %s cannot be looked up: %s.", to->name,
                       strerror(failure));
    if (!found)
        return err_say(d, E(BAD_CONFIG), "run_as: there is no user %s.", to->name);
    *to = (struct identity){to->name, found->pw_uid, found->pw_gid, true};
    return NULL;
}

static err_t find_user(struct arena *a, struct str user, struct identity *to, struct err_detail *d)
{
    int64_t number;
    *to = (struct identity){.name = arena_str(a, user).p};
    if (!dec_i64(user, 0, UINT32_MAX - 1, &number))
        TRY(find_account(a, to, d));
    else
        *to = (struct identity){to->name, (uid_t)number, (gid_t)number, false};
    return to->uid ? NULL : err_say(d, E(BAD_CONFIG), "run_as must name a user other than root.");
}

/* LeakSanitizer looks at the process from beside, which the kernel forbids for one that was root: builds with it, which
 * are for tests, allow it. */
static void let_sanitizer_look(void)
{
#ifdef __SANITIZE_ADDRESS__
    (void)prctl(PR_SET_DUMPABLE, 1);
#endif
}

static bool set_identity(const struct identity *user)
{
    return !(user->has_account ? initgroups(user->name, user->gid) : setgroups(0, NULL)) &&
           !setresgid(user->gid, user->gid, user->gid) && !setresuid(user->uid, user->uid, user->uid);
}

static err_t become(const struct identity *user, struct err_detail *d)
{
    if (geteuid() != 0)
        return err_say(d, E(BAD_CONFIG), "run_as: only root may become the user %s.", user->name);
    if (!set_identity(user))
        return err_say(d, start_error(errno), "run_as: this process may not become the user %s: %s.", user->name,
                       strerror(errno));
    crypt_must(setuid(0) != 0 && geteuid() == user->uid, "giving up root");
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    let_sanitizer_look();
    return NULL;
}

err_t privileges_drop(struct str user, struct err_detail *d)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    struct identity wanted;
    if (!user.n)
        return NULL;
    TRY(find_user(a, user, &wanted, d));
    bool already = getuid() == wanted.uid && geteuid() == wanted.uid;
    return already ? NULL : become(&wanted, d);
}
