/* privileges.h: a program that was started as root gives that up once it has opened what needs it. */
#ifndef IDSCOPE_PRIVILEGES_H
#define IDSCOPE_PRIVILEGES_H

#include "core/arena.h"
#include "core/err.h"

/* Becomes `user` for good: groups, group, user, in all threads. A name is that of an account; a number is user and
 * group in one and needs no account. An empty name changes nothing, and so does that of the user that we are.
 * BAD_CONFIG when there is no such user, when it is root, or when we are not root. */
err_t privileges_drop(struct str user, struct err_detail *d);

#endif
