/* crypt.c: the few primitives that the service uses, all from OpenSSL 3. It must never keep a key or go on without
 * randomness. */
#include "crypt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

enum { HMAC_BLOCK = 64 };

void crypt_give_up(const char *what)
{
    fprintf(stderr, "idscope: this cannot fail on a sound machine, and failed: %s\n", what);
    abort();
}

/* Fetched once for the program: a fetch per digest costs twice the digest. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypt_must(sha256 != NULL, "SHA-256");
}

static const EVP_MD *sha256_md(void)
{
    pthread_once(&sha256_once, fetch_sha256);
    return sha256;
}

struct sha256 crypt_sha256(struct bytes in)
{
    struct sha256 out;
    crypt_must(EVP_Digest(in.p, in.n, out.b, NULL, sha256_md(), NULL) == 1, "SHA-256");
    return out;
}

/* One pass of HMAC: the digest of the key XORed with `pad`, then of `rest`. */
static struct sha256 hmac_pass(EVP_MD_CTX *c, const uint8_t key[static HMAC_BLOCK], uint8_t pad, struct bytes rest)
{
    uint8_t block[HMAC_BLOCK];
    struct sha256 out = {{0}};
    for (int i = 0; i < HMAC_BLOCK; i++)
        block[i] = key[i] ^ pad;
    bool done = c && EVP_DigestInit_ex2(c, sha256_md(), NULL) == 1 && EVP_DigestUpdate(c, block, sizeof block) == 1 &&
                EVP_DigestUpdate(c, rest.p, rest.n) == 1 && EVP_DigestFinal_ex(c, out.b, NULL) == 1;
    crypt_must(done, "HMAC-SHA256");
    OPENSSL_cleanse(block, sizeof block);
    return out;
}

/* RFC 2104 over OpenSSL's digest: HMAC() fetches anew at each call, which is four times as slow, and each device that
 * registers costs two of these. */
struct sha256 crypt_hmac_sha256(struct bytes key, struct bytes message)
{
    uint8_t whole_key[HMAC_BLOCK] = {0};
    if (key.n > HMAC_BLOCK) {
        struct sha256 shorter = crypt_sha256(key);
        memcpy(whole_key, shorter.b, sizeof shorter.b);
    } else if (key.n) {
        memcpy(whole_key, key.p, key.n);
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    struct sha256 inner = hmac_pass(c, whole_key, 0x36, message);
    struct sha256 outer = hmac_pass(c, whole_key, 0x5c, sha256_bytes(&inner));
    EVP_MD_CTX_free(c);
    OPENSSL_cleanse(whole_key, sizeof whole_key);
    return outer;
}

struct bytes crypt_aes128_cfb(struct arena *a, const uint8_t key[static AES128_BYTES], struct bytes in)
{
    static const uint8_t iv[AES128_BYTES];
    uint8_t *out = arena_alloc(a, in.n);
    int n = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    crypt_must(c && in.n <= INT32_MAX && EVP_EncryptInit_ex2(c, EVP_aes_128_cfb128(), key, iv, NULL) == 1 &&
                   EVP_EncryptUpdate(c, out, &n, in.p, (int)in.n) == 1 && (size_t)n == in.n,
               "AES-128-CFB");
    EVP_CIPHER_CTX_free(c);
    return (struct bytes){out, in.n};
}

/* OpenSSL takes numbers in the machine's order of bytes. NULL when it will not have the key. */
static EVP_PKEY *rsa_public(struct arena *a, struct bytes modulus)
{
    unsigned int exponent = 65537;
    uint8_t *turned = arena_alloc(a, modulus.n);
    for (size_t i = 0; i < modulus.n; i++)
        turned[i] = modulus.p[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? modulus.n - 1 - i : i];
    const OSSL_PARAM of[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, turned, modulus.n),
        OSSL_PARAM_uint(OSSL_PKEY_PARAM_RSA_E, &exponent),
        OSSL_PARAM_END,
    };
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (!c || EVP_PKEY_fromdata_init(c) != 1 || EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)of) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(c);
    return key;
}

/* OpenSSL frees the label with the context. */
static bool set_oaep(EVP_PKEY_CTX *c, struct bytes label)
{
    void *copy = OPENSSL_memdup(label.p, label.n);
    if (EVP_PKEY_encrypt_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_oaep_md(c, sha256_md()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(c, sha256_md()) == 1 &&
        copy && EVP_PKEY_CTX_set0_rsa_oaep_label(c, copy, (int)label.n) == 1)
        return true;
    OPENSSL_free(copy);
    return false;
}

bool crypt_rsa_oaep(struct arena *a, struct bytes modulus, struct bytes label, struct bytes in, struct bytes *ret)
{
    EVP_PKEY *key = rsa_public(a, modulus);
    EVP_PKEY_CTX *c = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    size_t n = modulus.n;
    uint8_t *out = arena_alloc(a, n);
    bool done = c && set_oaep(c, label) && EVP_PKEY_encrypt(c, out, &n, in.p, in.n) == 1;
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(key);
    *ret = (struct bytes){out, n};
    return done;
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
    crypt_uuid4s(&u, 1);
    return u;
}

void crypt_uuid4s(struct uuid *to, size_t n)
{
    crypt_random(to, n * sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to[i].b[6] = (uint8_t)((to[i].b[6] & 0x0f) | 0x40);
        to[i].b[8] = (uint8_t)((to[i].b[8] & 0x3f) | 0x80);
    }
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
