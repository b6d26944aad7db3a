/* hub_remove.c: takes identities off hubs that no registration names any more: a device moved, or a target was given
 * up. It looks right before it calls; that nobody makes the identity again in between is db/sql/assign.sql's promise
 * (assign_choose waits for a removal that was claimed). It must never delete an identity that a registration of the
 * scope stands on. */
#include "core/killpoint.h"
#include "db/assign.h"
#include "workers/hub/kind.h"
#include "workers/hub_answer.h"
#include "workers/identity.h"

static void ask(struct identity_job *j)
{
    hub_ask(&hub_iothub, HUB_REMOVE, j->item.job.subject, j->item.c->arena, &j->call);
}

static enum identity_said said(struct identity_job *j)
{
    return hub_answer_is_gone(&j->call) ? IDENTITY_SAID_DONE : IDENTITY_SAID_NO;
}

/* What can be said without a call. The registrations that may stand on the identity are those that the causes named,
 * and the one that is called like the device. */
static err_t look(struct round_item *item)
{
    static const struct identity_kind removal = {.ask = ask, .said = said};
    struct job_context *c = item->c;
    struct str *keys;
    size_t count;
    bool named = false;
    item->host = item->job.hub;
    TRY(identity_registrations(c->arena, &item->job, &keys, &count));
    keys[count++] = arena_lower(c->arena, item->job.subject);
    TRY(db_remove_is_named(c->db, c->arena, item->part->of.id_scope, keys, count, item->job.hub, item->job.subject,
                           &named));
    return named ? NULL : identity_open((struct identity_job *)item, &removal);
}

static err_t finish(struct round_item *item)
{
    if (((const struct identity_job *)item)->step != IDENTITY_BACK)
        KILL_POINT_OF("remove_done", item->part->of.id_scope, item->job.subject);
    return identity_finish(item);
}

err_t job_hub_remove(struct job_context *c)
{
    static const struct round_kind kind = {.size = sizeof(struct identity_job),
                                           .look = look,
                                           .begin = identity_begin,
                                           .answered = identity_answered,
                                           .finish = finish};
    return round_run(c, &kind);
}
