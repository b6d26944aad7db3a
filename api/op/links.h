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
enum { CONNECTION_MAX = 2048 }; /* bytes of a connection string on the wire */

/* What a PUT makes of the links. */
struct link_plan {
    struct linked_row *rows; /* the whole new set, in order */
    size_t count;
    struct str *changed; /* hosts with a new credential */
    size_t changed_count;
    bool differs;        /* anything of it, their order included */
    bool inputs_changed; /* the set, a weight or a drain flag */
};

/* Reads the entries against the stored links: masked keys are restored, links by resource looked up, new keys sealed.
 * Runs inside of the transaction that locked the instance. BAD_FIELD and BAD_CONNECTION_STRING name the entry and its
 * member. */
err_t links_plan(struct call *r, struct db *db, struct str id_scope, const struct obj_list *entries,
                 struct link_plan *ret);

/* A link as an entry of iotHubs. */
struct link_entry links_entry(struct call *r, const struct linked_row *l);

#endif
