/* seal.c: secrets at rest under AES-256-GCM. It must never write a secret anywhere but into a sealed value, and never
 * open one for another row. */
#include "seal.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/evp.h>

enum {
    SEAL_VERSION = 1,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    KEY_HEAD_BYTES = 5,
    HEAD_BYTES = KEY_HEAD_BYTES + NONCE_BYTES,
    RING_KEY_BYTES = 32,
    RING_MAX = 16
};

struct ring_key {
    uint32_t id;
    uint8_t key[RING_KEY_BYTES];
};

struct key_ring {
    struct arena *arena; /* of this ring itself */
    EVP_CIPHER *cipher;  /* fetched once: a fetch per value would cost more than the cipher */
    size_t count;
    struct ring_key keys[RING_MAX];
};

static void drop_context(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}
#define CONTEXT_CLEANUP __attribute__((cleanup(drop_context)))

static const struct ring_key *ring_find(const struct key_ring *r, uint32_t id)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->keys[i].id == id)
            return &r->keys[i];
    return NULL;
}

/* One line ID:BASE64 into the ring. `scratch` is wiped by the caller. */
static err_t ring_add(struct key_ring *r, struct arena *scratch, struct str line, int number, struct err_detail *d)
{
    struct str id_text;
    struct str key_text = str_split(line, ':', &id_text);
    int64_t id;
    struct bytes key;
    if (!dec_i64(str_trim(id_text), 1, UINT32_MAX, &id))
        return err_say(d, E(BAD_CONFIG), "Key ring, line %d: the id must be a number from 1 to 4294967295.", number);
    if (ring_find(r, (uint32_t)id))
        return err_say(d, E(BAD_CONFIG), "Key ring, line %d: the id %" PRId64 " stands twice.", number, id);
    if (!dec_base64(scratch, str_trim(key_text), &key) || key.n != RING_KEY_BYTES)
        return err_say(d, E(BAD_CONFIG), "Key ring, line %d: the key must be base64 of 32 bytes.", number);
    if (r->count == RING_MAX)
        return err_say(d, E(BAD_CONFIG), "Key ring, line %d: at most %d keys.", number, RING_MAX);
    r->keys[r->count].id = (uint32_t)id;
    memcpy(r->keys[r->count++].key, key.p, RING_KEY_BYTES);
    return NULL;
}

static err_t ring_fill(struct key_ring *r, struct str text, struct err_detail *d)
{
    ARENA_CLEANUP struct arena *scratch = arena_new();
    for (int number = 1; text.n; number++) {
        struct str line;
        text = str_split(text, '\n', &line);
        line = str_trim(line);
        if (line.n && *line.p != '#')
            TRY(ring_add(r, scratch, line, number, d));
    }
    return r->count ? NULL : err_say(d, E(BAD_CONFIG), "The key ring holds no key.");
}

err_t key_ring_parse(struct str text, struct err_detail *d, struct key_ring **ret)
{
    struct arena *a = arena_new();
    struct key_ring *r = ARENA_NEW(a, struct key_ring);
    r->arena = a;
    r->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    err_t e = r->cipher ? ring_fill(r, text, d) : err_say(d, E(BAD_CONFIG), "OpenSSL does not offer AES-256-GCM.");
    if (e) {
        key_ring_free(r);
        return e;
    }
    *ret = r;
    return NULL;
}

void key_ring_free(struct key_ring *r)
{
    if (!r)
        return;
    EVP_CIPHER_free(r->cipher);
    arena_free(r->arena);
}

size_t key_ring_count(const struct key_ring *r)
{
    return r->count;
}

struct sha256 key_ring_derive(const struct key_ring *r, size_t i, const char *purpose)
{
    struct str message = str_of(purpose);
    return crypt_hmac_sha256((struct bytes){r->keys[i].key, RING_KEY_BYTES}, str_bytes(message));
}

uint32_t key_ring_sealing_id(const struct key_ring *r)
{
    return r->keys[0].id;
}

bool key_ring_has(const struct key_ring *r, int64_t id)
{
    return id >= 1 && id <= UINT32_MAX && ring_find(r, (uint32_t)id);
}

struct str key_ring_line(struct arena *a, uint32_t id)
{
    return arena_printf(a, "%" PRIu32 ":%s\n", id, crypt_new_key(a, RING_KEY_BYTES).p);
}

static void put_u32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Each part stands behind its length, so that no two rows have the same bytes. */
struct bytes seal_row(struct arena *a, const char *kind, struct str owner, struct str name, const char *part)
{
    const struct str parts[] = {str_of(kind), owner, name, str_of(part)};
    struct text t;
    text_init(&t, a, 128);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint8_t length[4];
        put_u32(length, (uint32_t)parts[i].n);
        text_add(&t, (struct str){(const char *)length, sizeof length});
        text_add(&t, parts[i]);
    }
    return text_bytes(&t);
}

/* The context with cipher, key, nonce and the row's bytes in it; sealing or opening as `sealing` says. */
static bool begin(EVP_CIPHER_CTX *c, const struct key_ring *r, const uint8_t *key, const uint8_t *nonce,
                  struct bytes row, bool sealing)
{
    int n;
    return c && EVP_CipherInit_ex2(c, r->cipher, key, nonce, sealing, NULL) == 1 &&
           EVP_CipherUpdate(c, NULL, &n, row.p, (int)row.n) == 1;
}

static void put_head(uint8_t *to, uint32_t key_id)
{
    to[0] = SEAL_VERSION;
    put_u32(to + 1, key_id);
}

struct bytes seal_head(struct arena *a, uint32_t key_id)
{
    uint8_t *to = arena_alloc(a, KEY_HEAD_BYTES);
    put_head(to, key_id);
    return (struct bytes){to, KEY_HEAD_BYTES};
}

struct bytes seal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes secret)
{
    size_t whole = HEAD_BYTES + secret.n + TAG_BYTES;
    uint8_t *to = arena_alloc(a, whole);
    put_head(to, r->keys[0].id);
    crypt_random(to + KEY_HEAD_BYTES, NONCE_BYTES);
    CONTEXT_CLEANUP EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;
    bool done = begin(c, r, r->keys[0].key, to + KEY_HEAD_BYTES, row, true) &&
                EVP_CipherUpdate(c, to + HEAD_BYTES, &n, secret.p, (int)secret.n) == 1 &&
                EVP_CipherFinal_ex(c, to + HEAD_BYTES + n, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, to + HEAD_BYTES + secret.n) == 1;
    crypt_must(done, "AES-256-GCM");
    return (struct bytes){to, whole};
}

uint32_t seal_key_id(struct bytes sealed)
{
    bool whole = sealed.n >= HEAD_BYTES + TAG_BYTES && sealed.p[0] == SEAL_VERSION;
    return whole ? get_u32(sealed.p + 1) : 0;
}

err_t unseal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes sealed, struct bytes *ret)
{
    const struct ring_key *key = ring_find(r, seal_key_id(sealed)); /* none has the id 0 */
    if (!key)
        return E(SEAL_BROKEN);
    size_t length = sealed.n - HEAD_BYTES - TAG_BYTES;
    uint8_t *to = arena_alloc(a, length + 1);
    uint8_t tag[TAG_BYTES];
    memcpy(tag, sealed.p + HEAD_BYTES + length, TAG_BYTES);
    CONTEXT_CLEANUP EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;
    bool good = begin(c, r, key->key, sealed.p + KEY_HEAD_BYTES, row, false) &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
                EVP_CipherUpdate(c, to, &n, sealed.p + HEAD_BYTES, (int)length) == 1 &&
                EVP_CipherFinal_ex(c, to + n, &rest) == 1;
    if (!good) {
        crypt_wipe(to, length);
        return E(SEAL_BROKEN);
    }
    *ret = (struct bytes){to, length};
    return NULL;
}
