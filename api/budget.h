/* budget.h: how much of one thing may be held at a time: in all, and by one holder. Belongs to one thread. */
#ifndef IDSCOPE_BUDGET_H
#define IDSCOPE_BUDGET_H

#include "core/arena.h"

struct budget;

struct budget *budget_new(struct arena *a, uint64_t most, uint64_t most_of_one);
/* The share of a holder, by any text that names it. */
unsigned budget_share(const struct budget *b, struct str holder);
/* False, and nothing is taken, when that would be more than there may be. */
bool budget_take(struct budget *b, unsigned share, uint64_t amount);
void budget_give(struct budget *b, unsigned share, uint64_t amount);

#endif
