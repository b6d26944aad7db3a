/* attempts.c: refused calls of devices, from the lanes to the log. Whatever comes, what is held and what is written is
 * bounded, each scope has a share of its own, and refusals of ids that are not enrolled take none of the others'. It
 * must never let a device wait for the log, nor tell it anything. */
#include "api/attempts.h"

#include <pthread.h>
#include <stdatomic.h>

#include "api/diagnosis.h"
#include "api/shared.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/process/clock.h"
#include "core/process/metric.h"
#include "db/attempt.h"

enum {
    RING_MAX = 5,                           /* notes of a ring in a round, */
    NOTES_MAX = 512,                        /* and of all together, */
    NOTES_EVEN = NOTES_MAX / 2,             /* of which the last are for rings that have none yet */
    DIAGNOSED_MAX = 5,                      /* of a scope in a round, */
    DIAGNOSING_US = ATTEMPTS_ROUND_US / 100 /* and of all what takes so long, of this thread's own time */
};

/* What was noted in one round. */
struct notes {
    struct arena *arena;
    size_t count;
    uint64_t rings[NOTES_MAX]; /* whose each is, as a hash */
    struct attempt_row at[NOTES_MAX];
    struct str authorizations[NOTES_MAX]; /* that came with them; absent: none */
    bool by_address[NOTES_MAX];           /* refused for where it came from: nobody looked at its credential */
    bool looked_into[NOTES_MAX];
};

struct attempts {
    struct arena *arena;
    pthread_mutex_t lock;
    struct notes *noted; /* by lanes, under the lock */
    struct notes *kept;  /* what could not be written; NULL: nothing */
    uint64_t secret;
    _Atomic uint64_t written, dropped;
};

/* Who writes, and with what. */
struct writer {
    struct attempts *attempts;
    const struct shared *shared;
    struct db *db;
};

static struct notes *notes_new(void)
{
    struct arena *a = arena_new();
    struct notes *n = ARENA_NEW(a, struct notes);
    n->arena = a;
    return n;
}

struct attempts *attempts_new(void)
{
    struct arena *a = arena_new();
    struct attempts *t = ARENA_NEW(a, struct attempts);
    *t = (struct attempts){.arena = a, .noted = notes_new()};
    crypt_random(&t->secret, sizeof t->secret);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void attempts_free(struct attempts *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    if (t->kept)
        arena_free(t->kept->arena);
    arena_free(t->noted->arena);
    arena_free(t->arena);
}

/* --- noted -------------------------------------------------------------------------------------------------------- */

/* Of a scope that is none nobody could read the log. */
static bool belongs_in_log(const struct call *r)
{
    bool refused = r->error == E(UNAUTHORIZED) || r->error == E(ADDRESS_REFUSED);
    return r->route->credential == CREDENTIAL_DEVICE && refused && r->instance && r->instance->name.n;
}

/* However many scopes are flooded, others have a place. */
static bool has_room(const struct notes *n, uint64_t ring)
{
    size_t same = 0;
    for (size_t i = 0; i < n->count; i++)
        same += n->rings[i] == ring;
    return n->count < NOTES_MAX && same < (n->count < NOTES_EVEN ? RING_MAX : 1);
}

/* Devices have a say in what stands there, so it is made plain: what is no text would fail the whole write. */
static struct str plain(struct arena *a, struct str s, size_t at_most)
{
    struct text t;
    text_init(&t, a, at_most + 1);
    for (size_t i = 0; i < s.n && i < at_most; i++)
        text_add_char(&t, s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?');
    return text_str(&t);
}

static const struct str UNKNOWN = STR("there is no enrollment of this registration id");

/* What is said of a stranger's credential is of nobody's keys and of those of groups. */
static struct str of_stranger(struct arena *a, struct str said)
{
    return arena_printf(a, "%s, and no group admits it (%.*s)", UNKNOWN.p, STR_ARG(said));
}

static struct str reason_of(struct arena *a, const struct call *r)
{
    struct str said = str_of(r->log_detail.text[0] ? r->log_detail.text : r->error->sentence);
    bool whole = r->enrolled || r->error == E(ADDRESS_REFUSED) || str_starts(said, UNKNOWN);
    return whole ? said : of_stranger(a, said);
}

static void take(struct notes *n, const struct call *r, uint64_t ring)
{
    struct arena *a = n->arena;
    n->authorizations[n->count] = arena_str(a, r->presented.authorization);
    n->rings[n->count] = ring;
    n->by_address[n->count] = r->error == E(ADDRESS_REFUSED);
    n->at[n->count++] = (struct attempt_row){
        .id_scope = arena_str(a, r->instance->id_scope),
        .enrolled = r->enrolled,
        .at_us = r->now_us,
        .tracking = r->tracking,
        .registration_key = arena_lower(a, r->segments[SEGMENT_ID]),
        .registration_id = arena_str(a, r->segments[SEGMENT_ID]),
        .error_code = r->error->code,
        .reason = plain(a, reason_of(a, r), ATTEMPT_REASON_MOST),
        .address = plain(a, r->presented.address, ATTEMPT_ADDRESS_MOST),
    };
}

void attempts_note(struct attempts *t, const struct call *r)
{
    if (!belongs_in_log(r))
        return;
    uint64_t ring = str_hash(r->instance->id_scope, t->secret) << 1 | r->enrolled;
    pthread_mutex_lock(&t->lock);
    bool room = has_room(t->noted, ring);
    if (room)
        take(t->noted, r, ring);
    pthread_mutex_unlock(&t->lock);
    atomic_fetch_add_explicit(&t->dropped, !room, memory_order_relaxed);
}

/* --- written ------------------------------------------------------------------------------------------------------ */

/* What was noted since the last time; NULL: nothing. */
static struct notes *take_noted(struct attempts *t)
{
    struct notes *noted = NULL;
    pthread_mutex_lock(&t->lock);
    if (t->noted->count) {
        noted = t->noted;
        t->noted = notes_new();
    }
    pthread_mutex_unlock(&t->lock);
    return noted;
}

/* A diagnosis takes the place of the lane's own words. */
static void diagnose(const struct writer *w, struct notes *n, size_t i)
{
    struct arena *a = n->arena;
    struct attempt_row *at = &n->at[i];
    struct diagnosis found = diagnosis_of(a, w->shared, w->db, at, n->authorizations[i]);
    struct str reason = at->reason;
    if (found.mistake.p)
        reason = at->enrolled ? found.mistake : of_stranger(a, found.mistake);
    if (found.nearest.p)
        reason = arena_printf(a, "%s (near it: %.*s)%s", UNKNOWN.p, STR_ARG(found.nearest), reason.p + UNKNOWN.n);
    at->reason = plain(a, reason, ATTEMPT_REASON_MOST);
}

/* Does its scope have a diagnosis left? Both rings of a scope have hashes that differ in the last bit. */
static bool is_due(const struct notes *n, size_t i)
{
    size_t same = 0;
    for (size_t j = 0; j < n->count; j++)
        same += n->looked_into[j] && n->rings[j] >> 1 == n->rings[i] >> 1;
    bool unclear = !n->by_address[i] && (n->authorizations[i].n || !n->at[i].enrolled);
    return unclear && same < DIAGNOSED_MAX;
}

/* Strangers get what the others leave. */
static void diagnose_all(const struct writer *w, struct notes *n)
{
    int64_t until_us = clock_us(CLOCK_THREAD_CPUTIME_ID) + DIAGNOSING_US;
    for (int strangers = 0; strangers < 2; strangers++)
        for (size_t i = 0; i < n->count; i++) {
            if (n->at[i].enrolled == strangers || !is_due(n, i) || clock_us(CLOCK_THREAD_CPUTIME_ID) >= until_us)
                continue;
            diagnose(w, n, i);
            n->looked_into[i] = true;
        }
}

/* True: the database is away, and the notes are to be kept until it is back. */
static bool write_notes(const struct writer *w, struct notes *n)
{
    struct attempts *t = w->attempts;
    err_t e = db_attempt_write(w->db, n->arena, n->at, n->count);
    if (e == E(DATABASE_UNAVAILABLE))
        return true;
    if (e)
        log_event(LOG_WARN, "attemptsLost", L_CSTR("error", e->name), L_CSTR("detail", db_message(w->db)),
                  L_NUM("count", (int64_t)n->count));
    atomic_fetch_add_explicit(e ? &t->dropped : &t->written, n->count, memory_order_relaxed);
    return false;
}

/* What was kept, or else what was noted since. */
void attempts_write(struct attempts *t, const struct shared *shared, struct db *db)
{
    const struct writer w = {t, shared, db};
    if (!t->kept && (t->kept = take_noted(t)))
        diagnose_all(&w, t->kept);
    if (!t->kept || write_notes(&w, t->kept))
        return;
    arena_free(t->kept->arena);
    t->kept = NULL;
}

void attempts_metrics(const struct attempts *t, struct text *out)
{
    metric_one(out, "idscope_attempts_written_total", "Refused attempts of devices that were written to the log.",
               METRIC_COUNTER, t->written);
    metric_one(out, "idscope_attempts_dropped_total",
               "Refused attempts that were not: their scope had more of them in a second than the log takes.",
               METRIC_COUNTER, t->dropped);
}
