/* link.c: credentials of linked hubs. It must never keep an opened key longer than the
 * arena of its caller. */
#include "workers/link.h"

const struct str link_hub_deleted = {"hub_deleted", 11};

bool link_state_is_usable(int state)
{
    return state == LINK_VALID || state == LINK_DEGRADED;
}

bool link_is_gone(const struct db_link *l)
{
    return l->state == LINK_INVALID && str_same(l->reason, link_hub_deleted);
}

static void add(struct link_credentials *to, const char *name, struct str key_name, struct bytes key)
{
    if (!key.p)
        return;
    to->names[to->count] = name;
    to->at[to->count++] = (struct hub_credential){key_name, key};
}

/* What the link's keys are sealed for: their policy, or the link itself. */
static struct seal_id row_of(struct arena *a, struct str id_scope, const struct db_link *l)
{
    return l->hub_key.p ? (struct seal_id){"hub_policy", l->hub_key, arena_lower(a, l->key_name)}
                        : (struct seal_id){"linked_hub", id_scope, l->host};
}

err_t link_unseal(struct arena *a, const struct key_ring *ring, struct str id_scope, const struct db_link *l,
                  struct link_credentials *ret)
{
    struct keypair keys;
    const struct seal_id row = row_of(a, id_scope, l);
    const struct bytes none = {NULL, 0};
    const struct keypair_sealed sealed = {l->primary_sealed, l->hub_key.p ? none : l->secondary_sealed};
    TRY(keypair_open(a, ring, &row, &sealed, &keys));
    *ret = (struct link_credentials){.count = 0};
    add(ret, "primary", l->key_name, keys.primary);
    add(ret, "secondary", l->secondary_key_name, keys.secondary);
    return NULL;
}
