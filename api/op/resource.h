/* resource.h: what management resources share: one resource, pages of a list, the keys of its policies, PUT and DELETE.
 * A kind says how its rows are found, shown, checked and written; what the place lacks, how a page ends, which 404 it
 * is, in which order a PUT does its work and what it answers are said once, in resource.c. */
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

/* One PUT on its way: what was sent, and the row that it makes. */
struct resource_put {
    struct call *r;
    const struct resource_kind *kind;
    struct arm_target target;
    struct resource body; /* as sent; its properties are never NULL */
    struct str location, tags, extra;
    void *row; /* the kind's own, made by `check` */
    bool created;
};

/* The resource of a PUT as it stands, held until the transaction ends. */
struct resource_locked {
    bool there;
    struct uuid etag;
    struct str location;
};

struct resource_kind {
    const char *noun, *article; /* "hub", "a": in sentences; the noun also where names rest */
    err_t (*find)(struct call *r, const struct find *f, struct resource_page *ret);
    void (*write)(struct call *r, const void *rows, size_t i, struct text *out);
    err_t (*policies)(struct call *r, const struct find *f, struct str key_name_key, struct resource_policies *ret);

    const struct codec *codec, *properties_codec; /* of struct resource, and of its properties */
    size_t properties_size;
    /* Judges the members that only this kind has and makes p->row. May answer by itself: then r->status is set. */
    err_t (*check)(struct resource_put *p);
    /* The rest runs inside of the transaction of the tenant, in this order; insert or update. UNIQUE_VIOLATION: the
     * name is taken. */
    err_t (*lock)(struct db *db, struct resource_put *p, struct resource_locked *ret);
    err_t (*insert)(struct db *db, struct resource_put *p);
    err_t (*update)(struct db *db, struct resource_put *p);
    struct policy_owner (*owner)(const struct resource_put *p);
    const struct obj_list *(*sent_policies)(const struct resource_put *p);
    const struct policy *default_policies; /* of a new one that was sent without */
    size_t default_policy_count;
    err_t (*put_policies)(struct db *db, struct resource_put *p, const struct policy_row *rows, size_t count);
    err_t (*children)(struct db *db, struct resource_put *p); /* what hangs on it; NULL: nothing */

    void (*forget)(const struct resource_put *p); /* what the gate remembers of it */

    /* Deletes it, and makes the gate forget it. `etag`: that it must have, as clients see it; absent: any. *ret_gone is
     * false when there was none. */
    err_t (*erase)(struct call *r, const struct find *f, struct str etag, struct place_found *ret_found,
                   bool *ret_gone);
};

/* Answers with the resource as it stands in the database now. */
err_t resource_reply(struct call *r, const struct resource_kind *k, int status, const struct arm_target *t);
/* The operations: GET of one, GET of the lists, POST …/listkeys and …/{key}/listkeys. */
err_t resource_get(struct call *r, const struct resource_kind *k);
err_t resource_list_subscription(struct call *r, const struct resource_kind *k);
err_t resource_list_group(struct call *r, const struct resource_kind *k);
err_t resource_list_keys(struct call *r, const struct resource_kind *k);
err_t resource_list_keys_of(struct call *r, const struct resource_kind *k);
/* PUT and DELETE. */
err_t resource_put(struct call *r, const struct resource_kind *k);
err_t resource_delete(struct call *r, const struct resource_kind *k);

/* The operations that a row RESOURCE of routes.def names, for one kind: each is the function above with its name. */
#define RESOURCE_OPS(noun, kind)                                                                                       \
    RESOURCE_OP(noun, kind, get)                                                                                       \
    RESOURCE_OP(noun, kind, list_subscription)                                                                         \
    RESOURCE_OP(noun, kind, list_group)                                                                                \
    RESOURCE_OP(noun, kind, list_keys)                                                                                 \
    RESOURCE_OP(noun, kind, list_keys_of)                                                                              \
    RESOURCE_OP(noun, kind, put)                                                                                       \
    RESOURCE_OP(noun, kind, delete)
#define RESOURCE_OP(noun, kind, name)                                                                                  \
    err_t op_##noun##_##name(struct call *r)                                                                           \
    {                                                                                                                  \
        return resource_##name(r, &(kind));                                                                            \
    }

#endif
