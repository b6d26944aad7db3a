/* resource.h: what all management resources share: the place where they stand, pages of lists, shared access policies;
 * and the resource groups themselves. Everything is asked for with its tenant, so another tenant's things do not exist.
 */
#ifndef IDSCOPE_DB_RESOURCE_H
#define IDSCOPE_DB_RESOURCE_H

#include "db/tenancy.h"

enum { DAY_S = 86400 }; /* of the settings undelete_days and audit_retention_days */

/* Where a resource stands. */
struct place {
    struct uuid tenant_id, subscription_id;
    struct str group_key; /* lower case; absent: anywhere in the subscription */
};

/* What of a place exists. */
struct place_found {
    bool subscription;
    struct str group; /* name as given; absent: there is none */
};

/* What a look-up or a page of a list asks for. */
struct find {
    struct place at;
    struct str name_key;      /* absent: all, in pages */
    struct str after;         /* key of the last one of the page before; absent: from the first */
    struct str_list readable; /* scopes (core/role.h) in which it stands; not set: any */
    int64_t most;             /* rows of a page; 0, or more than DB_PAGE: DB_PAGE */
};

/* Parameters that statements begin with: tenant, subscription and group; these and the key of the name; tenant and
 * key, of what is locked; and all those of a …_find but the last, the number of rows. */
struct db_in db_place_in(const struct place *at);
struct db_in db_named_in(const struct find *f);
struct db_in db_locked_in(const struct find *f);
struct db_in db_find_in(const struct find *f);

/* `calls` behind a look at the place, in one transaction and one round trip; ret->of[i + 1] belongs to calls[i]. */
err_t db_placed(struct db *db, struct arena *a, const struct place *at, const struct db_call *calls, size_t count,
                struct place_found *ret_found, struct rows_set *ret);
/* One …_find in that way: a page of its rows (db_page). */
err_t db_placed_page(struct db *db, enum sql_id statement, struct arena *a, const struct find *f,
                     struct place_found *ret_found, void *ret_array, size_t size, size_t *ret_count, bool *ret_more);
/* A statement …_retag in that way; *ret_done is false when it found nothing to write. */
err_t db_placed_retag(struct db *db, enum sql_id statement, struct arena *a, const struct find *f, struct str etag,
                      struct str tags, struct place_found *ret_found, bool *ret_done);
/* The place alone. */
err_t db_place(struct db *db, struct arena *a, const struct place *at, struct place_found *ret_found);

/* What a resource is stored with, whatever its kind; the rows of kinds begin with it. */
struct resource_row {
    struct str name, group; /* group absent: it stands in the subscription itself */
    struct uuid subscription_id, etag;
    struct str location, tags, properties;
    struct str network; /* who may call it (core/ip_filter.h); absent where the kind has none */
};

/* A tag that something has, with that value; absent: any. */
struct tag_filter {
    struct str name, value;
};

/* One of whatever kind in a list of all that stands somewhere. `kind` is the word for it: "hub", "instance". */
struct listed_row {
    struct resource_row is; /* without properties */
    struct str kind, key;
};
/* What is asked of them beside find's; absent: anything. */
struct listed_filter {
    struct str kind, location;
    struct tag_filter tag;
};
/* A page of them, by name. */
err_t db_listed_find(struct db *db, struct arena *a, const struct find *f, const struct listed_filter *filter,
                     struct place_found *ret_found, struct listed_row **ret, size_t *ret_count, bool *ret_more);
/* `here`, and where something of the subscription stands; each once, DB_PAGE at most. */
err_t db_location_find(struct db *db, struct arena *a, const struct place *at, struct str here,
                       struct place_found *ret_found, struct str **ret, size_t *ret_count);

/* A shared access policy of a hub or an instance. */
struct policy_row {
    struct str key_name;
    int rights;
    struct bytes primary_sealed, secondary_sealed;
};

/* A resource group. */
struct group_row {
    struct str name, location, tags;
};
/* One group (find.name_key) or a page of them, of those that have the tag. */
err_t db_group_find(struct db *db, struct arena *a, const struct find *f, const struct tag_filter *tag,
                    struct place_found *ret_found, struct group_row **ret, size_t *ret_count, bool *ret_more);
/* What of a group a PUT may find. */
struct group_guard {
    bool may_be_new, may_be_there;
};
/* *ret_written is false when the subscription is missing (see ret_found), the guard forbids it, or the group has
 * another location. */
err_t db_group_put(struct db *db, struct arena *a, const struct place *at, const struct group_row *g,
                   const struct group_guard *guard, struct place_found *ret_found, bool *ret_written, bool *ret_created,
                   struct group_row *ret);
/* Replaces the tags; *ret_done is false when the group is not there, or has other ones than `was` (absent: any). */
err_t db_group_retag(struct db *db, struct arena *a, const struct place *at, struct str was, struct str tags,
                     struct place_found *ret_found, bool *ret_done, struct group_row *ret);
/* Deletes the group with all that stands in it: its instances' ID scopes retire, links to its hubs become invalid.
 * `host_tail`: what follows a hub's name in its host name; `undelete_s`: as db_instance_delete has it. */
err_t db_group_delete(struct db *db, struct arena *a, const struct place *at, struct str host_tail, int64_t undelete_s,
                      struct place_found *ret_found);
/* Inside of a transaction, behind the insert of a hub or instance: false when its name, in lower case, rests for
 * another tenant. `kind`: "hub" or "instance". */
err_t db_name_take(struct db *db, struct arena *a, const char *kind, struct str name_key, bool *ret_taken);
/* May the tenant of `at` give a new hub or instance this name? */
err_t db_name_free(struct db *db, struct arena *a, const struct place *at, const char *kind, struct str name_key,
                   struct place_found *ret_found, bool *ret_free);
/* Inside of a transaction: true when the group is there, which it then is until the transaction ends. */
err_t db_group_hold(struct db *db, struct arena *a, const struct place *at, bool *ret_there);

#endif
