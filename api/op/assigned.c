/* assigned.c: whether the hub that a registration names is still the one that it was assigned to. Rows of a deleted
 * hub's devices stay as they are until the devices register again; what is shown of them is decided here. It must never
 * ask a hub: only the gate. */
#include "api/op/assigned.h"

#include "api/shared.h"

bool assigned_hub_is_gone(struct call *r, struct str host, int64_t assigned_us)
{
    struct str name;
    const struct gate_hub *hub = NULL;
    if (id_plane_of(r->arena, host, r->cfg->domain, &name) != ID_PLANE_HUB)
        return false;
    err_t e = gate_hub_by_name(r->shared->gate, r->db, name, r->now_us, &hub);
    if (e)
        return e == E(HUB_NOT_FOUND);
    bool younger = hub->created_us > assigned_us;
    gate_release(hub);
    return younger;
}
