/* tpm_public.c: reads public areas (TPM 2.0 library, part 2: TPM2B_PUBLIC, TPMT_PUBLIC, TPMS_RSA_PARMS), which come
 * from strangers. It must never read behind their end, nor let anything pass that it does not know. */
#include "core/attest/tpm_public.h"

#include "core/attest/tpm_numbers.h"

enum { DEFAULT_EXPONENT = 65537 };

/* What is left to read. Behind the end there are zeros, and `whole` is false. */
struct reader {
    struct bytes rest;
    bool whole;
};

static struct bytes take(struct reader *r, size_t n)
{
    if (n > r->rest.n) {
        *r = (struct reader){{r->rest.p, 0}, false};
        return (struct bytes){NULL, 0};
    }
    struct bytes taken = {r->rest.p, n};
    r->rest = (struct bytes){r->rest.p + n, r->rest.n - n};
    return taken;
}

static uint32_t take_number(struct reader *r, size_t bytes)
{
    struct bytes from = take(r, bytes);
    uint32_t n = 0;
    for (size_t i = 0; i < from.n; i++)
        n = n << 8 | from.p[i];
    return n;
}

static uint32_t take_u16(struct reader *r)
{
    return take_number(r, 2);
}

static struct bytes take_sized(struct reader *r)
{
    return take(r, take_u16(r));
}

/* Without the length in front that a TPM2B_PUBLIC has. */
static struct bytes area_of(struct bytes in)
{
    struct reader r = {in, true};
    size_t n = take_u16(&r);
    return r.whole && n == r.rest.n ? r.rest : in;
}

static const char *check_head(struct reader *r)
{
    if (take_u16(r) != TPM_ALG_RSA)
        return "it is not the public area of an RSA key";
    if (take_u16(r) != TPM_ALG_SHA256)
        return "its name algorithm is not SHA-256";
    uint32_t attributes = take_number(r, 4);
    if ((attributes & (TPM_RESTRICTED | TPM_DECRYPT | TPM_SIGN)) != (TPM_RESTRICTED | TPM_DECRYPT))
        return "it is not a storage key (restricted, decrypt and not sign)";
    size_t policy = take_sized(r).n;
    return policy == 0 || policy == SHA256_BYTES ? NULL : "its policy is no SHA-256";
}

static const char *check_parameters(struct reader *r)
{
    uint32_t cipher = take_u16(r), bits = take_u16(r), mode = take_u16(r);
    if (cipher != TPM_ALG_AES || bits != 8 * AES128_BYTES || mode != TPM_ALG_CFB)
        return "its symmetric algorithm is not AES-128-CFB";
    if (take_u16(r) != TPM_ALG_NULL)
        return "it has a scheme, which storage keys have not";
    if (take_u16(r) != 8 * RSA2048_BYTES)
        return "it has not 2048 bits";
    uint32_t exponent = take_number(r, 4);
    return exponent == 0 || exponent == DEFAULT_EXPONENT ? NULL : "its exponent is not 65537";
}

static const char *check_modulus(struct bytes n)
{
    bool whole = n.n == RSA2048_BYTES && n.p[0] & 0x80 && n.p[RSA2048_BYTES - 1] & 1;
    return whole ? NULL : "its modulus is no odd number of 2048 bits";
}

const char *tpm_public_parse(struct bytes in, struct tpm_public *ret)
{
    struct tpm_public found = {.area = area_of(in)};
    struct reader r = {found.area, true};
    const char *wrong = check_head(&r);
    if (!wrong)
        wrong = check_parameters(&r);
    if (!wrong)
        found.modulus = take_sized(&r);
    if (!r.whole)
        return "it is cut short";
    if (!wrong)
        wrong = check_modulus(found.modulus);
    if (!wrong && r.rest.n)
        wrong = "there are bytes behind it";
    if (!wrong)
        *ret = found;
    return wrong;
}

err_t tpm_public_read(struct arena *a, struct str base64, const char *member, struct err_detail *d,
                      struct tpm_public *ret)
{
    struct bytes in;
    if (!dec_base64(a, base64, &in))
        return err_say(d, E(BAD_FIELD), "%s must be base64 of a TPM2B_PUBLIC.", member);
    const char *wrong = tpm_public_parse(in, ret);
    return wrong ? err_say(d, E(BAD_FIELD), "%s must be a TPM2B_PUBLIC with a storage key of RSA-2048: %s.", member,
                           wrong)
                 : NULL;
}
