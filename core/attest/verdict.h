/* verdict.h: what attest_nearest said of a device is remembered for a moment, since a device that registers polls soon
 * with the same certificate. Pure but for the cache. */
#ifndef IDSCOPE_VERDICT_H
#define IDSCOPE_VERDICT_H

#include "core/attest/attest.h"
#include "core/cache.h"

/* How many are remembered, and for how long. */
enum { VERDICTS_MOST = 2000, VERDICT_IS_GOOD_S = 30 };

/* attest_nearest, which is asked when nobody asked it the same within that time: the same device of the same instance,
 * with the same certificates, against rows and CA certificates that are byte for byte the same. Refusals are not
 * remembered, nor that a device is good beyond the end of one of its certificates. */
err_t verdict_nearest(struct cache *verdicts, struct arena *a, const struct attest_row *rows, size_t count,
                      const struct attest_claim *claim, struct err_detail *d, struct err_detail *ret_reasons,
                      size_t *ret);

#endif
