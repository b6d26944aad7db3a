/* sealed.h: sealed values by their columns, of all tables, for whoever seals them anew under another key
 * (db/sql/sealed.sql). Used by idscope-admin alone. Nothing here opens a value. */
#ifndef IDSCOPE_DB_SEALED_H
#define IDSCOPE_DB_SEALED_H

#include "db/db.h"

/* A column with sealed values, and how those begin that need nothing done (core/seal.h, seal_head). */
struct db_sealed_column {
    struct str tab, col;
    struct bytes head;
};
/* Every one that there is; heads are NULL. */
err_t db_sealed_columns(struct db *db, struct arena *a, struct db_sealed_column **ret, size_t *ret_count);

struct db_sealed {
    struct str place;                   /* which row, for these calls alone */
    struct str kind, owner, name, part; /* what it is sealed for: the parts of seal_row */
    struct bytes sealed;
    struct bytes fresh; /* what is to stand there instead */
};
/* A page of values that begin otherwise, in the order of their rows, behind the place `after` (absent: the first): the
 * page looks at no more than some ten thousand rows, and its last one says how far, with or without a value. None: that
 * was all. */
err_t db_sealed_page(struct db *db, struct arena *a, const struct db_sealed_column *of, struct str after,
                     int64_t at_most, struct db_sealed **ret, size_t *ret_count);
/* Where `sealed` stands still and nobody writes the row just now, `fresh` comes in its place; *ret_written says how
 * often. May be repeated. */
err_t db_sealed_write(struct db *db, struct arena *a, const struct db_sealed_column *of, const struct db_sealed *at,
                      size_t count, int64_t *ret_written);

/* Have all transactions ended that were writing when the mark was taken? */
err_t db_sealed_mark(struct db *db, struct arena *a, int64_t *ret_mark);
err_t db_sealed_settled(struct db *db, struct arena *a, int64_t mark, bool *ret);

/* The event: so many values were sealed anew under the key of this id. */
err_t db_sealed_note(struct db *db, struct arena *a, int64_t key_id, int64_t count);

#endif
