/* tpm_wrap.c: the blob that hands a TPM a key (TPM 2.0 library, part 1: credential protection and protected storage).
 * It must never use a seed or an inner key twice. */
#include "core/attest/tpm_wrap.h"

#include "core/attest/tpm_numbers.h"

enum { SEED_BYTES = 32, BLOB_ROOM = 1024 };

static void add_number(struct text *t, uint32_t n, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        text_add_char(t, (char)(n >> shift & 0xff));
}

static void add_bytes(struct text *t, struct bytes b)
{
    text_add(t, bytes_str(b));
}

/* A TPM2B_…: behind its length. */
static void add_sized(struct text *t, struct bytes b)
{
    add_number(t, (uint32_t)b.n, 2);
    add_bytes(t, b);
}

static struct bytes digest_of(const struct sha256 *d)
{
    return (struct bytes){d->b, sizeof d->b};
}

static struct bytes random_bytes(struct arena *a, size_t n)
{
    uint8_t *p = arena_alloc(a, n);
    crypt_random(p, n);
    return (struct bytes){p, n};
}

/* The name of an object: its name algorithm and the hash of its public area. */
static struct bytes name_of(struct arena *a, struct bytes area)
{
    struct text t;
    struct sha256 hash = crypt_sha256(area);
    text_init(&t, a, 2 + SHA256_BYTES);
    add_number(&t, TPM_ALG_SHA256, 2);
    add_bytes(&t, digest_of(&hash));
    return text_bytes(&t);
}

/* KDFa with SHA-256, of which one block is enough for everybody here. */
static struct sha256 kdfa(struct arena *a, struct bytes seed, struct str label, struct bytes context, uint32_t bits)
{
    struct text t;
    text_init(&t, a, 64);
    add_number(&t, 1, 4);
    text_add(&t, label);
    text_add_char(&t, '\0');
    add_bytes(&t, context);
    add_number(&t, bits, 4);
    return crypt_hmac_sha256(seed, text_bytes(&t));
}

/* What only who knows the seed can read, and for the object of that name alone: an HMAC, then what was encrypted. */
static struct bytes protect(struct arena *a, struct bytes seed, struct bytes name, struct bytes in)
{
    struct sha256 key = kdfa(a, seed, STR("STORAGE"), name, 8 * AES128_BYTES);
    struct sha256 integrity = kdfa(a, seed, STR("INTEGRITY"), (struct bytes){NULL, 0}, 8 * SHA256_BYTES);
    struct bytes encrypted = crypt_aes128_cfb(a, key.b, in);
    struct text covered, out;
    text_init(&covered, a, encrypted.n + name.n);
    add_bytes(&covered, encrypted);
    add_bytes(&covered, name);
    struct sha256 mac = crypt_hmac_sha256(digest_of(&integrity), text_bytes(&covered));
    text_init(&out, a, 2 + SHA256_BYTES + encrypted.n);
    add_sized(&out, digest_of(&mac));
    add_bytes(&out, encrypted);
    crypt_wipe(&key, sizeof key);
    crypt_wipe(&integrity, sizeof integrity);
    return text_bytes(&out);
}

/* The same behind its length, and then the seed for who holds the private key; the label ends in a NUL that counts. */
static bool add_protected(struct arena *a, struct text *out, const struct tpm_public *to, struct bytes label,
                          struct bytes name, struct bytes in)
{
    struct bytes seed = random_bytes(a, SEED_BYTES), secret;
    if (!crypt_rsa_oaep(a, to->modulus, label, seed, &secret))
        return false;
    add_sized(out, protect(a, seed, name, in));
    add_sized(out, secret);
    return true;
}

/* TPMT_PUBLIC of the key: an HMAC key without a policy, bound to what hides it. */
static struct bytes key_public(struct arena *a, struct bytes obfuscation, struct bytes key)
{
    struct text both, out;
    text_init(&both, a, obfuscation.n + key.n);
    add_bytes(&both, obfuscation);
    add_bytes(&both, key);
    struct sha256 unique = crypt_sha256(text_bytes(&both));
    text_init(&out, a, 64);
    add_number(&out, TPM_ALG_KEYEDHASH, 2);
    add_number(&out, TPM_ALG_SHA256, 2);
    add_number(&out, TPM_USER_WITH_AUTH | TPM_NO_DA | TPM_SIGN, 4);
    add_sized(&out, (struct bytes){NULL, 0});
    add_number(&out, TPM_ALG_HMAC, 2);
    add_number(&out, TPM_ALG_SHA256, 2);
    add_sized(&out, digest_of(&unique));
    return text_bytes(&out);
}

/* TPM2B_SENSITIVE of the key. */
static struct bytes key_sensitive(struct arena *a, struct bytes obfuscation, struct bytes key)
{
    struct text t, out;
    text_init(&t, a, 128);
    add_number(&t, TPM_ALG_KEYEDHASH, 2);
    add_sized(&t, (struct bytes){NULL, 0});
    add_sized(&t, obfuscation);
    add_sized(&t, key);
    text_init(&out, a, 2 + t.n);
    add_sized(&out, text_bytes(&t));
    return text_bytes(&out);
}

/* The inner wrap of a duplicate: under the key that the credential gives. */
static struct bytes inner_wrap(struct arena *a, struct bytes inner_key, struct bytes name, struct bytes sensitive)
{
    struct text covered, in;
    text_init(&covered, a, sensitive.n + name.n);
    add_bytes(&covered, sensitive);
    add_bytes(&covered, name);
    struct sha256 integrity = crypt_sha256(text_bytes(&covered));
    text_init(&in, a, 2 + SHA256_BYTES + sensitive.n);
    add_sized(&in, digest_of(&integrity));
    add_bytes(&in, sensitive);
    return crypt_aes128_cfb(a, inner_key.p, text_bytes(&in));
}

bool tpm_wrap(struct arena *a, const struct tpm_public *endorsement, const struct tpm_public *root, struct bytes key,
              struct bytes *ret)
{
    static const uint8_t identity[] = "IDENTITY", duplicate[] = "DUPLICATE";
    struct bytes inner_key = random_bytes(a, AES128_BYTES), obfuscation = random_bytes(a, SHA256_BYTES);
    struct bytes area = key_public(a, obfuscation, key), name = name_of(a, area);
    struct bytes inner = inner_wrap(a, inner_key, name, key_sensitive(a, obfuscation, key));
    struct text credential, out;
    text_init(&credential, a, 2 + AES128_BYTES);
    add_sized(&credential, inner_key);
    text_init(&out, a, BLOB_ROOM);
    if (!add_protected(a, &out, endorsement, (struct bytes){identity, sizeof identity}, name_of(a, root->area),
                       text_bytes(&credential)) ||
        !add_protected(a, &out, root, (struct bytes){duplicate, sizeof duplicate}, name, inner))
        return false;
    add_sized(&out, area);
    add_sized(&out, (struct bytes){NULL, 0}); /* a text that comes along encrypted: there is none */
    *ret = text_bytes(&out);
    return true;
}
