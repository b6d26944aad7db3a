/* quota.h: the rows of quota.def, and the bounds that hold for somebody: those of the deployment's setting `limits`,
 * but where the tenant has its own, but where the instance has its own. Pure. */
#ifndef IDSCOPE_QUOTA_H
#define IDSCOPE_QUOTA_H

#include "err.h"
#include "arena.h"

enum quota_kind { QUOTA_COUNT, QUOTA_RATE, QUOTA_RATE_EACH };
enum quota {
#define QUOTA(name, kind, wire, window_s, off, cloud, sentence) QUOTA_OF_##name,
#include "quota.def"
#undef QUOTA
    QUOTAS
};
enum { QUOTA_MOST = 1000000000 };

struct quota_row {
    enum quota_kind kind;
    struct str wire;
    int64_t window_s;
    const char *sentence;
};
extern const struct quota_row quota_rows[QUOTAS];

struct quotas {
    int64_t most[QUOTAS]; /* 0: as many, or as often, as one likes */
};

/* By its word, in any case; QUOTAS: there is none of it. */
enum quota quota_of(struct str wire);
/* A name of no row is left. */
void quotas_set(struct quotas *q, struct str wire, int64_t most);
/* The setting: a preset, off or cloud, then rows that differ from it, all divided by commas: `cloud,enrollments=500`.
 * Without a preset: off. BAD_CONFIG names what cannot be read. */
err_t quotas_read(struct str setting, struct quotas *ret, struct err_detail *d);

#endif
