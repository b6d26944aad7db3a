/* word.h: words of the contract ↔ enumerations. The lists themselves stand in model.c. It must never take a word that
 * is not spelt as its list spells it. */
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

/* The word of a number; absent for 0. */
static inline struct str word_text(const char *const *words, int number)
{
    return number > 0 ? str_of(words[number - 1]) : (struct str){NULL, 0};
}

#endif
