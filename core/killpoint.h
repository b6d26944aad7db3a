/* killpoint.h: a hook for the crash tests, absent from every build without -DIDSCOPE_KILL_POINTS.
 *
 * KILL_POINT("name") marks a place where the process may die in the worst moment. In a build with kill points the
 * process kills itself there (SIGKILL) when the environment variable IDSCOPE_KILL_POINT equals the name, once in
 * IDSCOPE_KILL_ONE_IN hits on average (default: every hit). Before it dies it appends the name and a newline to the
 * file IDSCOPE_KILL_LOG, so that a test can count the hits.
 *
 * KILL_STANDS(id_scope, subject) says before, on the same thread, whose work stands at the next point: the line of the
 * log goes on with " SCOPE/SUBJECT" for each. With IDSCOPE_KILL_AIM, such words between blanks, the process dies only
 * where one of them stands. KILL_POINT_OF is a point at which one stands alone. */
#ifndef IDSCOPE_KILLPOINT_H
#define IDSCOPE_KILLPOINT_H

#include "arena.h"

#ifdef IDSCOPE_KILL_POINTS
void killpoint_hit(const char *name);
void killpoint_stands(struct str id_scope, struct str subject);
#define KILL_POINT(name) killpoint_hit(name)
#define KILL_STANDS(id_scope, subject) killpoint_stands(id_scope, subject)
#else
#define KILL_POINT(name) ((void)0)
#define KILL_STANDS(id_scope, subject) ((void)(id_scope), (void)(subject))
#endif

#define KILL_POINT_OF(name, id_scope, subject)                                                                         \
    do {                                                                                                               \
        KILL_STANDS(id_scope, subject);                                                                                \
        KILL_POINT(name);                                                                                              \
    } while (0)

#endif
