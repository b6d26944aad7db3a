/* crypt.c: the few primitives that the service uses, all from OpenSSL 3. It must never keep a key or go on without
 * randomness. */
#include "crypt.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

void crypt_must(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "OpenSSL failed: %s\n", what);
    abort();
}

struct sha256 crypt_sha256(struct bytes in)
{
    struct sha256 out;
    crypt_must(EVP_Digest(in.p, in.n, out.b, NULL, EVP_sha256(), NULL) == 1, "SHA-256");
    return out;
}

struct sha256 crypt_hmac_sha256(struct bytes key, struct bytes message)
{
    static const uint8_t nothing = 0; /* HMAC() takes a null key for "the last one" */
    struct sha256 out;
    crypt_must(HMAC(EVP_sha256(), key.n ? key.p : &nothing, (int)key.n, message.p, message.n, out.b, NULL),
               "HMAC-SHA256");
    return out;
}

bool crypt_same(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void crypt_random(void *to, size_t n)
{
    crypt_must(n <= INT32_MAX && RAND_bytes(to, (int)n) == 1, "random numbers");
}

struct uuid crypt_uuid4(void)
{
    struct uuid u;
    crypt_random(u.b, sizeof u.b);
    u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
    u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
    return u;
}

void crypt_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

struct str crypt_new_key(struct arena *a, size_t n)
{
    uint8_t *key = arena_alloc(a, n);
    crypt_random(key, n);
    return enc_base64(a, (struct bytes){key, n});
}
