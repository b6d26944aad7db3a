/* link.h: the credentials of a linked hub, opened. */
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

/* Does the link get devices? (enum link_state) */
bool link_state_is_usable(int state);

/* Why a link whose hub was deleted is invalid: such a hub is not down, it is out of the set of links. */
extern const struct str link_hub_deleted;
/* Is the link's hub one that was deleted? */
bool link_is_gone(const struct db_link *l);

#endif
