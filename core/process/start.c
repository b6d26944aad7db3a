/* start.c: goes through the table of steps, forth and back. It must never know what a step does. */
#include "core/process/start.h"

#include <errno.h>

err_t start_steps(const struct start_step *steps, size_t count, void *self, struct err_detail *d, size_t *ret_started)
{
    for (*ret_started = 0; *ret_started < count; ++*ret_started)
        TRY(steps[*ret_started].start(self, d));
    return NULL;
}

void stop_steps(const struct start_step *steps, size_t started, void *self)
{
    while (started--)
        if (steps[started].stop)
            steps[started].stop(self);
}

err_t start_error(int number)
{
    static const int passing[] = {EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EINTR,  EIO,    EMFILE,
                                  ENFILE,     ENOBUFS,       ENOMEM, ENOSPC, ESTALE, ETIMEDOUT};
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (number == passing[i])
            return E(START_FAILED);
    return E(BAD_CONFIG);
}
