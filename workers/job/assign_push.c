/* assign_push.c: the calls that make and change identities on hubs: in bulk (POST /devices) where the hub has it and
 * nothing is to be read first, else one by one. Hubs are called at the same time, so a slow one holds up nobody but its
 * own. It must never write a registration or a job, nor call past the deadline of the batch. */
#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "core/killpoint.h"
#include "core/process/clock.h"
#include "workers/calls.h"
#include "workers/hub/kind.h"
#include "workers/hub_answer.h"
#include "workers/job/assign_identity.h"

enum {
    BULK_MAX = 100, /* devices in one bulk call, a hub's own bound */
    FLIPS_MAX = 3,
    WORDS_MAX = 200, /* of what a hub said */
    CODE_BAD_DEVICE = 400004,
    STATUS_PART = 1000, /* a hub's error code begins with its HTTP status */
    CODE_QUOTA = 403002,
    CODE_OF_ANOTHER = 409009, /* a hub of ours: another ID scope made the device */
    CODE_CONFLICT = 409001,
};

/* What was found out about a link, to be written when there is a connection. */
struct trouble {
    bool noted, validate;
    int64_t hold_ms;
};

/* All items of one link. */
struct push {
    struct assign_batch *b;
    struct pushes *all;
    struct calls *calls;
    const struct db_link *link;
    struct assign_item **items;
    size_t count;
    struct link_credentials credentials;
    size_t credential;               /* in use */
    bool built_in;                   /* a hub of this deployment */
    bool begun, heard, single, done; /* heard: the hub has answered */
    bool told;                       /* that it is done */
    struct trouble trouble;
    struct assign_item *one; /* of a single call; NULL: the call is in bulk */
    struct hub_call call;
};

/* All hubs of all scopes of a turn. */
struct pushes {
    struct assign_turn *turn;
    void (*ended)(struct assign_turn *t);
    struct calls calls;
    struct push *at;
    size_t count;
    bool again; /* a hub that was done has got more to do */
};

static struct arena *arena_of(const struct push *p)
{
    return p->b->c->arena;
}

static struct hosts *hosts_of(const struct push *p)
{
    return p->b->c->worker->hosts;
}

bool assign_is_open(const struct assign_item *item)
{
    return item->step == ASSIGN_PUSH;
}

/* Where its next call goes. */
static const struct db_link *link_now(const struct assign_item *item)
{
    return item->source ? item->source : item->link;
}

static struct str device_id_there(const struct assign_item *item)
{
    return item->source ? item->found->device_id : item->device_id;
}

static bool is_here(const struct push *p, const struct assign_item *item)
{
    return assign_is_open(item) && link_now(item) == p->link;
}

/* The next call for an item. An identity is changed by what changes alone where the hub keeps what is not said; another
 * hub may take what is not said for what is to go, so it is read and written back whole. */
enum item_call { CALL_LEAVE, CALL_LEAVE_TWIN, CALL_CREATE, CALL_READ, CALL_CHANGE, CALL_READ_TWIN, CALL_TWIN };

static enum item_call next_call(const struct push *p, const struct assign_item *item)
{
    if (item->source)
        return item->left ? CALL_LEAVE_TWIN : CALL_LEAVE;
    if (item->placed)
        return item->twin == TWIN_IF_BLANK ? CALL_READ_TWIN : CALL_TWIN;
    if (!item->update)
        return CALL_CREATE;
    return (p->built_in && !item->doubtful) || item->standing.p ? CALL_CHANGE : CALL_READ;
}

/* --- what becomes of items ---------------------------------------------------------------------------------------- */

static void postpone_all(struct push *p, struct str sentence, int64_t least_ms, bool counts)
{
    for (size_t i = 0; i < p->count; i++) {
        struct assign_item *item = p->items[i];
        int64_t backoff_ms = counts ? job_backoff_ms(JOB_assign, item->job.attempt) : 0;
        if (is_here(p, item))
            assign_postpone(item, sentence, backoff_ms > least_ms ? backoff_ms : least_ms, counts);
    }
    p->done = true;
}

/* Comes again in a moment, whatever else is known about it. */
static void stand_back_one(struct assign_item *item)
{
    item->step = ASSIGN_WAIT;
    item->delay_ms = PAUSE_host_full_MS;
}

/* Gives back what nothing was found out about: not an attempt, due at once. */
static void release_all(struct push *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_here(p, p->items[i]))
            p->items[i]->step = ASSIGN_WAIT;
    p->done = true;
}

static void refuse(struct push *p, struct assign_item *item, int64_t code, struct str words)
{
    size_t n = words.n < WORDS_MAX ? words.n : WORDS_MAX;
    while (n > 0 && n < words.n && ((unsigned char)words.p[n] & 0xc0) == 0x80)
        n--; /* not within a character */
    item->step = ASSIGN_FAIL;
    item->error_code = CODE_BAD_DEVICE;
    item->sentence = arena_printf(arena_of(p), "%s refused the device (%lld): %.*s", p->link->host_name.p,
                                  (long long)code, (int)n, words.p ? words.p : "");
}

static void refuse_anothers(struct push *p, struct assign_item *item)
{
    item->step = ASSIGN_FAIL;
    item->called = false; /* nothing of ours is there */
    item->error_code = CODE_CONFLICT;
    item->sentence = arena_printf(arena_of(p), "The device %.*s of %s belongs to another provisioning service.",
                                  STR_ARG(item->device_id), p->link->host_name.p);
}

/* It stands there, and nothing of ours made it (decisions.md 28). */
static void take_existing(struct push *p, struct assign_item *item)
{
    item->doubtful = false;
    item->adopted = p->b->rows->scope.existing_device != EXISTING_REFUSE;
    if (item->adopted)
        return;
    item->step = ASSIGN_FAIL;
    item->called = false;
    item->identity_taken = true;
    item->error_code = CODE_CONFLICT;
    item->sentence = arena_printf(arena_of(p),
                                  "The device %.*s stands on %s already, and this provisioning service did not make it "
                                  "(existingDevice is refuse).",
                                  STR_ARG(item->device_id), p->link->host_name.p);
}

static bool was_target(const struct push *p, const struct assign_item *item)
{
    return item->found->target_hub.p && str_same_nocase(item->found->target_hub, p->link->host);
}

/* A device without a record here: whether an earlier attempt made what is found, its credentials tell. */
static void find_existing(struct push *p, struct assign_item *item)
{
    if (item->found->assigned_hub.p || item->update)
        return;
    item->doubtful = was_target(p, item);
    if (!item->doubtful)
        take_existing(p, item);
}

/* What was found when the hub was listed is not there any more, or not this service's to take. */
static void choose_instead(struct assign_item *item)
{
    item->missing = true;
    item->called = false;
    assign_postpone(item, (struct str){NULL, 0}, 0, false);
}

/* There when it was thought missing, or the other way round, or changed since it was read: the next call goes by that.
 */
static void flip(struct push *p, struct assign_item *item, int64_t status)
{
    item->adopted = item->adopted && status != 404;
    if (status == 409)
        find_existing(p, item);
    item->update = status != 404;
    item->placed = false;
    item->standing = (struct str){NULL, 0};
    if (++item->flips > FLIPS_MAX && assign_is_open(item))
        assign_postpone(item, arena_printf(arena_of(p), "%s gives contradictory answers.", p->link->host_name.p),
                        job_backoff_ms(JOB_assign, item->job.attempt), true);
}

static void postpone_one(struct push *p, struct assign_item *item, int64_t code)
{
    assign_postpone(
        item, arena_printf(arena_of(p), "%s answered %lld for the device.", p->link->host_name.p, (long long)code),
        job_backoff_ms(JOB_assign, item->job.attempt), true);
}

/* One device's answer, in bulk or alone, by its HTTP status and the hub's code (which begins with it). */
static void judge(struct push *p, struct assign_item *item, int64_t code, struct str words)
{
    int64_t status = code / STATUS_PART;
    if (item->found_there && (code == CODE_OF_ANOTHER || status == 404))
        choose_instead(item);
    else if (code == CODE_OF_ANOTHER)
        refuse_anothers(p, item);
    else if (status == 409 || status == 404 || status == 412)
        flip(p, item, status);
    else if (code == CODE_QUOTA ||
             (status >= 400 && status < 500 && status != 401 && status != 403 && status != 408 && status != 429))
        refuse(p, item, code, words);
    else
        postpone_one(p, item, code);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static err_t write_device(struct push *p, const struct assign_item *item, struct text *out)
{
    const struct key_ring *ring = p->b->c->worker->ring;
    if (item->update)
        return identity_change(arena_of(p), ring, item, out);
    return identity_create(arena_of(p), ring, item, !p->one, out);
}

/* What is stored and does not open is our own trouble: it waits for a person with the right key ring. */
static void unopened(struct push *p, struct assign_item *item)
{
    assign_postpone(item, arena_printf(arena_of(p), "The stored attestation of the device cannot be opened."),
                    job_backoff_ms(JOB_assign, item->job.attempt), true);
}

/* Two devices of one name cannot be in one bulk call: the second waits for its turn. */
static bool name_is_taken(const struct push *p, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (is_here(p, p->items[i]) && str_same(p->items[i]->device_id, p->items[index]->device_id))
            return true;
    return false;
}

/* False when there is nothing to be told of it. */
static bool add_member(struct push *p, struct assign_item *item, struct text *out)
{
    struct text one;
    text_init(&one, arena_of(p), 512);
    text_add_char(&one, '{');
    json_member_text(&one, "id", item->device_id);
    json_member_text(&one, "importMode", item->update ? STR("update") : STR("create"));
    if (write_device(p, item, &one)) {
        unopened(p, item);
        return false;
    }
    text_add_char(&one, '}');
    if (out->n > 1)
        text_add_char(out, ',');
    text_add(out, text_str(&one));
    item->called = true;
    return true;
}

static struct str bulk_body(struct push *p)
{
    struct text out;
    int members = 0;
    text_init(&out, arena_of(p), p->count * 512);
    text_add_char(&out, '[');
    for (size_t i = 0; i < p->count && members < BULK_MAX; i++) {
        struct assign_item *item = p->items[i];
        if (is_here(p, item) && name_is_taken(p, i))
            stand_back_one(item);
        else if (is_here(p, item))
            members += add_member(p, item, &out);
    }
    text_add_char(&out, ']');
    return text_str(&out);
}

static err_t single_body(struct push *p, struct assign_item *item, struct str *ret)
{
    struct text out;
    text_init(&out, arena_of(p), 512);
    text_add_char(&out, '{');
    json_member_text(&out, "deviceId", item->device_id);
    TRY(write_device(p, item, &out));
    text_add_char(&out, '}');
    *ret = text_str(&out);
    item->called = true;
    return NULL;
}

static bool goes_alone(const struct push *p, const struct assign_item *item)
{
    enum item_call next = next_call(p, item);
    return p->single || item->standing.p || (next != CALL_CREATE && next != CALL_CHANGE);
}

static struct assign_item *next_alone(const struct push *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_here(p, p->items[i]) && goes_alone(p, p->items[i]))
            return p->items[i];
    return NULL;
}

static bool has_more(const struct push *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_here(p, p->items[i]))
            return true;
    return false;
}

static void start_call(struct push *p, struct hub_call call)
{
    call.host = p->link->host;
    call.credential = &p->credentials.at[p->credential];
    call.timeout_ms = p->b->c->worker->cfg->hub_timeout_ms;
    call.id_scope = p->b->id_scope;
    call.owner = p;
    p->call = call;
    calls_start(p->calls, &p->call);
}

/* What each call asks; its body comes from elsewhere. */
static const struct {
    enum hub_ask what;
    bool identity; /* writes one */
} calls_of[] = {
    [CALL_LEAVE] = {.what = HUB_READ},
    [CALL_LEAVE_TWIN] = {.what = HUB_TWIN_READ},
    [CALL_CREATE] = {.what = HUB_MAKE, .identity = true},
    [CALL_READ] = {.what = HUB_READ},
    [CALL_CHANGE] = {.what = HUB_UPDATE, .identity = true},
    [CALL_READ_TWIN] = {.what = HUB_TWIN_READ},
    [CALL_TWIN] = {.what = HUB_TWIN_WRITE},
};

/* False when there is nothing to be told of it. */
static bool start_single(struct push *p, struct assign_item *item)
{
    struct arena *a = arena_of(p);
    enum item_call next = next_call(p, item);
    struct hub_call call = {.method = NULL};
    hub_ask(&hub_iothub, calls_of[next].what, device_id_there(item), a, &call);
    if (call.if_match.p)
        call.if_match = hub_answer_if_match(a, item->standing);
    if (calls_of[next].identity && single_body(p, item, &call.body)) {
        unopened(p, item);
        return false;
    }
    if (next == CALL_TWIN) {
        KILL_POINT_OF("assign_placed", p->b->id_scope, item->job.subject);
        call.body = identity_twin(a, item);
    }
    start_call(p, call);
    return true;
}

static void start_bulk(struct push *p)
{
    struct hub_call call = {.body = bulk_body(p)};
    hub_ask(&hub_iothub, HUB_MAKE_MANY, (struct str){NULL, 0}, arena_of(p), &call);
    if (has_more(p))
        start_call(p, call);
    else
        p->done = true;
}

/* The next call for what is still open; done when nothing is. */
static void go_on(struct push *p)
{
    do
        p->one = next_alone(p);
    while (p->one && !start_single(p, p->one));
    if (!p->one)
        start_bulk(p);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static int64_t error_code(const json_t *error)
{
    const json_t *code = json_object_get(error, "errorCode");
    if (json_is_integer(code))
        return json_integer_value(code);
    struct str word = str_of(json_string_value(code));
    int64_t n;
    if (word.p && dec_i64(word, 0, 999999, &n))
        return n;
    if (str_same(word, STR("DeviceAlreadyExists")))
        return 409001;
    if (str_same(word, STR("DeviceNotFound")))
        return 404001;
    return str_same(word, STR("ThrottlingException")) ? 429001 : 400000;
}

/* False when the error is about none of the devices that were sent. */
static bool judge_error(struct push *p, const json_t *error)
{
    struct str id = str_of(json_string_value(json_object_get(error, "deviceId")));
    struct str words = arena_str(arena_of(p), str_of(json_string_value(json_object_get(error, "errorStatus"))));
    for (size_t i = 0; id.p && i < p->count; i++) {
        if (!is_here(p, p->items[i]) || !str_same(p->items[i]->device_id, id))
            continue;
        judge(p, p->items[i], error_code(error), words);
        return true;
    }
    return false;
}

/* The identity is in place; its twin may be to be written yet. */
static void place(struct assign_item *item, enum assign_twin twin)
{
    item->standing = (struct str){NULL, 0};
    item->twin = twin;
    item->placed = twin != TWIN_STAYS;
    item->step = item->placed ? ASSIGN_PUSH : ASSIGN_MADE;
}

/* Devices that were sent and that no error names are made; with their twins, when they are new. */
static void take_made(struct push *p, const int *flips_before)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_here(p, p->items[i]) && p->items[i]->called && p->items[i]->flips == flips_before[i])
            place(p->items[i], p->items[i]->update ? identity_twin_of_found(p->items[i]) : TWIN_STAYS);
}

/* {"isSuccessful", "errors": [{"deviceId", "errorCode", "errorStatus"}]}. False when the answer is none of these, or
 * leaves open whom it is about: then nobody is taken for made. */
static bool take_bulk(struct push *p)
{
    json_auto_t *body = NULL;
    if (json_read(p->call.reply, NULL, &body) || !json_is_boolean(json_object_get(body, "isSuccessful")))
        return false;
    const json_t *errors = json_object_get(body, "errors");
    bool clear = json_is_true(json_object_get(body, "isSuccessful")) || json_array_size(errors) > 0;
    int *flips = ARENA_NEW_ARRAY(arena_of(p), p->count, int);
    for (size_t i = 0; i < p->count; i++)
        flips[i] = p->items[i]->flips;
    for (size_t i = 0; i < json_array_size(errors); i++)
        clear = judge_error(p, json_array_get(errors, i)) && clear;
    if (clear)
        take_made(p, flips);
    return clear;
}

/* The hub cannot be worked with for the moment: silence, or an answer that asks for less. */
static void note_trouble(struct push *p, struct str sentence, bool slow)
{
    int64_t held_ms = slow ? hosts_was_slow(hosts_of(p), p->link->host, p->call.retry_after_ms) : 0;
    p->trouble = (struct trouble){.noted = true, .validate = p->call.status != 429, .hold_ms = held_ms};
    postpone_all(p, sentence, held_ms, true);
}

static void take_silence(struct push *p)
{
    note_trouble(
        p, arena_printf(arena_of(p), "Waiting for %s: %s.", p->link->host_name.p, hub_outcome_words[p->call.outcome]),
        true);
}

/* The first credential is tried first; a second one is for the time between two renewals. */
static void take_refusal(struct push *p)
{
    if (p->credential + 1 < p->credentials.count) {
        p->credential++;
        go_on(p);
        return;
    }
    note_trouble(p,
                 arena_printf(arena_of(p), "Waiting for %s: it refuses this service (%d).", p->link->host_name.p,
                              p->call.status),
                 false);
}

static void take_bulk_answer(struct push *p)
{
    int status = p->call.status;
    bool lacks_bulk = status == 404 || status == 405 || status == 501;
    if (lacks_bulk)
        hosts_found_no_bulk(hosts_of(p), p->link->host);
    else
        hosts_was_good(hosts_of(p), p->link->host);
    if (lacks_bulk || !take_bulk(p))
        p->single = true; /* one by one, so that one bad device fails alone */
    go_on(p);
}

/* A web page, whatever its status, makes no device and refuses none. */
static void take_strange(struct push *p)
{
    note_trouble(p,
                 arena_printf(arena_of(p), "Waiting for %s: it answered %d, and not as a hub does.",
                              p->link->host_name.p, p->call.status),
                 true);
}

static struct push *push_of(struct pushes *s, struct assign_batch *b, const struct db_link *link)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i].link == link)
            return &s->at[i];
    struct push *p = &s->at[s->count++];
    *p = (struct push){.b = b,
                       .all = s,
                       .calls = &s->calls,
                       .link = link,
                       .built_in = id_hub_built_in(b->c->arena, link->host, b->c->worker->hub.domain),
                       .items = ARENA_NEW_ARRAY(b->c->arena, b->rows->count, struct assign_item *)};
    return p;
}

/* Among the hub's words; replies end in a NUL. */
static bool says(const struct push *p, const char *word)
{
    return strstr(p->call.reply.p, word) != NULL;
}

/* The hub that the device leaves has said what it knows: on to the other one. */
static void leave(struct push *p, struct assign_item *item)
{
    item->source = NULL;
    struct push *to = push_of(p->all, p->b, item->link);
    to->items[to->count++] = item;
    if (to->done)
        to->begun = to->done = to->told = false;
    p->all->again = true;
}

static void take_read(struct push *p, struct assign_item *item)
{
    item->standing = p->call.reply;
    bool current = identity_is_current(arena_of(p), p->b->c->worker->ring, item);
    if (item->doubtful && !(current && was_target(p, item) && !item->found_there))
        take_existing(p, item);
    else if (current)
        place(item, identity_twin_of_found(item));
}

static void take_document(struct push *p, struct assign_item *item)
{
    struct arena *a = arena_of(p);
    switch (next_call(p, item)) {
    case CALL_LEAVE:
        KILL_POINT_OF("assign_left", p->b->id_scope, item->job.subject);
        identity_carry(a, p->call.reply, item);
        item->left = true;
        if (!identity_takes_data(item))
            leave(p, item);
        break;
    case CALL_LEAVE_TWIN:
        KILL_POINT_OF("assign_left_twin", p->b->id_scope, item->job.subject);
        identity_carry_twin(a, p->call.reply, item);
        leave(p, item);
        break;
    case CALL_READ:
        take_read(p, item);
        break;
    case CALL_CREATE:
        place(item, identity_twin_of_made(item));
        break;
    case CALL_CHANGE:
        place(item, identity_twin_of_found(item));
        break;
    case CALL_READ_TWIN:
        place(item, identity_twin_is_blank(p->call.reply) ? TWIN_BEGINS : TWIN_STAYS);
        break;
    case CALL_TWIN:
        KILL_POINT_OF("assign_twin", p->b->id_scope, item->job.subject);
        place(item, TWIN_STAYS);
        break;
    }
}

static void take_error(struct push *p, struct assign_item *item, struct str words)
{
    bool anothers = p->call.status == 409 && says(p, "DeviceOfAnotherScope");
    if (!item->source)
        judge(p, item, anothers ? CODE_OF_ANOTHER : p->call.status * STATUS_PART, words);
    else if (p->call.status == 404)
        leave(p, item);
    else
        postpone_one(p, item, p->call.status);
}

static void take_single_answer(struct push *p)
{
    struct str words = hub_answer_message(&p->call);
    bool named = hub_answer_names(&p->call, device_id_there(p->one));
    if (!named && !words.p) {
        take_strange(p);
        return;
    }
    hosts_was_good(hosts_of(p), p->link->host);
    if (named)
        take_document(p, p->one);
    else
        take_error(p, p->one, words);
    go_on(p);
}

static void take_answer(struct push *p)
{
    int status = p->call.status;
    bool by_device = (p->one || status == 501) && status != 503;
    if (p->call.outcome == HUB_CANCELLED)
        release_all(p);
    else if (p->call.outcome != HUB_ANSWERED)
        take_silence(p);
    else if (status == 401 || (status == 403 && !says(p, "403002")) || (status == 404 && says(p, "IotHubNotFound")))
        take_refusal(p);
    else if (status == 408 || status == 429 || (status >= 500 && !by_device) || (status >= 300 && status < 400))
        note_trouble(p, arena_printf(arena_of(p), "Waiting for %s: it answered %d.", p->link->host_name.p, status),
                     true);
    else if (p->one)
        take_single_answer(p);
    else
        take_bulk_answer(p);
}

/* --- all hubs of a batch ------------------------------------------------------------------------------------------ */

/* The hub is well and has enough of our threads: the items come again in a moment. */
static void stand_back(struct push *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_here(p, p->items[i]))
            stand_back_one(p->items[i]);
    p->done = true;
}

static void first_call(struct push *p)
{
    struct arena *a = arena_of(p);
    if (link_unseal(a, p->b->c->worker->ring, p->b->id_scope, p->link, &p->credentials) || p->credentials.count == 0) {
        postpone_all(p, arena_printf(a, "The credential of %s cannot be opened.", p->link->host_name.p), 0, true);
        return;
    }
    p->single = hosts_lacks_bulk(hosts_of(p), p->link->host);
    go_on(p);
}

/* Stays to be begun when the host has no room for this turn. */
static void begin(struct push *p)
{
    int64_t held_ms = 0;
    enum hosts_word word = calls_enter(p->calls, p->link->host, &held_ms);
    if (word == HOSTS_FULL)
        return;
    p->begun = true;
    if (word == HOSTS_ENTERED)
        first_call(p);
    else
        postpone_all(p, arena_printf(arena_of(p), "Waiting for %s, which was slow a moment ago.", p->link->host_name.p),
                     held_ms, false);
    if (p->done)
        calls_leave(p->calls, p->link->host);
}

static void group_by_hub(struct pushes *s)
{
    const struct assign_turn *t = s->turn;
    size_t links = 0;
    for (size_t i = 0; i < t->count; i++)
        links += t->rows[i].scope.link_count;
    s->at = ARENA_NEW_ARRAY(t->c->arena, links, struct push);
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->rows[i].count; k++) {
            struct assign_item *item = &t->at[i].items[k];
            if (!assign_is_open(item))
                continue;
            struct push *p = push_of(s, &t->at[i], link_now(item));
            p->items[p->count++] = item;
        }
}

static bool is_to_begin(const struct push *p)
{
    return !p->begun && !p->done;
}

/* Of the scopes of a turn that link one host the first calls it alone: when it is silent, the others have not called it
 * in vain as well. */
static bool must_wait(const struct push *p)
{
    const struct pushes *s = p->all;
    for (size_t i = 0; i < s->count; i++) {
        const struct push *o = &s->at[i];
        if (o->begun && !o->done && !o->heard && str_same(o->link->host, p->link->host))
            return true;
    }
    return false;
}

static void begin_where_room_is(struct pushes *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (is_to_begin(&s->at[i]) && !must_wait(&s->at[i]))
            begin(&s->at[i]);
}

/* Who stands back has been claimed and chosen for in vain, so a place at a hub that answers is waited for. */
static bool has_patience(const struct push *p)
{
    int64_t claimed_ms = p->calls->claimed_ms, now_ms = clock_ms(), waited_ms = now_ms - claimed_ms;
    if (now_ms >= job_deadline_ms(p->b->c->worker, claimed_ms))
        return false;
    return waited_ms < WAIT_assign_place_MS ||
           (waited_ms < WAIT_assign_place_busy_MS && hosts_answers(hosts_of(p), p->link->host));
}

static unsigned begin_all(void *context)
{
    struct pushes *s = context;
    unsigned begun = 0;
    begin_where_room_is(s);
    for (size_t i = 0; i < s->count; i++) {
        struct push *p = &s->at[i];
        bool waits = is_to_begin(p) && !must_wait(p);
        if (waits && has_patience(p))
            begun |= CALLS_WAIT;
        else if (waits)
            stand_back(p);
        if (p->done && !p->told)
            begun |= CALLS_NEWS;
    }
    return begun;
}

static void take_ended(void *context, struct hub_call *call)
{
    struct push *p = call->owner;
    bool first = !p->heard;
    p->heard = call->outcome == HUB_ANSWERED;
    take_answer(p);
    if (p->done)
        calls_leave(p->calls, p->link->host);
    if (p->done || first || p->all->again)
        begin_where_room_is(context);
    p->all->again = false;
}

/* What is known by now. A word about a link that cannot be written is no loss: the next call finds it out again. */
static void write_known(void *context)
{
    struct pushes *s = context;
    struct job_context *c = s->turn->c;
    for (size_t i = 0; i < s->count; i++) {
        struct push *p = &s->at[i];
        struct trouble *t = &p->trouble;
        p->told = p->done;
        if (t->noted)
            (void)db_link_trouble(c->db, c->arena, p->b->id_scope, p->link->host, t->hold_ms, t->validate);
        t->noted = false;
    }
    s->ended(s->turn);
}

void assign_push(struct assign_turn *t, void (*ended)(struct assign_turn *t))
{
    static const struct calls_steps steps = {begin_all, take_ended, write_known};
    struct pushes s = {.turn = t, .ended = ended};
    group_by_hub(&s);
    calls_begin(&s.calls, t->c, t->claimed_ms);
    calls_run(&s.calls, &steps, &s);
    calls_end(&s.calls);
}
