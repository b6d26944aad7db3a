/* locks.c: a lock on a subscription, group or resource forbids to delete it and all beneath it (CanNotDelete), or to
 * change it as well (ReadOnly), to owners too; decisions.md 33. It must never judge what only reads. */
#include "api/locks.h"

#include "db/lock.h"

struct str locks_place(struct call *r)
{
    return arena_lower(r->arena, r->actor.resource_id);
}

err_t locks_check(struct call *r)
{
    struct str locked;
    bool deletes = r->method == METHOD_DELETE;
    if (r->plane != PLANE_MANAGEMENT || r->route->right != ROLE_CONTRIBUTOR)
        return NULL;
    TRY(db_lock_over(r->db, r->arena, &r->client->tenant_id, locks_place(r), deletes, &locked));
    if (!locked.p)
        return NULL;
    return call_fail(r, E(SCOPE_LOCKED),
                     "The scope '%.*s' cannot perform %s operation because following scope(s) are locked: '%.*s'. "
                     "Please remove the lock and try again.",
                     STR_ARG(r->path), deletes ? "delete" : "write", STR_ARG(locked));
}
