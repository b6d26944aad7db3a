/* links.h: an instance's linked hubs: what an array `iotHubs` means beside what is stored, and how a link is shown. */
#ifndef IDSCOPE_LINKS_H
#define IDSCOPE_LINKS_H

#include "api/op/resource_codec.h"
#include "api/call.h"
#include "db/instance.h"

/* One entry of iotHubs. */
struct link_entry {
    struct str name, connection_string, host_name, location, hub_resource_id, access_policy, authentication_type;
    struct opt_i64 weight;
    enum tri apply;
};
extern const struct codec link_entry_codec[];
enum {
    CONNECTION_MAX = 2048, /* bytes of a connection string on the wire */
    WEIGHT_UNSET = 0,      /* decisions.md 29 */
};

/* What a write makes of the links. */
struct link_plan {
    struct linked_row *rows; /* the whole new set, in order */
    size_t count;
    struct str *changed; /* hosts with a new credential */
    size_t changed_count;
    struct str *gone; /* hosts that are linked no more */
    size_t gone_count;
    bool differs;        /* anything of it, their order included */
    bool inputs_changed; /* the set, a weight or a drain flag */
    bool there;          /* of one link: it was linked before */
};

/* All of this, up to links_write, runs inside of the transaction that locked the instance. */

/* Reads the entries against the stored links: masked keys are restored, links by resource looked up, new keys sealed;
 * second credentials stay. BAD_FIELD and BAD_CONNECTION_STRING name the entry and its member. */
err_t links_plan(struct call *r, struct db *db, struct str id_scope, const struct obj_list *entries,
                 struct link_plan *ret);

/* A link as a resource of its own. */
struct link_body {
    struct str id_scope, host; /* of the path */
    struct link_entry entry;
    struct str secondary;        /* connection string of the second credential; absent: it has none */
    struct str default_location; /* of a link that has none yet */
};
/* The same for one link; the others stay. Also PRECONDITION_FAILED; QUOTA_EXCEEDED when the instance has as many as it
 * may. */
err_t links_plan_one(struct call *r, struct db *db, const struct link_body *body, struct link_plan *ret);
/* All but the link of that host; ret->there is false when there is none. PRECONDITION_FAILED. */
err_t links_plan_without(struct call *r, struct db *db, struct str id_scope, struct str host, struct link_plan *ret);
/* Writes what was planned, if it differs; what has a new credential is probed at once. QUOTA_EXCEEDED when the tenant
 * would have more links than it may. */
err_t links_write(struct call *r, struct db *db, struct str id_scope, const struct link_plan *plan);

/* Behind a write that unlinked hosts: says in a header of the answer how many enrollments still name one of them. */
void links_tell_named(struct call *r, struct str id_scope, const struct link_plan *plan);

/* A link as an entry of iotHubs. */
struct link_entry links_entry(struct call *r, const struct linked_row *l);
/* Its second credential as a masked connection string; absent when it has none. */
struct str links_second(struct call *r, const struct linked_row *l);

#endif
