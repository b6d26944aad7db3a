/* killpoint.h: a hook for the crash tests, absent from every build without -DIDSCOPE_KILL_POINTS.
 *
 * KILL_POINT("name") marks a place where the process may die in the worst moment. In a build with kill points the
 * process kills itself there (SIGKILL) when the environment variable IDSCOPE_KILL_POINT equals the name, once in
 * IDSCOPE_KILL_ONE_IN hits on average (default: every hit). Before it dies it appends the name and a newline to the
 * file IDSCOPE_KILL_LOG, so that a test can count the hits. */
#ifndef IDSCOPE_KILLPOINT_H
#define IDSCOPE_KILLPOINT_H

#ifdef IDSCOPE_KILL_POINTS
void killpoint_hit(const char *name);
#define KILL_POINT(name) killpoint_hit(name)
#else
#define KILL_POINT(name) ((void)0)
#endif

#endif
