/* unit.h: what the unit tests share: an arena for each test, and assertions on texts and errors. It must hold no test.
 */
#ifndef IDSCOPE_UNIT_H
#define IDSCOPE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/enc.h"
#include "core/err.h"

static inline int unit_up(void **state)
{
    *state = arena_new();
    return 0;
}

static inline int unit_down(void **state)
{
    arena_free(*state);
    return 0;
}

/* A test whose *state is a fresh arena. */
#define UNIT(f) cmocka_unit_test_setup_teardown(f, unit_up, unit_down)

/* The texts are equal; NULL stands for the absent text. */
static inline void unit_text(struct str got, const char *wanted, const char *file, int line)
{
    if ((!got.p && !wanted) || (got.p && wanted && str_same(got, str_of(wanted))))
        return;
    print_error("text is: %.*s\nwanted:  %s\n", STR_ARG(got), wanted ? wanted : "(absent)");
    _fail(file, line);
}
#define assert_text(got, wanted) unit_text((got), (wanted), __FILE__, __LINE__)

static inline void unit_err(err_t got, err_t wanted, const char *file, int line)
{
    if (got == wanted)
        return;
    print_error("error is: %s\nwanted:   %s\n", got ? got->name : "none", wanted ? wanted->name : "none");
    _fail(file, line);
}
#define assert_ok(call) unit_err((call), NULL, __FILE__, __LINE__)
#define assert_err(call, name) unit_err((call), E(name), __FILE__, __LINE__)

/* The detail holds the words. */
static inline void unit_says(const struct err_detail *d, const char *words, const char *file, int line)
{
    if (strstr(d->text, words))
        return;
    print_error("detail is: %s\nwanted in it: %s\n", d->text, words);
    _fail(file, line);
}
#define assert_says(d, words) unit_says(&(d), (words), __FILE__, __LINE__)

static inline struct bytes unit_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

#endif
