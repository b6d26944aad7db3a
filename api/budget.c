/* budget.c: a bound on what is held in all and by one holder. Holders are told apart by a keyed hash over a fixed
 * number of shares: there is nothing to allocate, to sweep or to fill up. Two that fall together have one share between
 * them; the key keeps that from being arranged. */
#include "api/budget.h"

#include <assert.h>

#include "core/crypt.h"

enum { SHARES = 4096 };

struct budget {
    uint64_t most, most_of_one, held, key;
    uint64_t shares[SHARES];
};

struct budget *budget_new(struct arena *a, uint64_t most, uint64_t most_of_one)
{
    struct budget *b = ARENA_NEW(a, struct budget);
    *b = (struct budget){.most = most, .most_of_one = most_of_one};
    crypt_random(&b->key, sizeof b->key);
    return b;
}

unsigned budget_share(const struct budget *b, struct str holder)
{
    return (unsigned)(str_hash(holder, b->key) % SHARES);
}

bool budget_take(struct budget *b, unsigned share, uint64_t amount)
{
    uint64_t mine = b->shares[share];
    if (amount > b->most - b->held || mine > b->most_of_one || amount > b->most_of_one - mine)
        return false;
    b->held += amount;
    b->shares[share] += amount;
    return true;
}

void budget_give(struct budget *b, unsigned share, uint64_t amount)
{
    assert(amount <= b->shares[share] && amount <= b->held);
    b->held -= amount;
    b->shares[share] -= amount;
}
