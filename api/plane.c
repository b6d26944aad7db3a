/* plane.c: the table of planes, made from planes.def, and the questions that are asked of it. It must never hold a rule
 * of one plane: that is a column. */
#include "api/plane.h"

#include "api/reply.h"

enum { NAME = SEGMENT_COUNT };

#define ON(host) (1U << ID_PLANE_##host)
#define PLANE(name_, word_, hosts_, lanes_, holder_, shape_, headers_, media_)                                         \
    [PLANE_##name_] = {.word = word_,                                                                                  \
                       .hosts = hosts_,                                                                                \
                       .lanes = lanes_,                                                                                \
                       .holder = (enum segment)holder_,                                                                \
                       .error = reply_##shape_,                                                                        \
                       .headers = reply_##headers_,                                                                    \
                       .media_type = media_},
const struct plane_row planes[PLANE_COUNT] = {
#include "api/planes.def"
};
#undef PLANE
#undef ON

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

struct str plane_holder(const struct call *r)
{
    enum segment holder = planes[r->plane].holder;
    struct str named = holder == SEGMENT_COUNT ? r->name : arena_lower(r->arena, r->segments[holder]);
    return named.n ? named : r->presented.address;
}
