/* assign.h: the parts of the assignment of devices, which is cut in four: which hub (assign_target.c), the calls
 * (assign_push.c), what they say (assign_identity.c), and the order of steps with what is written (assign.c). */
#ifndef IDSCOPE_JOB_ASSIGN_H
#define IDSCOPE_JOB_ASSIGN_H

#include "db/assign.h"
#include "workers/link.h"
#include "workers/loop.h"

/* What is to become of one job. */
enum assign_step {
    ASSIGN_DROP,    /* nothing to do: the cause is gone */
    ASSIGN_DISABLE, /* the enrollment is disabled */
    ASSIGN_FAIL,    /* only an operator can help: error_code, sentence */
    ASSIGN_WAIT,    /* stays assigning: sentence, delay_ms, counts */
    ASSIGN_PUSH,    /* the identity is to be made on `link` */
    ASSIGN_TOLD,    /* nothing changed and the hub is down: the device is told its hub */
    ASSIGN_STAYS,   /* it is to move and the hub that it moves from is down: the device is told that one */
    ASSIGN_MADE,    /* the hub holds the identity with these keys */
};

/* What goes along when a device moves, as the hub that it moves from says. */
struct identity_carried {
    struct str status, status_reason; /* absent: nothing is known */
    struct str capabilities, twin;    /* JSON, when its data go along */
};

/* What is to become of the twin when the identity is in place. */
enum assign_twin {
    TWIN_STAYS,
    TWIN_BEGINS,   /* with the enrollment's initial twin: the identity was just made */
    TWIN_IF_BLANK, /* the same, unless somebody wrote to it: the identity was there */
    TWIN_RESET,    /* to the initial twin, whatever it holds */
    TWIN_CARRIED,  /* from the hub that the device leaves */
};

struct assign_item {
    struct db_job job;
    const struct db_assign_found *found;
    enum assign_step step;
    bool written; /* the end is in the database */

    const struct db_link *link;   /* PUSH and what comes of it */
    const struct db_link *source; /* that it moves from, while it is to be asked; NULL: it does not, or is gone */
    struct identity_carried carried;
    bool left;           /* `source` has shown the identity; its twin is still to be read */
    struct str standing; /* the identity on `link` as it was read; absent: it was not */
    bool placed;         /* the identity is there with these keys; its twin is not */
    enum assign_twin twin;
    struct str device_id;
    const struct sha256 *input; /* of this choice, whatever came of it; NULL: the hub is kept */
    int64_t scope_inputs, enrollment_inputs;
    bool unchanged;      /* the hub is kept and holds these very keys already */
    bool update;         /* the identity is thought to be there */
    bool called;         /* a call for it was sent */
    bool found_there;    /* it has no hub, and was found on `link` when that was listed */
    bool doubtful;       /* it stands there, and is read first: an earlier attempt may have made it, or it is refused */
    bool adopted;        /* it stands there, and nothing of ours made it */
    bool missing;        /* it was found there and is no more, or is another's: a hub is to be chosen */
    bool identity_taken; /* by another: what stands under its name is left alone */
    int flips;           /* between create and update */

    int error_code;
    struct str sentence;
    struct str_list waits_for; /* hosts whose return ends a wait */
    int64_t delay_ms;
    bool counts; /* as a failed attempt */
};

/* The jobs of one scope. */
struct assign_batch {
    struct job_context *c;
    struct job_part *part;
    struct str id_scope;
    struct db_assign_part *rows; /* what is read and written of them */
    struct assign_item *items;   /* of each of rows->jobs */
    bool waits; /* some wait now that did not, and nobody has looked again whether their hubs are back */
};

/* All scopes of a turn. */
struct assign_turn {
    struct job_context *c;
    struct assign_batch *at;
    struct db_assign_part *rows;
    size_t count;
    int64_t claimed_ms;
};

/* Decides the step of an item, and for PUSH link, device id and inputs. May read latencies. */
err_t assign_decide(struct assign_batch *b, struct assign_item *item);

/* Turns what could not be done now into WAIT; an unchanged device is told its hub instead, and so is one whose hub of
 * before has no word for its move. */
void assign_postpone(struct assign_item *item, struct str sentence, int64_t delay_ms, bool counts);

/* Does the item wait for a call? */
bool assign_is_open(const struct assign_item *item);

/* Makes the calls of all items in step PUSH. `ended` is called with the turn whenever some have left that step and
 * others still run, and once at the end. */
void assign_push(struct assign_turn *t, void (*ended)(struct assign_turn *t));

#endif
