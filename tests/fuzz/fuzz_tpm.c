/* fuzz_tpm.c: any bytes in place of a TPM's public area, as a device or an operator may send them. What is taken lies
 * within the input, is read again as the same, and can be wrapped for; what is not taken is told why. */
#include "fuzz.h"

#include "core/attest/tpm_public.h"
#include "core/attest/tpm_wrap.h"

static bool within(struct bytes part, struct bytes whole)
{
    return part.p >= whole.p && part.n <= (size_t)(whole.p + whole.n - part.p);
}

static void is_read_as_it_is(struct arena *a, const struct tpm_public *key, struct bytes in)
{
    struct tpm_public again;
    struct bytes blob;
    HOLDS(within(key->area, in) && within(key->modulus, key->area));
    HOLDS(key->modulus.n == RSA2048_BYTES);
    HOLDS(key->modulus.p + key->modulus.n == in.p + in.n);
    HOLDS(key->area.n == in.n || key->area.n + 2 == in.n);
    HOLDS(!tpm_public_parse(key->area, &again) && crypt_same(again.area, key->area));
    HOLDS(tpm_wrap(a, key, key, (struct bytes){in.p, TPM_KEY_BYTES}, &blob) && blob.n < 1024);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct bytes in = {data, size};
    struct tpm_public key, read;
    struct err_detail d = {""};
    const char *wrong = tpm_public_parse(in, &key);
    err_t e = tpm_public_read(a, enc_base64(a, in), "key", &d, &read);
    HOLDS(!wrong == !e);
    HOLDS(!wrong || *d.text);
    if (!wrong)
        is_read_as_it_is(a, &key, in);
    return 0;
}
