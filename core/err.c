/* err.c: the rows of errors.def, and the sentence of one occurrence. It must never allocate or print. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>

#define ERR(name, http, code, arm, hub, sentence)                                                                      \
    const struct err E_##name##_ROW = {#name, http, code, arm, hub, sentence};
#include "errors.def"
#undef ERR

err_t err_say(struct err_detail *d, err_t e, const char *format, ...)
{
    if (!d)
        return e;
    va_list args;
    va_start(args, format);
    vsnprintf(d->text, sizeof d->text, format, args);
    va_end(args);
    return e;
}
