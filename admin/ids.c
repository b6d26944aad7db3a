/* ids.c: an array that is put in order when it is asked and has grown since. It must never forget one. */
#include "admin/ids.h"

#include <stdlib.h>

enum { FIRST_ROOM = 1024 };

void ids_add(struct arena *a, struct ids *ids, struct str id)
{
    if (ids->count == ids->room) {
        size_t room = ids->room ? ids->room * 2 : FIRST_ROOM;
        struct str *more = ARENA_NEW_ARRAY(a, room, struct str);
        for (size_t i = 0; i < ids->count; i++)
            more[i] = ids->at[i];
        ids->at = more;
        ids->room = room;
    }
    ids->at[ids->count++] = arena_lower(a, id);
    ids->sorted = false;
}

static int compare(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

bool ids_have(struct ids *ids, struct str id)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    struct str key = arena_lower(a, id);
    if (!ids->count)
        return false;
    if (!ids->sorted)
        qsort(ids->at, ids->count, sizeof *ids->at, compare);
    ids->sorted = true;
    return bsearch(&key, ids->at, ids->count, sizeof *ids->at, compare) != NULL;
}
