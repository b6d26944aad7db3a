/* service.c: what the operations of the service plane share. It must never write. */
#include "api/op/service.h"

#include "api/op/assigned.h"

err_t service_registration_id(struct call *r, const char *member, struct str *ret_key)
{
    TRY(id_registration_check(r->segments[SEGMENT_ID], member, &r->detail));
    *ret_key = arena_lower(r->arena, r->segments[SEGMENT_ID]);
    return NULL;
}

enum match service_match(struct str if_match, struct uuid *ret_tag)
{
    struct str s = str_trim(if_match);
    if (!s.n)
        return MATCH_ABSENT;
    s = id_etag_bare(s);
    if (str_same(s, STR("*")))
        return MATCH_ANY;
    return dec_uuid(s, ret_tag) ? MATCH_TAG : MATCH_NEVER;
}

struct registration_state *service_registration(struct call *r, struct arena *a, const struct registration_row *row)
{
    struct registration_state *state = ARENA_NEW(a, struct registration_state);
    *state = row->state;
    if (state->status == REG_ASSIGNED && assigned_hub_is_gone(r, state->assigned_hub, state->updated_us)) {
        state->error_message = arena_printf(a, "Its hub %.*s was deleted; the next registration chooses another one.",
                                            STR_ARG(state->assigned_hub));
        state->status = REG_UNASSIGNED;
        state->substatus = SUB_ABSENT;
        state->assigned_hub = state->device_id = (struct str){NULL, 0};
    }
    state->etag = id_registration_etag(a, &row->operation, row->revision);
    return state;
}
