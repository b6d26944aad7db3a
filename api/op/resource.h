/* resource.h: what management resources share: one resource, pages of a list, PUT and DELETE; and, for those that have
 * them, the keys of their policies, SKUs, locations, names like hosts'. A kind says how its rows are found, shown,
 * checked and written; what the place lacks, how a page ends, which 404 it is, in which order a PUT does its work and
 * what it answers are said once, in resource.c. */
#ifndef IDSCOPE_OP_RESOURCE_H
#define IDSCOPE_OP_RESOURCE_H

#include "api/op/arm.h"
#include "api/op/policy.h"

#define HUB_TYPE "Microsoft.Devices/IotHubs"
#define INSTANCE_TYPE "Microsoft.Devices/provisioningServices"

/* What a kind's `find` gives: rows of the kind's own type, which begins with a struct resource_row. */
struct resource_page {
    struct place_found place;
    const void *rows;
    size_t count;
    bool more;
};

/* What `find` of a kind's keys gives: the policies of one resource, if it is there. */
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
    struct resource body;       /* as sent; its properties are never NULL */
    struct resource_row stored; /* name, location, tags and properties as they are to be stored */
    void *row;                  /* the kind's own, made by `check` */
    bool created;
    bool changed; /* something of it is another one than before; otherwise it keeps its etag */
};

/* The resource of a PUT as it stands, held until the transaction ends. */
struct resource_locked {
    bool there;
    struct uuid etag;
    struct str location; /* absent where the kind has none */
    struct str tags, properties;
    struct str network; /* absent where the kind has none */
    bool differs;       /* in the members that only its kind has, from what the PUT makes of it */
};

/* Shared access policies with their keys. */
struct resource_keys {
    err_t (*find)(struct call *r, const struct find *f, struct str key_name_key, struct resource_policies *ret);
    struct policy_owner (*owner)(const struct resource_put *p);
    const struct policy *defaults; /* of a new resource that was sent without */
    size_t default_count;
    err_t (*put)(struct db *db, struct resource_put *p, const struct policy_row *rows, size_t count);
};

struct resource_kind {
    const char *noun, *article; /* "hub", "a": in sentences; the noun also where names rest */
    const char *type;           /* with its provider */
    /* Names are parts of hosts: no two resources of the kind have one, whosever they are, and it rests for its tenant
     * when the resource goes. Otherwise `check` says what a name may be. */
    bool global_names;
    const struct resource_keys *keys; /* NULL: it has none; otherwise its properties begin with common_properties */

    size_t row_size;
    err_t (*find)(struct call *r, const struct find *f, struct resource_page *ret);
    /* One row, by resource_write. */
    void (*write)(struct call *r, const struct resource_kind *k, const void *row, struct text *out);

    /* What its tables do not name, it does not have: location, tags, SKU. */
    const struct codec *codec, *properties_codec; /* of struct resource, and of its properties */
    size_t properties_size;
    /* Judges the members that only this kind has and makes p->row. May answer by itself: then r->status is set. */
    err_t (*check)(struct resource_put *p);
    /* The rest runs inside of the transaction of the tenant, in this order: `insert` one that is new, `update` another
     * one, which keeps its etag unless p->changed says otherwise. UNIQUE_VIOLATION: the name is taken. */
    err_t (*lock)(struct db *db, struct resource_put *p, struct resource_locked *ret);
    err_t (*insert)(struct db *db, struct resource_put *p);
    err_t (*children)(struct db *db, struct resource_put *p); /* what hangs on it: sets p->changed; NULL: nothing */
    err_t (*update)(struct db *db, struct resource_put *p);

    /* Of one with tags: gives it those. `etag`: that it must have, bare; absent: any. *ret_done is false when there was
     * none. */
    err_t (*retag)(struct db *db, struct arena *a, const struct find *f, struct str etag, struct str tags,
                   struct place_found *ret_found, bool *ret_done);
    /* Of one with a SKU: those that it may have, as a JSON array. */
    void (*write_skus)(struct call *r, struct text *out);

    void (*forget)(const struct resource_put *p); /* what the gate remembers of it; NULL: nothing */
    void (*tell)(const struct resource_put *p);   /* headers of the answer to a PUT; NULL: none */

    /* Deletes it, and makes the gate forget it. `etag`: that it must have, as clients see it; absent: any. *ret_gone is
     * false when there was none. */
    err_t (*erase)(struct call *r, const struct find *f, struct str etag, struct place_found *ret_found,
                   bool *ret_gone);
};

/* Writes a resource as its row holds it, with the kind's own properties; `sku` may be NULL. */
void resource_write(struct call *r, const struct resource_kind *k, const struct resource_row *row, struct sku *sku,
                    const void *properties, struct text *out);
/* What every service says of itself: one that is there works, and who may call it. */
struct common_properties resource_common(struct call *r, const struct resource_row *row);

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
/* Of services: PATCH, which replaces the tags; POST check…NameAvailability; GET …/skus. */
err_t resource_patch(struct call *r, const struct resource_kind *k);
err_t resource_name_check(struct call *r, const struct resource_kind *k);
err_t resource_skus(struct call *r, const struct resource_kind *k);

/* The operations that a row RESOURCE of routes.def names, for one kind: each is the function above with its name. */
#define RESOURCE_OPS(noun, kind)                                                                                       \
    RESOURCE_OP(noun, kind, get)                                                                                       \
    RESOURCE_OP(noun, kind, list_subscription)                                                                         \
    RESOURCE_OP(noun, kind, list_group)                                                                                \
    RESOURCE_OP(noun, kind, put)                                                                                       \
    RESOURCE_OP(noun, kind, delete)
/* The same of a row RESOURCE_KEYS. */
#define RESOURCE_KEYS_OPS(noun, kind)                                                                                  \
    RESOURCE_OP(noun, kind, list_keys)                                                                                 \
    RESOURCE_OP(noun, kind, list_keys_of)
/* The same of a row RESOURCE_SERVICE. */
#define RESOURCE_SERVICE_OPS(noun, kind)                                                                               \
    RESOURCE_OP(noun, kind, patch)                                                                                     \
    RESOURCE_OP(noun, kind, name_check)                                                                                \
    RESOURCE_OP(noun, kind, skus)
#define RESOURCE_OP(noun, kind, name)                                                                                  \
    err_t op_##noun##_##name(struct call *r)                                                                           \
    {                                                                                                                  \
        return resource_##name(r, &(kind));                                                                            \
    }

#endif
