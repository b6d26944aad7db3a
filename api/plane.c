/* plane.c: the table of planes, made from planes.def, and the questions that are asked of it. It must never hold a rule
 * of one plane: that is a column. */
#include "api/plane.h"

#include "api/reply.h"

#define NAME SEGMENT_COUNT

#define ON(host) (1U << ID_PLANE_##host)
#define PLANE(name, ...) [PLANE_##name] = {__VA_ARGS__},
const struct plane_row planes[PLANE_COUNT] = {
#include "api/planes.def"
};
#undef PLANE
#undef ON
#undef NAME

bool plane_on(enum plane plane, enum id_plane host)
{
    return planes[plane].hosts & 1U << host;
}

enum plane plane_of_host(enum id_plane host)
{
    enum plane first = 0;
    while (first < PLANE_COUNT - 1 && !plane_on(first, host))
        first++;
    return first;
}

bool plane_audience(const struct call *r, enum plane plane, struct str host)
{
    bool ours =
        str_same_nocase(host, id_management_host(r->arena, r->cfg->domain)) || str_same_nocase(host, STR("localhost"));
    for (const char *const *name = planes[plane].audiences; !ours && *name; name++)
        ours = str_same_nocase(host, str_of(*name));
    return ours;
}

struct str plane_holder(const struct call *r)
{
    enum segment holder = planes[r->plane].holder;
    struct str named = holder == SEGMENT_COUNT ? r->name : arena_lower(r->arena, r->segments[holder]);
    return named.n ? named : r->presented.address;
}
