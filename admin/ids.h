/* ids.h: a set of registration ids or ids of groups, which are the same in upper and lower case. Zeros are an empty
 * one. */
#ifndef IDSCOPE_ADMIN_IDS_H
#define IDSCOPE_ADMIN_IDS_H

#include <stdbool.h>

#include "core/arena.h"

struct ids {
    struct str *at;
    size_t count, room;
    bool sorted;
};

/* Copied into `a`, which must be the same for all of a set. */
void ids_add(struct arena *a, struct ids *ids, struct str id);
bool ids_have(struct ids *ids, struct str id);

#endif
