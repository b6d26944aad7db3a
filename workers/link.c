/* link.c: credentials of linked hubs and names of identities on them. It must never keep an opened key longer than the
 * arena of its caller. */
#include "workers/link.h"

enum { SUBJECT_MAX = 400 };

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

struct str link_removal_subject(struct arena *a, struct str host, struct str device_id, struct str registration_key)
{
    struct str identity = arena_printf(a, "%.*s %.*s", STR_ARG(arena_lower(a, host)), STR_ARG(device_id));
    if (str_same(arena_lower(a, device_id), registration_key) || identity.n + 1 + registration_key.n > SUBJECT_MAX)
        return identity;
    return arena_printf(a, "%s %.*s", identity.p, STR_ARG(registration_key));
}

bool link_removal_parse(struct arena *a, struct str subject, struct link_removal *ret)
{
    struct link_removal r = {.key_count = 0};
    struct str rest = str_split(subject, ' ', &r.host);
    struct str key = str_split(rest, ' ', &r.device_id);
    if (!r.host.n || !r.device_id.n)
        return false;
    r.keys[r.key_count++] = arena_lower(a, r.device_id);
    if (key.n)
        r.keys[r.key_count++] = key;
    *ret = r;
    return true;
}

struct str link_device_path(struct arena *a, struct str device_id)
{
    return arena_printf(a, "/devices/%s?api-version=" HUB_API_VERSION, enc_percent(a, device_id).p);
}
