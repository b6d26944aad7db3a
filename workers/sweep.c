/* sweep.c: what is due by the calendar rather than by a cause: links to validate and to measure become jobs, data of
 * deleted instances and hubs goes in bounded bites, stored inputs that nobody names any more go too. It must never take
 * long in one transaction. */
#include <string.h>

#include "core/crypt.h"
#include "core/process/clock.h"
#include "db/job.h"
#include "workers/loop.h"

enum { LINKS_AT_ONCE = 200, BITE = 2000, BITES_PER_SWEEP = 20, INPUTS_EVERY_MS = 600000 };

/* Where the rare sweep of stored inputs stands; used by the sweeper's thread alone. */
static struct {
    char scope[32];
    int64_t next_ms;
} inputs;

/* Up to a tenth sooner, so that links of many scopes do not stay in step. */
static int64_t spread(int64_t ms)
{
    uint8_t random;
    crypt_random(&random, sizeof random);
    return ms - ms * random / 2560;
}

static err_t schedule_links(struct worker *w, struct db *db, struct arena *a)
{
    int64_t validations = 0, measurements = 0;
    TRY(db_sweep_link_validate(db, a, spread(w->cfg->link_check_s * 1000), LINKS_AT_ONCE, &validations));
    TRY(db_sweep_latency_measure(db, a, spread(w->cfg->latency_check_s * 1000), LINKS_AT_ONCE, &measurements));
    atomic_fetch_add(&w->swept, validations + measurements);
    return NULL;
}

static err_t purge(struct worker *w, struct db *db, struct arena *a, bool of_hubs)
{
    int64_t gone = 1;
    for (int i = 0; i < BITES_PER_SWEEP && gone > 0 && !atomic_load(&w->stopping); i++) {
        gone = 0;
        TRY(of_hubs ? db_sweep_retired_hubs(db, a, BITE, &gone) : db_sweep_retired_scope(db, a, BITE, &gone));
        atomic_fetch_add(&w->swept, gone);
    }
    return NULL;
}

/* Counts of the hubs that were written to, a bite each. */
static err_t fold_counts(struct worker *w, struct db *db, struct arena *a)
{
    int64_t hub = 0;
    for (int i = 0; i < BITES_PER_SWEEP && !atomic_load(&w->stopping); i++) {
        TRY(db_sweep_hub_device_count(db, a, &hub, BITE));
        if (!hub)
            break;
    }
    return NULL;
}

/* One scope per sweep, a round every ten minutes. */
static err_t sweep_inputs(struct worker *w, struct db *db, struct arena *a)
{
    if (clock_ms() < inputs.next_ms)
        return NULL;
    struct str scope = str_of(inputs.scope);
    int64_t gone = 0;
    err_t e = db_sweep_alloc_input(db, a, &scope, BITE, &gone);
    if (e == E(NO_ROW)) {
        memset(inputs.scope, 0, sizeof inputs.scope);
        inputs.next_ms = clock_ms() + INPUTS_EVERY_MS;
        return db_sweep_latency(db, &gone);
    }
    TRY(e);
    memset(inputs.scope, 0, sizeof inputs.scope);
    memcpy(inputs.scope, scope.p, scope.n < sizeof inputs.scope ? scope.n : sizeof inputs.scope - 1);
    atomic_fetch_add(&w->swept, gone);
    return NULL;
}

err_t sweep(struct worker *w, struct db *db, struct arena *a)
{
    TRY(schedule_links(w, db, a));
    TRY(purge(w, db, a, false));
    TRY(purge(w, db, a, true));
    TRY(fold_counts(w, db, a));
    return sweep_inputs(w, db, a);
}
