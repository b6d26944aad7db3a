/* quota.c: what may be said of bounds, and which hold. It must never count anything. */
#include "quota.h"

#include "enc.h"

const struct quota_row quota_rows[QUOTAS] = {
#define QUOTA(name, kind, wire, window_s, off, cloud, sentence) {QUOTA_##kind, STR(wire), window_s, sentence},
#include "quota.def"
#undef QUOTA
};

static const struct quotas off = {{
#define QUOTA(name, kind, wire, window_s, off, cloud, sentence) off,
#include "quota.def"
#undef QUOTA
}};
static const struct quotas cloud = {{
#define QUOTA(name, kind, wire, window_s, off, cloud, sentence) cloud,
#include "quota.def"
#undef QUOTA
}};

enum quota quota_of(struct str wire)
{
    enum quota q = 0;
    while (q < QUOTAS && !str_same_nocase(quota_rows[q].wire, wire))
        q++;
    return q;
}

void quotas_set(struct quotas *q, struct str wire, int64_t most)
{
    enum quota of = quota_of(wire);
    if (of != QUOTAS)
        q->most[of] = most;
}

static err_t read_one(struct str one, struct quotas *to, struct err_detail *d)
{
    struct str name, value = str_split(one, '=', &name);
    enum quota q = quota_of(str_trim(name));
    if (q == QUOTAS)
        return err_say(d, E(BAD_CONFIG), "limits: there is no limit %.*s.", STR_ARG(name));
    if (!dec_i64(str_trim(value), 0, QUOTA_MOST, &to->most[q]))
        return err_say(d, E(BAD_CONFIG), "limits: %.*s must be a whole number from 0 (none) to %d.", STR_ARG(name),
                       QUOTA_MOST);
    return NULL;
}

err_t quotas_read(struct str setting, struct quotas *ret, struct err_detail *d)
{
    struct str one, rest = str_split(setting, ',', &one), preset = str_trim(one);
    struct quotas q = str_same(preset, STR("cloud")) ? cloud : off;
    if (!str_same(preset, STR("cloud")) && !str_same(preset, STR("off")))
        rest = setting;
    while (rest.p) {
        rest = str_split(rest, ',', &one);
        TRY(read_one(one, &q, d));
    }
    *ret = q;
    return NULL;
}
