/* operation.c: operation ids that prove themselves. It must never keep one, nor tell why one is not good. */
#include "operation.h"

#include <endian.h>
#include <string.h>

#include <openssl/evp.h>

/* Derived from one key of the ring. */
struct operation_key {
    struct sha256 mac, cipher;
};

struct operation_keys {
    struct arena *arena; /* of these keys themselves */
    EVP_CIPHER *block;   /* fetched once: a fetch per id would cost more than the cipher */
    size_t count;
    struct operation_key *at;
};

/* What the guid is before and after encryption: one block of the cipher. */
struct block {
    uint64_t issued_be;
    uint8_t mac[8];
};
_Static_assert(sizeof(struct block) == sizeof(struct uuid), "a guid is one block");

struct operation_keys *operation_keys_new(const struct key_ring *ring)
{
    struct arena *a = arena_new();
    struct operation_keys *k = ARENA_NEW(a, struct operation_keys);
    *k = (struct operation_keys){
        .arena = a, .block = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL), .count = key_ring_count(ring)};
    crypt_must(k->block != NULL, "AES-256");
    k->at = ARENA_NEW_ARRAY(a, k->count, struct operation_key);
    for (size_t i = 0; i < k->count; i++)
        k->at[i] = (struct operation_key){key_ring_derive(ring, i, "operation id: mac"),
                                          key_ring_derive(ring, i, "operation id: cipher")};
    return k;
}

void operation_keys_free(struct operation_keys *k)
{
    if (!k)
        return;
    EVP_CIPHER_free(k->block);
    arena_free(k->arena);
}

/* One block through the cipher, there or back. */
static void cross(const struct operation_keys *k, const struct operation_key *key, bool encrypting, const void *from,
                  void *to)
{
    int n = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool done = c && EVP_CipherInit_ex2(c, k->block, key->cipher.b, NULL, encrypting, NULL) == 1 &&
                EVP_CIPHER_CTX_set_padding(c, 0) == 1 && EVP_CipherUpdate(c, to, &n, from, sizeof(struct block)) == 1 &&
                n == sizeof(struct block);
    EVP_CIPHER_CTX_free(c);
    crypt_must(done, "AES-256");
}

static struct block block_of(struct arena *a, const struct operation_key *key, const struct operation_owner *owner,
                             int64_t issued_us)
{
    const uint64_t times[] = {htobe64((uint64_t)owner->created_us), htobe64((uint64_t)issued_us)};
    struct bytes names = seal_row(a, "operation", owner->id_scope, owner->registration_key, "");
    struct text whole;
    text_init(&whole, a, names.n + sizeof times);
    text_add(&whole, bytes_str(names));
    text_add(&whole, (struct str){(const char *)times, sizeof times});
    struct sha256 mac = crypt_hmac_sha256(sha256_bytes(&key->mac), text_bytes(&whole));
    struct block ret = {.issued_be = times[1]};
    memcpy(ret.mac, mac.b, sizeof ret.mac);
    return ret;
}

/* What ids of the scope begin with. */
static struct str head_of(struct arena *a, struct str id_scope)
{
    struct sha256 hash = crypt_sha256(str_bytes(id_scope));
    return arena_printf(a, "5.%s.", enc_hex(a, (struct bytes){hash.b, 8}, false).p);
}

struct str operation_id(struct arena *a, const struct operation_keys *k, const struct operation_owner *owner,
                        int64_t now_us)
{
    struct block plain = block_of(a, &k->at[0], owner, now_us);
    struct uuid guid;
    cross(k, &k->at[0], true, &plain, guid.b);
    return arena_printf(a, "%s%s", head_of(a, owner->id_scope).p, enc_uuid(a, &guid).p);
}

/* Under this key: the time at which the id was issued for this owner; false: it was not. */
static bool opens(struct arena *a, const struct operation_keys *k, const struct operation_key *key,
                  const struct operation_owner *owner, const struct uuid *guid, int64_t *ret_issued_us)
{
    struct block plain;
    cross(k, key, false, guid->b, &plain);
    *ret_issued_us = (int64_t)be64toh(plain.issued_be);
    struct block wanted = block_of(a, key, owner, *ret_issued_us);
    return crypt_same((struct bytes){plain.mac, sizeof plain.mac}, (struct bytes){wanted.mac, sizeof wanted.mac});
}

bool operation_pollable(struct arena *a, const struct operation_keys *k, const struct operation_owner *owner,
                        struct str id, int64_t now_us)
{
    struct str head = head_of(a, owner->id_scope);
    struct uuid guid;
    if (!str_starts(id, head) || !dec_uuid((struct str){id.p + head.n, id.n - head.n}, &guid))
        return false;
    for (size_t i = 0; i < k->count; i++) {
        int64_t issued_us;
        if (opens(a, k, &k->at[i], owner, &guid, &issued_us))
            return now_us - issued_us < OPERATION_POLLABLE_S * INT64_C(1000000);
    }
    return false;
}
