/* transfer.h: lists that come and go as a whole (NDJSON): a row of transfer_kind.c for each, and import.c and export.c
 * serve them all. */
#ifndef IDSCOPE_TRANSFER_H
#define IDSCOPE_TRANSFER_H

#include "api/op/enrollment.h"
#include "core/rows.h"
#include "db/import.h"

/* Where an export stands: behind a key. */
struct export_place {
    char key[128 + 1];
};

struct transfer_kind {
    int kind;                                  /* enum import_kind */
    const struct enrollment_kind *enrollments; /* of lists of these */
    const char *id;                            /* the member that names a row */
    const char *path;                          /* of the list */
    /* One row, checked as a single write is, and made what is staged; what is wrong with it, in r->detail. */
    err_t (*read)(struct call *r, const struct transfer_kind *kind, struct json_in in, struct import_row *ret);
    /* The next rows behind the place, as lines; *ret_more: there may be others. */
    err_t (*write)(struct call *r, const struct transfer_kind *kind, struct arena *a, struct export_place *at,
                   struct text *out, bool *ret_more);
};

/* The operations, for any kind. */
err_t transfer_import(struct call *r, const struct transfer_kind *kind);
err_t transfer_import_get(struct call *r, const struct transfer_kind *kind);
err_t transfer_import_cancel(struct call *r, const struct transfer_kind *kind);
err_t transfer_export(struct call *r, const struct transfer_kind *kind);

#endif
