/* inventory.c: lists what stands on a linked hub and is no registration's, so that a device without a record is found
 * wherever it stands. One turn asks for one page and keeps it; how far the round has come stands in the job, so that
 * whoever is next goes on there. A hub that counts as many devices as at its last inventory is not listed again for a
 * day: a built-in one as many as it counted then, another as many as it showed. It must never keep more of a hub's list
 * than a page, nor ask for lists for more than a link's share of the time: who else links the hub has his own. */
#include "core/id.h"
#include "core/json.h"
#include "core/killpoint.h"
#include "core/limits.h"
#include "db/inventory.h"
#include "workers/hub/kind.h"
#include "workers/hub_answer.h"
#include "workers/identity.h"

enum { CLEARED_AT_ONCE = 2000, WHOLE = 100 };

static const struct str for_ever = {"infinity", 8};

/* A round: as it stands in the job's payload. */
struct inventory_round {
    struct str began;   /* absent: none has begun */
    int64_t devices;    /* that the hub had then, as it says */
    int64_t seen;       /* on its pages so far */
    int64_t pages;      /* that were taken */
    struct str next;    /* the continuation of the next page; absent: the first */
    struct str cleared; /* set: all pages are taken, and what they did not show is cleared away up to here */
};

struct inventory_job {
    struct identity_job of;
    struct inventory known;
    struct inventory_round at;
    struct str *found; /* on the page that was asked for */
    size_t count;
    bool taken; /* there is such a page */
    bool lost;  /* the hub does not know its continuation any more */
};

static struct str scope_of(const struct inventory_job *j)
{
    return j->of.item.part->of.id_scope;
}

/* --- how far it has come ------------------------------------------------------------------------------------------ */

static struct str text_in(struct arena *a, const json_t *v, const char *name)
{
    return arena_str(a, str_of(json_string_value(json_object_get(v, name))));
}

static err_t read_round(struct arena *a, struct str payload, struct inventory_round *ret)
{
    json_auto_t *v = NULL;
    if (payload.p)
        TRY(json_read(payload, NULL, &v));
    ret->began = text_in(a, v, "began");
    ret->devices = json_integer_value(json_object_get(v, "devices"));
    ret->seen = json_integer_value(json_object_get(v, "seen"));
    ret->pages = json_integer_value(json_object_get(v, "pages"));
    ret->next = text_in(a, v, "next");
    ret->cleared = text_in(a, v, "cleared");
    return NULL;
}

static struct str write_round(struct arena *a, const struct inventory_round *at)
{
    struct text t;
    text_init(&t, a, 256);
    text_add_char(&t, '{');
    json_member_text(&t, "began", at->began);
    json_member_text(&t, "next", at->next);
    json_member_text(&t, "cleared", at->cleared);
    json_member_i64(&t, "devices", at->devices);
    json_member_i64(&t, "seen", at->seen);
    json_member_i64(&t, "pages", at->pages);
    text_add_char(&t, '}');
    return text_str(&t);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void ask(struct identity_job *of)
{
    const struct inventory_job *j = (const struct inventory_job *)of;
    hub_ask(&hub_iothub, j->at.began.p ? HUB_LIST : HUB_COUNT, (struct str){NULL, 0}, of->item.c->arena, &of->call);
    of->call.continuation = j->at.next;
}

/* The hub said how many devices it has. */
static enum identity_said take_count(struct inventory_job *j)
{
    int64_t devices = hub_answer_devices(&j->of.call);
    if (devices < 0)
        return IDENTITY_SAID_NO;
    if (devices == j->known.devices)
        return IDENTITY_SAID_DONE;
    j->at = (struct inventory_round){.began = j->known.moment, .devices = devices};
    return IDENTITY_SAID_MORE;
}

static enum identity_said said(struct identity_job *of)
{
    struct inventory_job *j = (struct inventory_job *)of;
    if (!j->at.began.p)
        return take_count(j);
    j->taken = hub_answer_lists(&of->call, &j->found, &j->count);
    j->lost = of->call.status == 400 && j->at.next.p;
    return j->taken ? IDENTITY_SAID_DONE : IDENTITY_SAID_NO;
}

/* What only clears away needs no call, nor does a link that its hub refuses: a later turn looks again. A round whose
 * pages were not all taken in the time that they hold begins anew.
 */
static err_t look(struct round_item *item)
{
    static const struct identity_kind inventory = {.ask = ask, .said = said, .aside = true};
    struct inventory_job *j = (struct inventory_job *)item;
    struct job_context *c = item->c;
    item->host = item->job.hub;
    TRY(read_round(c->arena, item->job.payload, &j->at));
    err_t e = db_inventory_find(c->db, c->arena, scope_of(j), item->host, KEEP_inventory_MS, j->at.began, &j->known);
    if (e)
        return e == E(NO_ROW) ? NULL : e;
    if (j->known.round_is_old && !j->at.cleared.p)
        j->at = (struct inventory_round){.began = {NULL, 0}};
    TRY(identity_open(&j->of, &inventory));
    if (j->of.link && link_is_gone(j->of.link))
        j->of.link = NULL;
    if (!j->of.link || j->of.link->state == LINK_INVALID || j->at.cleared.p)
        j->of.step = IDENTITY_SKIP;
    return NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* The job is given back, to go on from where the round stands. */
static err_t go_on(struct inventory_job *j, int64_t delay_ms)
{
    struct round_item *item = &j->of.item;
    item->part->counts.done++;
    item->job.payload = write_round(item->c->arena, &j->at);
    return db_job_go_on(item->c->db, item->c->arena, &item->part->of, job_kind_name(item->c->kind), &item->job,
                        delay_ms);
}

/* A bite of what is to go: what was not seen since the round began. */
static err_t clear(struct inventory_job *j, struct str began, bool *ret_more)
{
    struct job_context *c = j->of.item.c;
    struct str from = j->at.cleared.p ? j->at.cleared : STR("");
    TRY(db_inventory_clear(c->db, c->arena, scope_of(j), j->of.item.host, began, from, CLEARED_AT_ONCE,
                           &j->at.cleared));
    *ret_more = j->at.cleared.p != NULL;
    return NULL;
}

static bool is_built_in(const struct inventory_job *j)
{
    return id_hub_built_in(j->of.item.c->arena, j->of.item.host, j->of.item.c->worker->hub.domain);
}

/* Of a list that does not end so much is taken as if it were all: a round, and what is kept of a hub, have a bound. */
static err_t take_page(struct inventory_job *j)
{
    struct job_context *c = j->of.item.c;
    TRY(db_inventory_page(c->db, c->arena, scope_of(j), j->of.item.host, j->at.began, j->found, j->count));
    KILL_POINT("inventory_page");
    j->at.seen += (int64_t)j->count;
    j->at.next = ++j->at.pages < INVENTORY_PAGES_MOST ? j->of.call.next_page : (struct str){NULL, 0};
    j->at.cleared = j->at.next.p ? (struct str){NULL, 0} : STR("");
    int64_t pause_ms = is_built_in(j) ? PAUSE_inventory_page_here_MS : PAUSE_inventory_page_MS;
    return go_on(j, j->at.next.p ? pause_ms : 0);
}

/* A hub may count at once and list later: then it is asked again, since it counts more than it showed. A built-in one
 * does not, and counts what it does not show: what is another ID scope's. */
static err_t end_round(struct inventory_job *j)
{
    struct job_context *c = j->of.item.c;
    int64_t rest = (WHOLE - PERCENT_of_time_listed) / PERCENT_of_time_listed;
    bool more;
    TRY(clear(j, j->at.began, &more));
    if (more)
        return go_on(j, 0);
    TRY(db_inventory_taken(c->db, c->arena, scope_of(j), j->of.item.host, j->at.began,
                           is_built_in(j) ? j->at.devices : j->at.seen, rest, KEEP_inventory_MS));
    round_done(&j->of.item, true);
    return NULL;
}

/* The hub is linked no more, or is no more. */
static err_t forget(struct inventory_job *j)
{
    struct job_context *c = j->of.item.c;
    bool more;
    TRY(clear(j, for_ever, &more));
    if (more)
        return go_on(j, 0);
    TRY(db_inventory_drop(c->db, c->arena, scope_of(j), j->of.item.host));
    round_done(&j->of.item, true);
    return NULL;
}

static err_t finish(struct round_item *item)
{
    struct inventory_job *j = (struct inventory_job *)item;
    if (!j->of.link)
        return forget(j);
    if (j->at.cleared.p)
        return end_round(j);
    if (j->taken)
        return take_page(j);
    if (!j->lost)
        return identity_finish(item);
    j->at = (struct inventory_round){.began = {NULL, 0}};
    return go_on(j, PAUSE_inventory_next_MS);
}

err_t job_inventory(struct job_context *c)
{
    static const struct round_kind kind = {.size = sizeof(struct inventory_job),
                                           .look = look,
                                           .begin = identity_begin,
                                           .answered = identity_answered,
                                           .finish = finish};
    return round_run(c, &kind);
}
