/* rows.h: lists that come as lines of JSON (NDJSON): their lines, as pieces of the list come in, and the rows that no
 * other file reads. Pure. */
#ifndef IDSCOPE_ROWS_H
#define IDSCOPE_ROWS_H

#include "core/model.h"

enum { ROW_BYTES_MAX = 96 * 1024 };

/* Where the reading of a list stands. */
struct rows {
    struct str rest; /* what came and was not read: set by who has the next piece, which begins with this */
    bool last;       /* nothing comes behind it */
    int64_t line;    /* of the row that was given last, from 1 */
    bool skips;      /* to the end of a line that is too long to be held */
};

/* The next line that is not blank, without the white space around it; p NULL: it is longer than a row may be. False:
 * no more of them is whole. */
bool rows_next(struct rows *r, struct str *ret);

/* The member that names a row, whatever else is wrong with it; absent: there is none. At most as long as an id. */
struct str rows_id(struct arena *a, const json_t *row, const char *member);

/* A registration as it is exported and imported: of a device that has a hub. BAD_FIELD, and `d` names the member. */
err_t rows_read_registration(struct arena *a, struct json_in in, struct err_detail *d, struct registration_state *ret);

#endif
