/* nearest.c: which ids begin alike. It must never look at more of them than it is given. */
#include "core/nearest.h"

#include <ctype.h>

static size_t alike(struct str id, struct str key)
{
    size_t n = 0;
    while (n < id.n && n < key.n && tolower((unsigned char)id.p[n]) == key.p[n])
        n++;
    return n;
}

struct str nearest_take(struct str_list ids, struct str key)
{
    struct str best = {NULL, 0};
    for (size_t i = 0; i < ids.n; i++)
        if (alike(ids.at[i], key) > alike(best, key))
            best = ids.at[i];
    for (size_t i = 0; i < ids.n; i++)
        if (best.p && str_same_nocase(ids.at[i], best))
            ids.at[i] = (struct str){NULL, 0};
    return best;
}
