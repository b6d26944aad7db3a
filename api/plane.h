/* plane.h: what differs between the planes, as data: the rows of planes.def. */
#ifndef IDSCOPE_PLANE_H
#define IDSCOPE_PLANE_H

#include "api/call.h"

/* How a reply gets a header; `context` is the door's. */
typedef void (*plane_header_fn)(void *context, const char *name, struct str value);

enum { PLANE_AUDIENCES_MAX = 3 };

/* What planes.def says of its fields holds for these. */
struct plane_row {
    const char *word;
    unsigned hosts;           /* one bit for each enum id_plane */
    const char *scoped_paths; /* NULL: none */
    enum lane_class lanes;
    enum segment holder;                        /* SEGMENT_COUNT: the name in the host */
    const char *audiences[PLANE_AUDIENCES_MAX]; /* the last one is NULL */
    bool own_audience;
    /* Writes the body for an error and adds the headers that go with it. */
    void (*error)(struct call *r, err_t shown, struct str sentence, struct text *body);
    void (*headers)(struct call *r, plane_header_fn add, void *context);
    const char *media_type;
};

extern const struct plane_row planes[PLANE_COUNT];

/* Is the plane served on such a host? */
bool plane_on(enum plane plane, enum id_plane host);
/* The plane in whose shape such a host says that there is nothing. */
enum plane plane_of_host(enum id_plane host);
/* Is this host, without regard to the plane's own, one that tokens for the plane may be for? A name of ours it is on
 * every plane, by whatever name the caller reached us. */
bool plane_audience(const struct call *r, enum plane plane, struct str host);
/* Whose place in a queue the call takes, before its credential has been looked at. */
struct str plane_holder(const struct call *r);

#endif
