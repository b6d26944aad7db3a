/* hub_messages.h: what clients read back of how a built-in hub passes messages, which it does not (wire.md 2). */
#ifndef IDSCOPE_HUB_MESSAGES_H
#define IDSCOPE_HUB_MESSAGES_H

#include "api/op/resource_codec.h"

/* `eventHubEndpoints` of a hub's properties: the endpoint that clients expect of every hub. */
struct event_hub {
    struct opt_i64 retention_days, partitions;
    struct str partition_ids, path, endpoint; /* out; JSON the first */
};
struct event_hubs {
    struct event_hub *events;
};
extern const struct codec event_hubs_codec[];

/* The members that are stored, so that a hub that is sent back as it was shown is the same one: `sent` (NULL: nothing)
 * completed, `extra` as it stands, and behind it what was not sent, as services make it. `hub_key`: its name in lower
 * case. */
err_t hub_messages(struct arena *a, struct str hub_key, const struct event_hubs *sent, struct str extra,
                   struct str *ret);

#endif
