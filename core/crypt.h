/* crypt.h: the few primitives that the service uses, all from OpenSSL 3. No keys are kept here. */
#ifndef IDSCOPE_CRYPT_H
#define IDSCOPE_CRYPT_H

#include "enc.h"
#include "err.h"

enum { SHA256_BYTES = 32, DEVICE_KEY_BYTES = 64, POLICY_KEY_BYTES = 32, AES128_BYTES = 16, RSA2048_BYTES = 256 };

struct sha256 {
    uint8_t b[SHA256_BYTES];
};
static inline struct bytes sha256_bytes(const struct sha256 *hash)
{
    return (struct bytes){hash->b, sizeof hash->b};
}

struct sha256 crypt_sha256(struct bytes in);
struct sha256 crypt_hmac_sha256(struct bytes key, struct bytes message);
/* AES-128 in CFB mode, its IV zeros: for keys that are used once. */
struct bytes crypt_aes128_cfb(struct arena *a, const uint8_t key[static AES128_BYTES], struct bytes in);
/* RSA-OAEP with SHA-256 throughout, exponent 65537. False: the modulus is not one that this can be done with. */
bool crypt_rsa_oaep(struct arena *a, struct bytes modulus, struct bytes label, struct bytes in, struct bytes *ret);
bool crypt_same(struct bytes a, struct bytes b);                /* constant time for equal lengths */
void crypt_random(void *to, size_t n);                          /* ends the program when the generator fails */
struct uuid crypt_uuid4(void);                                  /* RFC 4122 version 4 */
void crypt_uuid4s(struct uuid *to, size_t n);                   /* many, at little more than the price of one */
void crypt_give_up(const char *what) __attribute__((noreturn)); /* ends the program */
/* Ends the program unless `done`: for calls that cannot fail on a sound machine and whose failure must never pass for a
 * result. */
static inline void crypt_must(bool done, const char *what)
{
    if (!done)
        crypt_give_up(what);
}
void crypt_wipe(void *p, size_t n);
/* A new key as clients see it: base64 of `n` random bytes. */
struct str crypt_new_key(struct arena *a, size_t n);

#endif
