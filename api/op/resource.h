/* resource.h: reading that hubs and instances share: one resource, pages of a list, the keys of its policies. A kind
 * says how its rows are found and written; what the place lacks, how a page ends and which 404 it is are said once,
 * here. */
#ifndef IDSCOPE_OP_RESOURCE_H
#define IDSCOPE_OP_RESOURCE_H

#include "api/op/arm.h"
#include "api/op/policy.h"

/* What a kind's `find` gives: rows of the kind's own type. */
struct resource_page {
    struct place_found place;
    const void *rows;
    size_t count;
    bool more;
    struct str last_name; /* of the last row */
};

/* What a kind's `policies` gives: the policies of one resource, if it is there. */
struct resource_policies {
    struct place_found place;
    bool there;
    struct policy_owner owner;
    struct policy_row *rows;
    size_t count;
};

struct resource_kind {
    const char *noun; /* "hub", "instance" */
    err_t (*find)(struct call *r, const struct find *f, struct resource_page *ret);
    void (*write)(struct call *r, const void *rows, size_t i, struct text *out);
    err_t (*policies)(struct call *r, const struct find *f, struct str key_name_key, struct resource_policies *ret);
};

/* Answers with the resource as it stands in the database now. */
err_t resource_reply(struct call *r, const struct resource_kind *k, int status, const struct arm_target *t);
/* The operations: GET of one, GET of the lists, POST …/listkeys and …/{key}/listkeys. */
err_t resource_get(struct call *r, const struct resource_kind *k);
err_t resource_list_subscription(struct call *r, const struct resource_kind *k);
err_t resource_list_group(struct call *r, const struct resource_kind *k);
err_t resource_list_keys(struct call *r, const struct resource_kind *k);
err_t resource_list_keys_of(struct call *r, const struct resource_kind *k);

#endif
