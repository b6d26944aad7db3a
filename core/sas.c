/* sas.c: shared access signatures: reading, checking and making them. It must never compare a re-encoded resource: what
 * was signed is what was sent. */
#include "sas.h"

#include <inttypes.h>
#include <string.h>

#include "id.h"

static const struct str SCHEME = {"SharedAccessSignature ", 22};

/* The members as sent. */
struct members {
    struct str sr, sig, se, skn;
};

static err_t refuse(struct err_detail *d, const char *why)
{
    return err_say(d, E(UNAUTHORIZED), "%s", why);
}

static err_t take_member(struct str part, struct members *to, struct err_detail *d)
{
    const struct {
        struct str name;
        struct str *value;
    } known[] = {{STR("sr"), &to->sr}, {STR("sig"), &to->sig}, {STR("se"), &to->se}, {STR("skn"), &to->skn}};
    struct str name, value = str_split(part, '=', &name);
    if (!value.p)
        return refuse(d, "a member of the SAS token is not name=value");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_same_nocase(name, known[i].name))
            continue;
        if (known[i].value->p)
            return refuse(d, "a member of the SAS token stands twice");
        *known[i].value = value;
    }
    return NULL;
}

static err_t split_members(struct str header, struct members *ret, struct err_detail *d)
{
    struct str scheme = {header.p, SCHEME.n}, rest;
    if (header.n > SAS_TOKEN_MAX)
        return refuse(d, "the SAS token is too long");
    if (header.n < SCHEME.n || !str_same_nocase(scheme, SCHEME))
        return refuse(d, "the Authorization header is no SharedAccessSignature");
    rest = str_trim((struct str){header.p + SCHEME.n, header.n - SCHEME.n});
    while (rest.p) {
        struct str part;
        rest = str_split(rest, '&', &part);
        TRY(take_member(part, ret, d));
    }
    if (!ret->sr.n || !ret->sig.n || !ret->se.n)
        return refuse(d, "sr, sig or se is missing in the SAS token");
    return NULL;
}

/* Seconds; a fraction is allowed and cut. */
static bool read_expiry(struct str se, int64_t *ret)
{
    struct str whole, fraction = str_split(se, '.', &whole);
    int64_t ignored;
    if (fraction.p && !dec_i64((struct str){fraction.p, fraction.n > 18 ? 18 : fraction.n}, 0, INT64_MAX, &ignored))
        return false;
    return dec_i64(whole, 0, INT64_MAX, ret);
}

static bool read_signature(struct arena *a, struct str sig, struct sha256 *ret)
{
    struct str text;
    struct bytes bytes;
    if (!dec_percent(a, sig, false, &text) || !dec_base64(a, text, &bytes) || bytes.n != sizeof ret->b)
        return false;
    memcpy(ret->b, bytes.p, sizeof ret->b);
    return true;
}

err_t sas_parse(struct arena *a, struct str header, struct err_detail *d, struct sas *ret)
{
    struct members m = {0};
    struct sas s = {0};
    TRY(split_members(header, &m, d));
    if (!dec_percent(a, m.sr, false, &s.resource))
        return refuse(d, "sr of the SAS token is not percent-encoded text");
    if (m.skn.n && !dec_percent(a, m.skn, false, &s.key_name))
        return refuse(d, "skn of the SAS token is not percent-encoded text");
    if (!read_signature(a, m.sig, &s.signature))
        return refuse(d, "sig of the SAS token is not base64 of 32 bytes");
    if (!read_expiry(m.se, &s.expiry_s))
        return refuse(d, "se of the SAS token is no time in seconds");
    while (s.resource.n && s.resource.p[s.resource.n - 1] == '/')
        s.resource.n--;
    s.resource_raw = arena_str(a, m.sr);
    s.expiry_raw = arena_str(a, m.se);
    *ret = s;
    return NULL;
}

bool sas_signed_with(const struct sas *s, struct bytes key)
{
    char signed_text[SAS_TOKEN_MAX + 1];
    size_t n = s->resource_raw.n + 1 + s->expiry_raw.n;
    if (!key.n || n > sizeof signed_text)
        return false;
    memcpy(signed_text, s->resource_raw.p, s->resource_raw.n);
    signed_text[s->resource_raw.n] = '\n';
    memcpy(signed_text + s->resource_raw.n + 1, s->expiry_raw.p, s->expiry_raw.n);
    struct sha256 right = crypt_hmac_sha256(key, (struct bytes){(const uint8_t *)signed_text, n});
    return crypt_same(sha256_bytes(&right), sha256_bytes(&s->signature));
}

bool sas_alive(const struct sas *s, int64_t now_us)
{
    return now_us / 1000000 - s->expiry_s <= SAS_SKEW_S;
}

/* Cuts the first segment off *rest. */
static struct str next_segment(struct str *rest)
{
    struct str segment;
    *rest = str_split(*rest, '/', &segment);
    return segment;
}

bool sas_covers(const struct sas *s, struct str audience)
{
    struct str mine = s->resource, theirs = audience;
    if (!mine.n || !theirs.n ||
        !str_same_nocase(id_host_without_port(next_segment(&mine)), id_host_without_port(next_segment(&theirs))))
        return false;
    while (mine.p) {
        if (!theirs.p || !str_same_nocase(next_segment(&mine), next_segment(&theirs)))
            return false;
    }
    return true;
}

struct str sas_make(struct arena *a, struct str resource, struct str key_name, struct bytes key, int64_t expiry_s)
{
    struct str sr = enc_percent(a, resource);
    struct str text = arena_printf(a, "%s\n%" PRId64, sr.p, expiry_s);
    struct sha256 sig = crypt_hmac_sha256(key, str_bytes(text));
    struct str sig_text = enc_percent(a, enc_base64(a, sha256_bytes(&sig)));
    struct text t;
    text_init(&t, a, 256);
    text_printf(&t, "SharedAccessSignature sr=%s&sig=%s&se=%" PRId64, sr.p, sig_text.p, expiry_s);
    if (key_name.p)
        text_printf(&t, "&skn=%s", enc_percent(a, key_name).p);
    return text_str(&t);
}
