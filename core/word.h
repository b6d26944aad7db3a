/* word.h: words of the contract ↔ enumerations. The lists themselves stand in model.c. What it takes from the database
 * must be spelt as its list spells it; clients may spell in any case. */
#ifndef IDSCOPE_WORD_H
#define IDSCOPE_WORD_H

#include "arena.h"

/* The number of a word in its NULL-terminated list, the first is 1; 0 when it is absent or not in the list. */
static inline int word_number(const char *const *words, struct str word)
{
    for (int i = 0; word.p && words[i]; i++)
        if (str_same(word, str_of(words[i])))
            return i + 1;
    return 0;
}

static inline int word_number_nocase(const char *const *words, struct str word)
{
    for (int i = 0; word.p && words[i]; i++)
        if (str_same_nocase(word, str_of(words[i])))
            return i + 1;
    return 0;
}

/* "a, b, c" */
static inline struct str word_list(struct arena *a, const char *const *words)
{
    struct text t;
    text_init(&t, a, 128);
    for (int i = 0; words[i]; i++)
        text_printf(&t, "%s%s", i ? ", " : "", words[i]);
    return text_str(&t);
}

/* The word of a number; absent for 0. */
static inline struct str word_text(const char *const *words, int number)
{
    return number > 0 ? str_of(words[number - 1]) : (struct str){NULL, 0};
}

#endif
