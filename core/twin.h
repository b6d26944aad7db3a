/* twin.h: the collections of a device's twin (tags, desired properties) as JSON objects: which are good, and what a
 * change makes of one (wire.md 7.5). Pure. */
#ifndef IDSCOPE_TWIN_H
#define IDSCOPE_TWIN_H

#include "arena.h"
#include "err.h"

enum { TWIN_BYTES_MAX = 65536 }; /* of a collection */

/* The collection `base` (absent: an empty one), changed by `patch` (absent: not changed): a null takes its member
 * away, an object is merged member by member, all else takes the place of what was there. Numbers stay as they were
 * written. What a hub adds when it shows a collection ($metadata, $version) is left out. BAD_FIELD names the member,
 * within `name`. */
err_t twin_merge(struct arena *a, const char *name, struct str base, struct str patch, struct err_detail *d,
                 struct str *ret);

#endif
