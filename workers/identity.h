/* identity.h: jobs that ask one hub, about an identity there or all of them, in rounds (workers/round.h): the calls of
 * a job go one after the other and with each credential that the link has; what no hub answered is tried again. What is
 * asked, and what an answer means, a kind of job says. */
#ifndef IDSCOPE_IDENTITY_H
#define IDSCOPE_IDENTITY_H

#include "workers/link.h"
#include "workers/round.h"

enum identity_step { IDENTITY_SKIP, IDENTITY_OPEN, IDENTITY_DONE, IDENTITY_BACK };

/* What an answer means for the job. */
enum identity_said {
    IDENTITY_SAID_DONE, /* it is as it should be */
    IDENTITY_SAID_MORE, /* there is more to ask */
    IDENTITY_SAID_NO    /* none of what the kind knows */
};

/* A job; of one about an identity the subject is the device id, and the payload names the registrations that it is
 * about. */
struct identity_job {
    struct round_item item;
    const struct identity_kind *kind;
    enum identity_step step;
    const struct db_link *link;
    struct link_credentials credentials;
    size_t credential;
    struct hub_call call;
    int64_t delay_ms; /* IDENTITY_BACK, with the next two */
    bool failed;
    struct str error;
};

struct identity_kind {
    /* Says what the next call asks (workers/hub/kind.h), its body and If-Match. */
    void (*ask)(struct identity_job *j);
    enum identity_said (*said)(struct identity_job *j);
    bool aside; /* how the host takes its calls says nothing about those of others: they are not held up for it */
};

/* The registrations that the payload names, with room for one more. */
err_t identity_registrations(struct arena *a, const struct db_job *job, struct str **ret, size_t *ret_count);
/* Adds to the object that is begun in `out` the members of the document (absent: there are none) that it does not have:
 * so one that was read is written back whole, but for what changes. */
void identity_add_rest(struct arena *a, struct text *out, struct str document);
/* There is something to ask: the last word of a kind's look. A hub that is not linked any more is asked nothing. */
err_t identity_open(struct identity_job *j, const struct identity_kind *kind);
/* The job is given back. */
void identity_back(struct identity_job *j, int64_t delay_ms, bool failed, struct str error);

/* For the kind's struct round_kind. */
void identity_begin(struct round_item *item);
struct round_item *identity_answered(struct hub_call *call);
err_t identity_finish(struct round_item *item);

#endif
