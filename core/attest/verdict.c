/* verdict.c: verdicts on the certificates of devices that CAs vouch for, remembered. It must never remember a refusal,
 * nor give one device's verdict for another, for another instance, or behind a change of what is trusted. */
#include "core/attest/verdict.h"

struct verdict {
    size_t nearest;
    int64_t until_us;
};

static void add(struct text *t, struct bytes part)
{
    struct sha256 hash = crypt_sha256(part);
    text_add(t, bytes_str(sha256_bytes(&hash)));
}

static void add_text(struct text *t, struct str part)
{
    add(t, str_bytes(part));
}

/* Sealed bytes are others each time that something is sealed. */
static void add_rows(struct text *t, const struct attest_row *rows, size_t count)
{
    text_printf(t, "%zu ", count);
    for (size_t i = 0; i < count; i++) {
        add_text(t, rows[i].stored.key);
        add(t, rows[i].stored.sealed);
    }
}

static void add_cas(struct text *t, const struct attest_cas *cas)
{
    for (size_t i = 0; cas && i < cas->count; i++) {
        const struct attest_ca *ca = &cas->at[i];
        text_printf(t, "%d %d ", ca->is_verified, ca->crl.p != NULL);
        add_text(t, ca->name_key);
        add(t, ca->der);
        add(t, ca->crl);
    }
}

/* Of all that the verdict depends on but the time. */
static struct sha256 key_of(struct arena *a, const struct attest_row *rows, size_t count,
                            const struct attest_claim *claim)
{
    struct text t;
    text_init(&t, a, 1024);
    add_text(&t, arena_lower(a, claim->id_scope));
    add_text(&t, arena_lower(a, claim->registration_id));
    add(&t, claim->presented->leaf);
    add(&t, claim->presented->chain);
    add_rows(&t, rows, count);
    add_cas(&t, claim->cas);
    return crypt_sha256(text_bytes(&t));
}

static bool find(struct cache *verdicts, struct str key, int64_t now_us, size_t *ret)
{
    const struct verdict *known = cache_find(verdicts, key, now_us);
    bool good = known && now_us <= known->until_us;
    if (good)
        *ret = known->nearest;
    cache_release(known);
    return good;
}

static void keep(struct cache *verdicts, struct str key, int64_t now_us, struct verdict v)
{
    struct verdict *made = cache_make(verdicts, key, sizeof *made, now_us);
    *made = v;
    cache_keep(verdicts, made);
    cache_release(made);
}

err_t verdict_nearest(struct cache *verdicts, struct arena *a, const struct attest_row *rows, size_t count,
                      const struct attest_claim *claim, struct err_detail *d, struct err_detail *ret_reasons,
                      size_t *ret)
{
    const struct sha256 hash = key_of(a, rows, count, claim);
    const struct str key = bytes_str(sha256_bytes(&hash));
    struct verdict v = {.nearest = count};
    if (find(verdicts, key, claim->now_us, ret))
        return NULL;
    err_t e = attest_nearest(a, rows, count, claim, d, ret_reasons, &v.nearest, &v.until_us);
    if (!e)
        keep(verdicts, key, claim->now_us, v);
    *ret = v.nearest;
    return e;
}
