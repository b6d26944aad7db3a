/* operation.h: the ids of operations as devices see them, `5.{16 hex of the scope's hash}.{guid}` (decisions.md 26).
 * The guid is the time of issue and an HMAC over scope, registration and time, encrypted, under keys derived from the
 * key ring: nothing is stored for an id, every replica knows it again, and it says nothing to others. Pure. */
#ifndef IDSCOPE_OPERATION_H
#define IDSCOPE_OPERATION_H

#include "seal.h"

enum { OPERATION_POLLABLE_S = 3600 };

/* Whose operation: the registration by its keys, and since when there is one, so that no id of a registration that was
 * deleted fits its successor. */
struct operation_owner {
    struct str id_scope, registration_key;
    int64_t created_us;
};

/* What all ids of the process are made with: constant once made, and shared by threads. */
struct operation_keys;
struct operation_keys *operation_keys_new(const struct key_ring *ring);
void operation_keys_free(struct operation_keys *k);

/* A new id: made under the ring's first key. */
struct str operation_id(struct arena *a, const struct operation_keys *k, const struct operation_owner *owner,
                        int64_t now_us);
/* Was it issued for this registration, under any key of the ring, within the last hour? */
bool operation_pollable(struct arena *a, const struct operation_keys *k, const struct operation_owner *owner,
                        struct str id, int64_t now_us);

#endif
