/* schedule.c: jobs.def read as a table. It must never know what a job does, nor look at a clock. */
#include "workers/schedule.h"

#include "core/crypt.h"

enum { DOUBLINGS_MAX = 16 };
/* To the queue the deployment is one more tenant. */
enum { JOBS_OF_SCOPE = false, JOBS_OF_TENANT = true, JOBS_OF_DEPLOYMENT = true };

static const struct {
    const char *name;
    bool of_tenant;
    int claim;
    int64_t first_ms, longest_ms;
    int attempts;
} kinds[] = {
#define JOB(kind, whose, claim, turn_scopes, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)     \
    {#kind, JOBS_OF_##whose, claim, first_ms, longest_ms, attempts},
#include "core/jobs.def"
};

static const struct pool_kind pool_kinds[] = {
#define JOB(kind, whose, claim, turn_scopes, slots, scope_slots, weight, first_ms, longest_ms, attempts, sentence)     \
    {turn_scopes, slots, scope_slots, weight},
#include "core/jobs.def"
};

static const struct {
    int64_t first_ms, longest_ms, part;
} paces[] = {
#define PACE(name, first_ms, longest_ms, part, sentence) {first_ms, longest_ms, part},
#include "core/jobs.def"
};

static const struct {
    int64_t first_ms, longest_ms, longest_asked_ms;
} holds[] = {
#define HOLD(name, first_ms, longest_ms, longest_asked_ms, sentence) {first_ms, longest_ms, longest_asked_ms},
#include "core/jobs.def"
};

struct str job_kind_name(enum job_kind kind)
{
    return str_of(kinds[kind].name);
}

bool job_is_of_tenant(enum job_kind kind)
{
    return kinds[kind].of_tenant;
}

int job_claim_limit(enum job_kind kind)
{
    return kinds[kind].claim;
}

const struct pool_kind *job_pool_kinds(void)
{
    return pool_kinds;
}

int64_t percent_of(int percent, int64_t ms)
{
    return ms * percent / 100;
}

/* So much of `ms`: nothing to that. */
static int64_t at_random(int64_t ms)
{
    uint8_t random;
    crypt_random(&random, sizeof random);
    return ms * random / 256;
}

int64_t next_check_ms(int64_t ms)
{
    return ms - at_random(percent_of(PERCENT_of_check_sooner, ms));
}

static int64_t doubled(int64_t first_ms, int64_t longest_ms, int times)
{
    int64_t ms = first_ms << (times < DOUBLINGS_MAX ? times : DOUBLINGS_MAX);
    return ms < longest_ms ? ms : longest_ms;
}

int64_t job_backoff_ms(enum job_kind kind, int attempt)
{
    int64_t ms = doubled(kinds[kind].first_ms, kinds[kind].longest_ms, attempt);
    return ms - at_random(ms / 4);
}

bool job_is_over(enum job_kind kind, int attempt)
{
    return kinds[kind].attempts > 0 && attempt >= kinds[kind].attempts;
}

int64_t pace_ms(enum pace pace, int64_t lasted_ms)
{
    int64_t ms = lasted_ms / paces[pace].part;
    if (ms < paces[pace].first_ms)
        return paces[pace].first_ms;
    return ms < paces[pace].longest_ms ? ms : paces[pace].longest_ms;
}

int64_t hold_ms(enum hold hold, int times, int64_t asked_ms)
{
    int64_t ms = doubled(holds[hold].first_ms, holds[hold].longest_ms, times);
    if (asked_ms > ms)
        ms = asked_ms < holds[hold].longest_asked_ms ? asked_ms : holds[hold].longest_asked_ms;
    return ms + at_random(ms / 4);
}
