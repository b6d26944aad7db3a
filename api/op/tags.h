/* tags.h: the tags of a subscription, a group or a resource as a resource of their own,
 * …/providers/Microsoft.Resources/tags/default, which `az tag` writes (wire.md 1.10). */
#ifndef IDSCOPE_TAGS_H
#define IDSCOPE_TAGS_H

#include "api/op/resource.h"

/* What has tags, as it stands. */
struct tagged {
    struct str id, tags; /* the tags as JSON */
    struct uuid etag;    /* of a resource */
};

/* How they are read and written, of a subscription, a group or a kind of resource. */
struct tags_owner {
    const struct resource_kind *kind; /* NULL: a subscription or a group */
    /* The right 404 when there is none. */
    err_t (*find)(struct call *r, const struct resource_kind *k, struct tagged *ret);
    /* Gives it those tags; *ret_done is false when it is not what it `was` any more. */
    err_t (*write)(struct call *r, const struct resource_kind *k, const struct tagged *was, struct str tags,
                   bool *ret_done);
};
/* Of a kind of resource with tags. */
err_t tags_find_resource(struct call *r, const struct resource_kind *k, struct tagged *ret);
err_t tags_write_resource(struct call *r, const struct resource_kind *k, const struct tagged *was, struct str tags,
                          bool *ret_done);
#define RESOURCE_TAGS(kind)                                                                                            \
    {                                                                                                                  \
        &(kind), tags_find_resource, tags_write_resource                                                               \
    }

/* GET, PUT (replaces all), PATCH (merges, replaces or deletes some), DELETE (all). */
err_t tags_get(struct call *r, const struct tags_owner *of);
err_t tags_put(struct call *r, const struct tags_owner *of);
err_t tags_patch(struct call *r, const struct tags_owner *of);
err_t tags_delete(struct call *r, const struct tags_owner *of);

/* The operations that a row TAGS of routes.def names. */
#define TAGS_OPS(noun, owner)                                                                                          \
    TAGS_OP(noun, owner, get)                                                                                          \
    TAGS_OP(noun, owner, put)                                                                                          \
    TAGS_OP(noun, owner, patch)                                                                                        \
    TAGS_OP(noun, owner, delete)
#define TAGS_OP(noun, owner, name)                                                                                     \
    err_t op_##noun##_tags_##name(struct call *r)                                                                      \
    {                                                                                                                  \
        return tags_##name(r, &(owner));                                                                               \
    }

#endif
