/* nearest.h: which of the ids that exist another one may have been meant for: those that begin like it. Pure. */
#ifndef IDSCOPE_NEAREST_H
#define IDSCOPE_NEAREST_H

#include "core/codec.h"

/* The one of the ids that begins most like the key, which is in lower case. It is taken out (absent from then on), with
 * those that are the same but for their case. Absent: none is left that begins like it. */
struct str nearest_take(struct str_list ids, struct str key);

#endif
