/* keypair.c: primary and secondary keys. It must never put a key in clear into a sentence. */
#include "keypair.h"

#include "limits.h"

enum { CHECK_WORD_BYTES = 4 };

static const uint8_t nobodys[DEVICE_KEY_BYTES];
const struct keypair keypair_of_nobody = {{nobodys, sizeof nobodys}, {nobodys, sizeof nobodys}};

static err_t read_key(struct arena *a, struct str key, const char *member, const char *part, size_t new_bytes,
                      struct err_detail *d, struct bytes *ret)
{
    struct bytes raw;
    key = str_trim(key);
    if (!key.n)
        key = crypt_new_key(a, new_bytes);
    if (str_has_space(key))
        return err_say(d, E(BAD_FIELD), "%s.%sKey must have no white space within.", member, part);
    if (!dec_base64(a, key, &raw) || raw.n < KEY_BYTES_LEAST || raw.n > KEY_BYTES_MOST)
        return err_say(d, E(BAD_FIELD), "%s.%sKey must be base64 of %d to %d bytes.", member, part, KEY_BYTES_LEAST,
                       KEY_BYTES_MOST);
    *ret = raw;
    return NULL;
}

err_t keypair_read(struct arena *a, const struct symmetric_key *in, const char *member, size_t new_bytes,
                   struct err_detail *d, struct keypair *ret)
{
    struct keypair k;
    TRY(read_key(a, in->primary, member, "primary", new_bytes, d, &k.primary));
    TRY(read_key(a, in->secondary, member, "secondary", new_bytes, d, &k.secondary));
    *ret = k;
    return NULL;
}

static struct str text_of(struct arena *a, struct bytes key)
{
    return key.p ? enc_base64(a, key) : (struct str){NULL, 0};
}

struct symmetric_key keypair_text(struct arena *a, const struct keypair *k)
{
    return (struct symmetric_key){text_of(a, k->primary), text_of(a, k->secondary)};
}

struct str keypair_check_word(struct arena *a, struct bytes key)
{
    struct sha256 hash = crypt_sha256(key);
    return enc_hex(a, (struct bytes){hash.b, CHECK_WORD_BYTES}, false);
}

static struct bytes seal_key(struct arena *a, const struct key_ring *ring, const struct seal_id *row, const char *part,
                             struct bytes key)
{
    return key.p ? seal(a, ring, seal_row(a, row->kind, row->owner, row->name, part), key) : (struct bytes){NULL, 0};
}

struct keypair_sealed keypair_seal(struct arena *a, const struct key_ring *ring, const struct seal_id *row,
                                   const struct keypair *k)
{
    return (struct keypair_sealed){seal_key(a, ring, row, "primary", k->primary),
                                   seal_key(a, ring, row, "secondary", k->secondary)};
}

static err_t open_key(struct arena *a, const struct key_ring *ring, const struct seal_id *row, const char *part,
                      struct bytes sealed, struct bytes *ret)
{
    *ret = (struct bytes){NULL, 0};
    return sealed.p ? unseal(a, ring, seal_row(a, row->kind, row->owner, row->name, part), sealed, ret) : NULL;
}

err_t keypair_open(struct arena *a, const struct key_ring *ring, const struct seal_id *row,
                   const struct keypair_sealed *sealed, struct keypair *ret)
{
    struct keypair k;
    TRY(open_key(a, ring, row, "primary", sealed->primary, &k.primary));
    TRY(open_key(a, ring, row, "secondary", sealed->secondary, &k.secondary));
    *ret = k;
    return NULL;
}
