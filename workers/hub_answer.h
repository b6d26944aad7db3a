/* hub_answer.h: what an answer says, and whether it is a hub's at all. Anybody can be linked as a hub; a web server
 * that answers 200 to everything is none. An answer counts when it says what only a hub could say: it names the device,
 * counts connections or devices, lists devices, or speaks of an error in a hub's words. */
#ifndef IDSCOPE_HUB_ANSWER_H
#define IDSCOPE_HUB_ANSWER_H

#include "workers/hub_client.h"

/* A device's document, of this very device. */
bool hub_answer_names(const struct hub_call *call, struct str device_id);
/* The service statistics. */
bool hub_answer_counts(const struct hub_call *call);
/* How many devices the hub has; -1: the answer does not say. */
int64_t hub_answer_devices(const struct hub_call *call);
/* A page of a list: the device ids on it, in the arena of the call, without those that are none. False: it is no list,
 * is longer than was asked for, or goes on with what no header can carry, or with more than CONTINUATION (limits.def).
 */
bool hub_answer_lists(const struct hub_call *call, struct str **ret, size_t *ret_count);
/* The device that was to be deleted is not there: the hub deleted it (204), or says in its own words that there is no
 * such device, or no such hub (404); or that it is another ID scope's (409). */
bool hub_answer_is_gone(const struct hub_call *call);
/* The If-Match of a change to an identity that was read; `*` when it was not (absent), or has no etag that a header can
 * carry. */
struct str hub_answer_if_match(struct arena *a, struct str document);
/* What an error answer says, in the arena of the call; absent when it is not in a hub's words. */
struct str hub_answer_message(const struct hub_call *call);

#endif
