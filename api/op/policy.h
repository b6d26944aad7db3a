/* policy.h: shared access policies of hubs and instances: made, sealed, and shown with their keys. */
#ifndef IDSCOPE_POLICY_H
#define IDSCOPE_POLICY_H

#include "api/op/resource_codec.h"
#include "api/call.h"
#include "db/resource.h"

/* A policy on the wire, with its keys in base64. */
struct policy {
    struct str key_name, primary_key, secondary_key, rights;
};
extern const struct codec policy_codec[];
enum { POLICIES_MAX = 100 }; /* in one array */

/* Whose policies: how rights are spelled, and which rows the keys are sealed for (core/seal.h). */
struct policy_owner {
    const char *kind; /* "hub_policy", "instance_policy" */
    struct str key;   /* hub key, ID scope */
    bool (*parse)(struct str text, int *ret_bits);
    struct str (*text)(struct arena *a, int bits);
};
struct policy_owner policy_owner_hub(struct str hub_key);
struct policy_owner policy_owner_instance(struct str id_scope);

/* Policies as sent (properties.authorizationPolicies) → rows: names and rights checked, missing keys made, keys sealed.
 * BAD_FIELD names the member. */
err_t policy_rows(struct call *r, const struct policy_owner *o, const struct policy *at, size_t count,
                  struct policy_row **ret);

/* Answers listkeys with the rows: {"value":[…]}, or with `one` the single policy. */
err_t policy_reply(struct call *r, const struct policy_owner *o, const struct policy_row *rows, size_t count, bool one);

#endif
