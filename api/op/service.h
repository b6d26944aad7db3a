/* service.h: what the operations of the service plane share. */
#ifndef IDSCOPE_SERVICE_H
#define IDSCOPE_SERVICE_H

#include "api/call.h"
#include "db/registration.h"

/* The id of the path ({id}), which clients know as `member`, checked: BAD_ID. *ret_key is its lower-case form. */
err_t service_registration_id(struct call *r, const char *member, struct str *ret_key);

/* What an If-Match header asks of a thing whose etag is made from a guid. */
enum match { MATCH_ABSENT, MATCH_ANY, MATCH_TAG, MATCH_NEVER };
enum match service_match(struct str if_match, struct uuid *ret_tag);

/* The service's view of a registration, with its etag, in the arena. */
struct registration_state *service_registration(struct call *r, struct arena *a, const struct registration_row *row);

#endif
