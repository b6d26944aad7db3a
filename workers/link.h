/* link.h: the credentials of a linked hub, opened; and the names of identities that are to be taken off a hub. */
#ifndef IDSCOPE_WORKER_LINK_H
#define IDSCOPE_WORKER_LINK_H

#include "core/keypair.h"
#include "db/link.h"
#include "workers/hub_client.h"

enum { LINK_CREDENTIALS_MAX = 2 };

struct link_credentials {
    struct hub_credential at[LINK_CREDENTIALS_MAX];
    const char *names[LINK_CREDENTIALS_MAX]; /* "primary", "secondary" */
    size_t count;                            /* 0: the link has none, its hub or policy is gone */
};

/* Links by resource id have one credential (the policy's first key), links by connection string one or two.
 * SEAL_BROKEN. */
err_t link_unseal(struct arena *a, const struct key_ring *ring, struct str id_scope, const struct db_link *l,
                  struct link_credentials *ret);

/* Subject of the hub_remove job of an identity: host in lower case, blank, device id, and, where the registration's key
 * does not follow from the device id, blank, that key. */
struct str link_removal_subject(struct arena *a, struct str host, struct str device_id, struct str registration_key);
struct link_removal {
    struct str host, device_id;
    struct str keys[2]; /* of the registrations that may stand on it */
    size_t key_count;
};
bool link_removal_parse(struct arena *a, struct str subject, struct link_removal *ret);

/* The path of a device in a hub's API. */
struct str link_device_path(struct arena *a, struct str device_id);

#endif
