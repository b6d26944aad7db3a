/* alloc.h: which hub a device gets, as a pure function. The worker calls it once and stores its inputs under their
 * hash; explain calls it again with the stored inputs and must get the same bytes. Nothing here may look at a clock, a
 * socket or a table.
 *
 * The policy in force and the hubs that it looks at:
 *     instance policy     enrollment policy    hubs named         result
 *     any                 absent               one                that hub
 *     hashed, geoLatency  absent               none / several     that policy over all links / over the named ones
 *     static              absent               none or several    ALLOC_NONE: name one hub on the enrollment
 *     any                 static               one                that hub
 *     any                 hashed, geoLatency   none / some        that policy over all links / over the named ones
 *     any                 any                  only drained or    ALLOC_NONE, naming them
 *                                              unlinked ones
 * Candidates are links that are not drained, in state pending, valid or degraded. Unreachable ones may come back:
 * ALLOC_WAIT while no candidate is left. A choice that falls on a pending link is ALLOC_WAIT too, until that link's
 * first validation says what it is. */
#ifndef IDSCOPE_ALLOC_H
#define IDSCOPE_ALLOC_H

#include "limits.h"
#include "model.h"

enum { ALLOC_VERSION = 1 };

struct alloc_hub {
    struct str host;      /* lower case: the key and what is hashed */
    struct str host_name; /* as linked: what the device is told */
    int weight;           /* WEIGHT_LEAST…WEIGHT_MOST; a weight that was never set is 1 */
    bool apply;           /* applyAllocationPolicy, not set is true */
    int state;            /* enum link_state */
    int64_t p50_us;       /* of the device's region, TCP connect; 0: no fresh figure */
};

/* Everything that the choice depends on besides the device's id. One value per (scope, enrollment policy, named hubs,
 * region). */
struct alloc_input {
    int version;                            /* ALLOC_VERSION of the code that made it */
    int instance_policy, enrollment_policy; /* enum allocation_policy */
    struct str_list named;                  /* hubs named by the enrollment, as given; iotHubHostName counts as one */
    struct str region;                      /* the device's region */
    struct alloc_hub *hubs;                 /* all links, sorted by host */
    size_t hub_count;
};

enum alloc_outcome {
    ALLOC_CHOSEN,      /* hub is set */
    ALLOC_WAIT,        /* candidates may come back by themselves: stay assigning */
    ALLOC_ALL_INVALID, /* every candidate is invalid: wait, then 400209 after the grace */
    ALLOC_NONE,        /* only an operator can help: failed 400208 */
};

struct alloc_choice {
    enum alloc_outcome outcome;
    const struct alloc_hub *hub; /* points into the input; NULL unless ALLOC_CHOSEN */
    /* A short stable word. Chosen: "named", "hashed", "geoLatency", "geoLatency-tie" (several as near as the nearest),
     * "geoLatency-no-data" (hashed, no fresh figure). Waiting: "unreachable", "pending". All invalid: "invalid".
     * None: "static-without-hub", "custom", "not-linked", "drained", "none-usable" (some of both), "no-hub". */
    const char *rule;
    struct str sentence;       /* why, for people, naming hubs; from the arena */
    struct str_list waits_for; /* WAIT, ALL_INVALID: hosts of all hubs whose return may end the wait, however many; from
                                  the arena */
};

/* `device`: id_scope and registration id, any case (lower-cased inside). */
void alloc_choose(struct arena *a, const struct alloc_input *in, struct str id_scope, struct str registration_id,
                  struct alloc_choice *ret);

/* The policy in force, by the table above (POLICY_STATIC: the one named hub). */
int alloc_effective_policy(const struct alloc_input *in);

/* The input as canonical JSON (members and hubs in fixed order): what is stored and hashed; and back again. Latencies
 * are written only when the effective policy is geoLatency. */
struct str alloc_input_write(struct arena *a, const struct alloc_input *in);
err_t alloc_input_read(struct arena *a, struct str text, struct err_detail *d, struct alloc_input *ret);
/* The explanation as JSON: {"registrationId","idScope","assignedHub","outcome","rule","sentence","policy":{…},"region",
 * "candidates":[{"host","weight","state","eligible","why","score"|"p50Ms"…}],"inputHash","algorithmVersion"}. Only from
 * its arguments. */
struct str alloc_explain(struct arena *a, const struct alloc_input *in, struct str id_scope, struct str registration_id,
                         struct str input_hash_hex);

#endif
