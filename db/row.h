/* row.h: reading results. Values are binary on the wire; every reader names the type that it expects by its name.
 * Columns are numbered in the order of the statement's select list. Texts and bytes are copied to the arena unless the
 * name says `view` (valid until rows_free). */
#ifndef IDSCOPE_ROW_H
#define IDSCOPE_ROW_H

#include "db/db.h"

bool row_null(const struct rows *r, size_t row, int column);
struct str row_text(const struct rows *r, size_t row, int column, struct arena *a); /* text, json; NULL is absent */
struct str row_view(const struct rows *r, size_t row, int column);                  /* text only */
struct bytes row_bytea(const struct rows *r, size_t row, int column, struct arena *a);
bool row_bool(const struct rows *r, size_t row, int column);   /* NULL is false */
int64_t row_i64(const struct rows *r, size_t row, int column); /* int2, int4, int8; NULL is 0 */
int64_t row_time(const struct rows *r, size_t row,
                 int column); /* timestamptz in µs since 1970; NULL is 0; infinity is INT64_MAX */
struct uuid row_uuid(const struct rows *r, size_t row, int column); /* NULL is all zeros */
size_t row_text_array(const struct rows *r, size_t row, int column, struct arena *a,
                      struct str **ret); /* NULL is 0 elements and *ret NULL */
size_t row_bytea_array(const struct rows *r, size_t row, int column, struct arena *a, struct bytes **ret);
size_t row_i64_array(const struct rows *r, size_t row, int column, struct arena *a,
                     int64_t **ret); /* int4[] and int8[] */

#endif
