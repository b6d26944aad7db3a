/* tpm_device.h: a TPM 2.0 in software, as far as devices use theirs to register: it shows two public areas, activates a
 * credential and imports a duplicate (TPM 2.0 library, part 1, 11.4.10, 23, 24; part 3, TPM2_ActivateCredential,
 * TPM2_Import). It shares no line with what makes the blobs: its key derivation is OpenSSL's. */
#ifndef IDSCOPE_TPM_DEVICE_H
#define IDSCOPE_TPM_DEVICE_H

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>

#include "unit.h"

#include "core/crypt.h"

struct tpm_device {
    EVP_PKEY *endorsement, *root;
    struct bytes endorsement_public, root_public; /* TPM2B_PUBLIC */
};

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static inline struct bytes tpm_joined(struct arena *a, struct bytes one, struct bytes two)
{
    uint8_t *p = arena_alloc(a, one.n + two.n + 1);
    if (one.n)
        memcpy(p, one.p, one.n);
    if (two.n)
        memcpy(p + one.n, two.p, two.n);
    return (struct bytes){p, one.n + two.n};
}

static inline struct bytes tpm_sized(struct arena *a, struct bytes b)
{
    const uint8_t length[2] = {(uint8_t)(b.n >> 8), (uint8_t)b.n};
    return tpm_joined(a, (struct bytes){length, 2}, b);
}

/* Takes a TPM2B off the front. */
static inline struct bytes tpm_taken(struct bytes *rest)
{
    assert_true(rest->n >= 2);
    size_t n = (size_t)rest->p[0] << 8 | rest->p[1];
    assert_true(rest->n - 2 >= n);
    struct bytes taken = {rest->p + 2, n};
    *rest = (struct bytes){rest->p + 2 + n, rest->n - 2 - n};
    return taken;
}

static inline void tpm_same(struct bytes got, struct bytes wanted)
{
    assert_int_equal(got.n, wanted.n);
    assert_memory_equal(got.p, wanted.p, wanted.n);
}

/* --- what it shows ------------------------------------------------------------------------------------------------ */

/* TPM2B_PUBLIC of a storage key: the defaults of an endorsement key (with its policy) or of a storage root key. */
static inline struct bytes tpm_public_of(struct arena *a, EVP_PKEY *key, bool endorsement)
{
    static const uint8_t head[] = {0, 1, 0, 0x0b}, ek_attributes[] = {0, 3, 0, 0xb2, 0, 32}, policy[32] = {0x83, 0x71},
                         srk_attributes[] = {0, 3, 4, 0x72, 0, 0},
                         parameters[] = {0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0};
    BIGNUM *n = NULL;
    uint8_t modulus[RSA2048_BYTES];
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, modulus, sizeof modulus), sizeof modulus);
    BN_free(n);
    struct bytes area = tpm_joined(a, (struct bytes){head, sizeof head},
                                   (struct bytes){endorsement ? ek_attributes : srk_attributes, 6});
    if (endorsement)
        area = tpm_joined(a, area, (struct bytes){policy, sizeof policy});
    area = tpm_joined(a, area, (struct bytes){parameters, sizeof parameters});
    return tpm_sized(a, tpm_joined(a, area, tpm_sized(a, (struct bytes){modulus, sizeof modulus})));
}

static inline struct tpm_device tpm_device_new(struct arena *a)
{
    struct tpm_device d = {EVP_RSA_gen(2048), EVP_RSA_gen(2048), {NULL, 0}, {NULL, 0}};
    assert_non_null(d.endorsement);
    assert_non_null(d.root);
    d.endorsement_public = tpm_public_of(a, d.endorsement, true);
    d.root_public = tpm_public_of(a, d.root, false);
    return d;
}

static inline void tpm_device_free(struct tpm_device *d)
{
    EVP_PKEY_free(d->endorsement);
    EVP_PKEY_free(d->root);
}

/* --- what it opens ------------------------------------------------------------------------------------------------ */

static inline void tpm_kdfa(struct bytes seed, const char *label, struct bytes context, uint8_t *out, size_t n)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
    EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM of[] = {OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
                             OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MAC, "HMAC", 0),
                             OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)seed.p, seed.n),
                             OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)label, strlen(label)),
                             OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)context.p, context.n),
                             OSSL_PARAM_END};
    assert_int_equal(EVP_KDF_derive(c, out, n, of), 1);
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
}

static inline struct bytes tpm_decrypted(struct arena *a, const uint8_t *key, struct bytes in)
{
    static const uint8_t iv[16];
    uint8_t *out = arena_alloc(a, in.n);
    int n;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_DecryptInit_ex(c, EVP_aes_128_cfb128(), NULL, key, iv), 1);
    assert_int_equal(EVP_DecryptUpdate(c, out, &n, in.p, (int)in.n), 1);
    EVP_CIPHER_CTX_free(c);
    return (struct bytes){out, in.n};
}

static inline struct bytes tpm_seed(struct arena *a, EVP_PKEY *key, const char *label, struct bytes secret)
{
    uint8_t *out = arena_alloc(a, RSA2048_BYTES);
    size_t n = RSA2048_BYTES, label_bytes = strlen(label) + 1;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(c), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(c, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(c, OPENSSL_memdup(label, label_bytes), (int)label_bytes), 1);
    if (EVP_PKEY_decrypt(c, out, &n, secret.p, secret.n) != 1)
        n = 0;
    EVP_PKEY_CTX_free(c);
    return (struct bytes){out, n};
}

/* The outer wrap off `blob` (TPM2B mac, then what was encrypted), for the object of that name; n 0: it is for another.
 */
static inline struct bytes tpm_unprotected(struct arena *a, struct bytes seed, struct bytes name, struct bytes blob)
{
    uint8_t key[16], mac_key[32], mac[32];
    struct bytes right = tpm_taken(&blob), covered = tpm_joined(a, blob, name);
    if (!seed.n)
        return seed;
    tpm_kdfa(seed, "STORAGE", name, key, sizeof key);
    tpm_kdfa(seed, "INTEGRITY", (struct bytes){NULL, 0}, mac_key, sizeof mac_key);
    HMAC(EVP_sha256(), mac_key, sizeof mac_key, covered.p, covered.n, mac, NULL);
    if (right.n != sizeof mac || memcmp(right.p, mac, sizeof mac) != 0)
        return (struct bytes){NULL, 0};
    return tpm_decrypted(a, key, blob);
}

static inline struct bytes tpm_name_of(struct arena *a, struct bytes area)
{
    static const uint8_t sha256[] = {0, 0x0b};
    uint8_t hash[32];
    EVP_Digest(area.p, area.n, hash, NULL, EVP_sha256(), NULL);
    return tpm_joined(a, (struct bytes){sha256, 2}, (struct bytes){hash, sizeof hash});
}

/* The key in its sensitive area, when that and the public area belong together. */
static inline struct bytes tpm_sensitive_key(struct arena *a, struct bytes sensitive, struct bytes area)
{
    uint8_t unique[32];
    static const uint8_t head[] = {0, 8, 0, 0x0b, 0, 4, 4, 0x40, 0, 0, 0, 5, 0, 0x0b, 0, 32};
    assert_memory_equal(sensitive.p, "\0\x08", 2);
    struct bytes rest = {sensitive.p + 2, sensitive.n - 2};
    assert_int_equal(tpm_taken(&rest).n, 0);
    struct bytes obfuscation = tpm_taken(&rest), key = tpm_taken(&rest), both = tpm_joined(a, obfuscation, key);
    assert_int_equal(rest.n, 0);
    EVP_Digest(both.p, both.n, unique, NULL, EVP_sha256(), NULL);
    tpm_same(area, tpm_joined(a, (struct bytes){head, sizeof head}, (struct bytes){unique, sizeof unique}));
    return key;
}

/* Activates and imports; the key that was handed over, or n 0: this TPM refuses the blob. */
static inline struct bytes tpm_device_opens(struct arena *a, const struct tpm_device *d, struct bytes blob)
{
    uint8_t integrity[32];
    struct bytes credential = tpm_taken(&blob), credential_secret = tpm_taken(&blob), duplicate = tpm_taken(&blob),
                 duplicate_secret = tpm_taken(&blob), area = tpm_taken(&blob), text = tpm_taken(&blob);
    assert_int_equal(blob.n, 0);
    assert_int_equal(text.n, 0);
    struct bytes root_area = {d->root_public.p + 2, d->root_public.n - 2}, name = tpm_name_of(a, area);
    struct bytes inner = tpm_unprotected(a, tpm_seed(a, d->endorsement, "IDENTITY", credential_secret),
                                         tpm_name_of(a, root_area), credential);
    struct bytes outer = tpm_unprotected(a, tpm_seed(a, d->root, "DUPLICATE", duplicate_secret), name, duplicate);
    if (!inner.n || !outer.n)
        return (struct bytes){NULL, 0};
    struct bytes inner_key = tpm_taken(&inner);
    assert_int_equal(inner_key.n, 16);
    assert_int_equal(inner.n, 0);
    struct bytes opened = tpm_decrypted(a, inner_key.p, outer), right = tpm_taken(&opened);
    struct bytes covered = tpm_joined(a, opened, name), sensitive = tpm_taken(&opened);
    EVP_Digest(covered.p, covered.n, integrity, NULL, EVP_sha256(), NULL);
    tpm_same(right, (struct bytes){integrity, sizeof integrity});
    assert_int_equal(opened.n, 0);
    return tpm_sensitive_key(a, sensitive, area);
}

#endif
