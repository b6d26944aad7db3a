/* arm.h: what the operations of the management plane share: where a resource stands, which part of its path is missing,
 * names, tags, If-Match and pages of lists. */
#ifndef IDSCOPE_ARM_H
#define IDSCOPE_ARM_H

#include "api/call.h"
#include "db/resource.h"

/* A resource and its place, out of the path's segments: {sub}, {rg} where the path has one, {name}. */
struct arm_target {
    struct find find;       /* of the resource, or of all; arm_page makes a page of it */
    struct str group, name; /* as the path spells them */
};

/* Each reads the path up to what it is named after; a part that cannot exist gives the 404 of that part. */
err_t arm_subscription(struct call *r, struct arm_target *ret);
err_t arm_group(struct call *r, struct arm_target *ret);
err_t arm_resource(struct call *r, struct arm_target *ret);
/* Which part of the place is missing, if any: SUBSCRIPTION_NOT_FOUND or RESOURCE_GROUP_NOT_FOUND. */
err_t arm_check_place(const struct arm_target *t, const struct place_found *found);
/* The page of a list by name that $top and $skiptoken ask for. BAD_REQUEST naming the parameter. */
err_t arm_page(struct call *r, struct find *f);
/* The same of a list by id: so many rows (0: it does not say) behind *ret_after (NULL: from the first). */
err_t arm_page_by_id(struct call *r, const struct uuid **ret_after, int64_t *ret_most);
/* The same of a list by a key that the list made, of at most so many bytes; *ret_after is absent from the first. */
err_t arm_page_by_key(struct call *r, size_t key_most, struct str *ret_after, int64_t *ret_most);
/* BAD_REQUEST: no list gave this $skiptoken. */
err_t arm_bad_token(struct call *r);
/* Names that new resources may not have: BAD_ID naming the rule. */
err_t arm_check_new_name(struct call *r, const char *article, const char *noun, struct str name);

/* If-Match of a management request; absent also where az sends the repr of a dictionary (wire.md A4, rule 6). */
struct str arm_if_match(const struct call *r);
/* The etag of a resource as clients see it. */
struct str arm_etag(struct arena *a, const struct uuid *etag);
/* The etag that a statement is to find, bare; absent when any will do. */
struct str arm_bare_match(const struct call *r);
/* PRECONDITION_FAILED when If-Match is there and does not hold `etag` (NULL: the resource does not exist); or for a PUT
 * that makes what is not there yet (call_makes_new), of a resource that does. */
err_t arm_check_match(struct call *r, const struct uuid *etag);
/* The same of what is there and has no etag, which * alone fits. */
err_t arm_check_there(struct call *r);

/* "West Europe" → "westeurope"; BAD_FIELD naming the member. */
err_t arm_location(struct call *r, const char *member, struct str in, struct str *ret);
/* Tags: at most 50 texts, of names that differ in more than case; absent becomes {}. BAD_FIELD naming the member. */
err_t arm_tags(struct call *r, const char *member, struct str tags, struct str *ret);

/* The tags that a PATCH carries, which are all that it changes; absent: none, so it changes nothing. */
err_t arm_patch_tags(struct call *r, struct str *ret);

/* /subscriptions/{sub}[/resourceGroups/{group}][/providers/{type}/{name}]; a type is with its provider. */
struct str arm_group_id(struct arena *a, const struct uuid *subscription, struct str group);
struct str arm_resource_id(struct arena *a, const struct uuid *subscription, struct str group, const char *type,
                           struct str name);

/* {"value":[…],"nextLink"}: begin, then one arm_list_item before each item is written to the text, then end with the
 * key of the last item when there are more (absent: this is the last page). */
void arm_list_begin(struct call *r, struct text *out);
void arm_list_item(struct text *out);
err_t arm_list_end(struct call *r, struct text *out, struct str next_after);

#endif
