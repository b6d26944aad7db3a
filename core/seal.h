/* seal.h: secrets at rest. A sealed value is
 *     1 byte version (1) · 4 bytes key id (big endian) · 12 bytes nonce · ciphertext · 16 bytes tag
 * under AES-256-GCM, with the identity of the row that holds it as associated data, so that a sealed value
 * copied to another row does not open. A key ring is a text of lines `ID:BASE64-OF-32-BYTES`, the first line
 * seals, all lines open; lines that are empty or start with '#' are skipped.
 * Row identities are built with seal_row() only, the same way when sealing and when opening:
 *     enrollment  {id_scope, registration_key, the attestation's type}     kind "enrollment"
 *     enrollment group {id_scope, its id in lower case, the attestation's type}  kind "enrollment_group"
 *     webhook     the same two, with "webhook" for the type
 *     instance policy {id_scope, key name in lower case, "primary"|"secondary"}  kind "instance_policy"
 *     hub policy  {hub_key, key name in lower case, "primary"|"secondary"} kind "hub_policy"
 *     linked hub  {id_scope, host key, "primary"|"secondary"}              kind "linked_hub"
 *     hub device  {hub_id in decimal, device id, "primary"|"secondary"}    kind "hub_device"
 *     nonce       {id_scope, registration_key, hex SHA-256 of the device}  kind "challenge"
 *     token key   {kid, "", "private"}                                     kind "token_key" */
#ifndef IDSCOPE_SEAL_H
#define IDSCOPE_SEAL_H

#include "crypt.h"

struct key_ring;

/* Parses the ring. On failure returns BAD_CONFIG with the line and rule in `d`. The ring is read-only
 * afterwards and may be shared by threads. Free with key_ring_free. */
err_t key_ring_parse(struct str text, struct err_detail *d, struct key_ring **ret);
void key_ring_free(struct key_ring *r);
size_t key_ring_count(const struct key_ring *r);
/* A key for one other purpose, made of the ring's key number `i`; number 0 is the one that seals. */
struct sha256 key_ring_derive(const struct key_ring *r, size_t i, const char *purpose);
/* The id of the key that seals; whether the ring has the key of an id. */
uint32_t key_ring_sealing_id(const struct key_ring *r);
bool key_ring_has(const struct key_ring *r, int64_t id);
/* A new key as a line of a ring: the whole ring at first set-up. */
struct str key_ring_line(struct arena *a, uint32_t id);

/* Which row: its kind, its owner and its name there, as listed above. */
struct seal_id {
    const char *kind;
    struct str owner, name;
};

struct bytes seal_row(struct arena *a, const char *kind, struct str owner, struct str name, const char *part);
struct bytes seal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes secret);
/* How each value begins that is sealed under the key of this id; and the id of the key that a value is sealed under, 0
 * when it is no sealed value. */
struct bytes seal_head(struct arena *a, uint32_t key_id);
uint32_t seal_key_id(struct bytes sealed);
/* SEAL_BROKEN when the key is unknown, the row is another one or a bit is wrong. */
err_t unseal(struct arena *a, const struct key_ring *r, struct bytes row, struct bytes sealed, struct bytes *ret);

#endif
