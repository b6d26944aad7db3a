/* hub_device.h: a device of a built-in hub between its JSON and its row; shared by the single and the bulk operations.
 */
#ifndef IDSCOPE_HUB_DEVICE_H
#define IDSCOPE_HUB_DEVICE_H

#include "api/call.h"
#include "db/hub_device.h"

/* What a client sent → a row: id and authentication checked, missing keys made, keys sealed. `update`: keys,
 * status (with its reason) and capabilities that are not sent stay as they are. BAD_FIELD names the member. */
err_t hub_device_row(struct call *r, const struct hub_device *d, bool update, struct hub_device_row *ret);
/* What the device's twin begins with; absent: nothing is said of it. BAD_FIELD names the collection. */
err_t hub_twin_begin(struct call *r, struct str tags, struct str desired, struct hub_device_row *ret);
/* If-Match or eTag → generation and revision that the row must have; an empty one or `*` asks for none. */
void hub_device_match(struct arena *a, struct str etag, struct hub_device_row *row);
/* The etag of a row, or of another thing with a generation and a revision. */
struct str hub_device_etag(struct arena *a, int64_t generation, int64_t revision);
/* The generation of devices that are made now. */
int64_t hub_device_generation(const struct call *r);
/* The hub as the request's credential was checked against it. */
struct hub_guard hub_device_guard(const struct call *r);
/* How many devices a hub has, as both planes tell it. */
err_t hub_device_reply_counts(struct call *r, const struct hub_device_counts *n);

#endif
