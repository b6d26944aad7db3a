/* hub_status.c: disables the identity of a blocked device on its hub, and enables it when the device is blocked no
 * more. It goes by what the enrollment says when it looks, so it may come late, twice or in any order. It must never
 * change an identity that an operator of the hub disabled, nor anything of it but status and reason. */
#include "core/json.h"
#include "db/status.h"
#include "workers/hub/kind.h"
#include "workers/hub_answer.h"
#include "workers/identity.h"

/* By this reason we know an identity that we disabled. */
static const struct str blocked_here = {"blocked by the provisioning service", 35};

struct status_job {
    struct identity_job of;
    bool blocked;
    struct str body; /* the identity as it should be; absent: it has yet to be read */
    struct str if_match;
};

static bool says(const json_t *identity, const char *member, struct str value)
{
    return str_same(str_of(json_string_value(json_object_get(identity, member))), value);
}

/* The identity that was read as it should be; absent: it is. */
static struct str changed(struct arena *a, struct str identity, bool blocked)
{
    json_auto_t *v = NULL;
    struct text t;
    if (json_read(identity, NULL, &v))
        return (struct str){NULL, 0};
    bool disabled = says(v, "status", STR("disabled")), ours = says(v, "statusReason", blocked_here);
    if (blocked ? disabled : !disabled || !ours)
        return (struct str){NULL, 0};
    text_init(&t, a, identity.n + 128);
    text_add_char(&t, '{');
    json_member_text(&t, "status", blocked ? STR("disabled") : STR("enabled"));
    if (blocked)
        json_member_text(&t, "statusReason", blocked_here);
    else
        json_member_null(&t, "statusReason");
    identity_add_rest(a, &t, identity);
    text_add_char(&t, '}');
    return text_str(&t);
}

static void ask(struct identity_job *j)
{
    const struct status_job *s = (const struct status_job *)j;
    hub_ask(&hub_iothub, s->body.p ? HUB_UPDATE : HUB_READ, j->item.job.subject, j->item.c->arena, &j->call);
    j->call.body = s->body;
    j->call.if_match = s->if_match;
}

static enum identity_said said(struct identity_job *j)
{
    struct status_job *s = (struct status_job *)j;
    if (hub_answer_is_gone(&j->call))
        return IDENTITY_SAID_DONE;
    if (!hub_answer_names(&j->call, j->item.job.subject))
        return IDENTITY_SAID_NO;
    if (s->body.p)
        return IDENTITY_SAID_DONE;
    s->body = changed(j->item.c->arena, j->call.reply, s->blocked);
    s->if_match = hub_answer_if_match(j->item.c->arena, j->call.reply);
    return s->body.p ? IDENTITY_SAID_MORE : IDENTITY_SAID_DONE;
}

/* An assignment that runs may be making the identity: it ends first. */
static err_t look(struct round_item *item)
{
    static const struct identity_kind status = {.ask = ask, .said = said};
    struct status_job *s = (struct status_job *)item;
    struct job_context *c = item->c;
    struct str *keys;
    size_t count;
    struct status_wanted wanted;
    item->host = item->job.hub;
    TRY(identity_registrations(c->arena, &item->job, &keys, &count));
    TRY(db_status_wanted(c->db, c->arena, item->part->of.id_scope, keys, count, &wanted));
    if (wanted.assigning)
        identity_back(&s->of, PAUSE_status_assigning_MS, false, STR("the device is being assigned"));
    if (wanted.assigning || wanted.blocked == TRI_ABSENT)
        return NULL;
    s->blocked = wanted.blocked == TRI_TRUE;
    return identity_open(&s->of, &status);
}

err_t job_hub_status(struct job_context *c)
{
    static const struct round_kind kind = {.size = sizeof(struct status_job),
                                           .look = look,
                                           .begin = identity_begin,
                                           .answered = identity_answered,
                                           .finish = identity_finish};
    return round_run(c, &kind);
}
