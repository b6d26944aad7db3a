/* hub_device.h: a device of a built-in hub between its JSON and its row; shared by the single and the bulk operations.
 */
#ifndef IDSCOPE_HUB_DEVICE_H
#define IDSCOPE_HUB_DEVICE_H

#include "api/call.h"
#include "db/hub_device.h"

/* What a client sent → a row: id and authentication checked, missing keys made, keys sealed. `update`: keys that are
 * not sent stay as they are. BAD_FIELD names the member. */
err_t hub_device_row(struct call *r, const struct hub_device *d, bool update, struct hub_device_row *ret);
/* If-Match or eTag → generation and revision that the row must have; an empty one or `*` asks for none. */
void hub_device_match(struct arena *a, struct str etag, struct hub_device_row *row);
/* The generation of devices that are made now. */
int64_t hub_device_generation(const struct call *r);
/* The hub as the request's credential was checked against it. */
struct hub_guard hub_device_guard(const struct call *r);

#endif
