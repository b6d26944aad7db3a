/* issuer_fetch.c: fetches the keys of an outside issuer of access tokens: from where its discovery document says, or
 * from the URL that the operator gave. What comes is written when it is sound as a whole; else the keys that were there
 * stay, for as long as core/jobs.def says. It must never take a key from anywhere but the answer to its own call. */
#include "core/log.h"
#include "db/issuer.h"
#include "workers/round.h"

#define DISCOVERY "/.well-known/openid-configuration" /* OpenID Connect Discovery 1.0, 4 */

/* One issuer. */
struct fetch {
    struct round_item item;
    struct db_issuer of; /* issuer absent: there is nothing to fetch */
    struct hub_call call;
    bool at_keys; /* the call is for the keys, not for the document that says where they are */
    struct jwks_key *keys;
    size_t count;          /* of the keys that came; 0: none did */
    int64_t back_ms;       /* not failed: to be tried again then */
    struct err_detail why; /* it failed */
};

static void start(struct fetch *f, int port, struct str path)
{
    f->call = (struct hub_call){
        .host = f->item.host,
        .port = port,
        .method = "GET",
        .path = path.n ? path : STR("/"),
        .timeout_ms = f->item.c->worker->cfg->hub_timeout_ms,
        .owner = f,
    };
    f->item.open = 1;
    calls_start(f->item.calls, &f->call);
}

/* Asks at the URL, unless there is no place at its host. */
static void ask(struct fetch *f, struct str url)
{
    struct str host, path;
    int port;
    if (!jwks_url(url, &host, &port, &path)) {
        err_say(&f->why, E(BAD_FIELD), "The address of the keys is no https URL that can be asked.");
        return;
    }
    f->item.host = arena_lower(f->item.c->arena, host);
    enum hosts_word word = calls_enter(f->item.calls, f->item.host, &f->back_ms);
    if (word == HOSTS_ENTERED)
        start(f, port, path);
    else if (word == HOSTS_FULL)
        f->back_ms = PAUSE_host_full_MS;
}

static struct str discovery_of(struct arena *a, struct str issuer)
{
    bool slash = issuer.p[issuer.n - 1] == '/';
    return arena_printf(a, "%.*s" DISCOVERY, (int)(issuer.n - slash), issuer.p);
}

static err_t look(struct round_item *item)
{
    struct fetch *f = (struct fetch *)item;
    err_t e = db_issuer_find(item->c->db, item->c->arena, item->job.subject, &f->of);
    return e == E(NO_ROW) ? NULL : e;
}

static void begin(struct round_item *item)
{
    struct fetch *f = (struct fetch *)item;
    if (!f->of.issuer.p)
        return;
    f->at_keys = f->of.keys_url.p;
    ask(f, f->at_keys ? f->of.keys_url : discovery_of(item->c->arena, f->of.issuer));
}

/* The document, or the keys. */
static void take_body(struct fetch *f)
{
    struct arena *a = f->item.c->arena;
    struct str url;
    if (f->at_keys) {
        if (jwks_read(a, f->call.reply, &f->why, &f->keys, &f->count))
            f->count = 0;
        return;
    }
    if (jwks_discover(a, f->call.reply, f->of.issuer, &f->why, &url))
        return;
    f->at_keys = true;
    ask(f, url);
}

static struct round_item *take_answer(struct hub_call *call)
{
    struct fetch *f = call->owner;
    f->item.open = 0;
    calls_over(f->item.calls, call);
    if (call->outcome == HUB_CANCELLED)
        f->back_ms = 1;
    else if (call->outcome != HUB_ANSWERED)
        err_say(&f->why, E(BAD_FIELD), "%.*s: %s", STR_ARG(call->host), hub_outcome_words[call->outcome]);
    else if (call->status != 200)
        err_say(&f->why, E(BAD_FIELD), "%.*s answered %d.", STR_ARG(call->host), call->status);
    else
        take_body(f);
    return &f->item;
}

static err_t fail(struct fetch *f)
{
    struct job_context *c = f->item.c;
    struct str why = arena_str(c->arena, str_of(f->why.text));
    log_event(LOG_WARN, "issuerKeysNotFetched", L_TEXT("issuer", f->of.issuer), L_TEXT("error", why));
    TRY(db_issuer_failed(c->db, c->arena, f->of.issuer, why));
    round_put_back(&f->item, job_backoff_ms(c->kind, f->item.job.attempt), true, why);
    return NULL;
}

static err_t finish(struct round_item *item)
{
    struct fetch *f = (struct fetch *)item;
    if (f->why.text[0])
        return fail(f);
    if (f->back_ms > 0)
        round_put_back(item, f->back_ms, false, (struct str){NULL, 0});
    else
        round_done(item, f->count > 0);
    return f->count ? db_issuer_keys_put(item->c->db, item->c->arena, f->of.issuer, f->keys, f->count) : NULL;
}

err_t job_issuer_fetch(struct job_context *c)
{
    static const struct round_kind kind = {
        .size = sizeof(struct fetch), .look = look, .begin = begin, .answered = take_answer, .finish = finish};
    return round_run(c, &kind);
}
