/* list.h: lists of the service and hub planes that are asked by a query and answered in pages (wire.md 3.3). */
#ifndef IDSCOPE_LIST_H
#define IDSCOPE_LIST_H

#include "api/call.h"
#include "core/query/query.h"

/* A place in a list that is read in the order of one index: behind the entry of that value and key. */
struct list_place {
    struct query_value value;
    struct str key;
};
/* What is read at once: from behind a place to the last value, at most `limit` entries. */
struct list_stretch {
    size_t index;
    bool down;
    struct list_place from;
    struct query_value last;
    size_t limit;
};
/* Structs of the list's table, in order, and how much there was to look at. */
struct list_entries {
    const void **at;
    size_t count, bytes;
};

struct list_kind {
    const struct query_list *query;
    const char *item_type;
    /* The next entries, in the arena. */
    err_t (*read)(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret);
    /* Is the entry not for whoever asks? NULL: all are. */
    bool (*hides)(const void *entry);
};

/* What lists have in common, be they asked by a query or not: how many entries a page may have, and what it says of
 * itself. */
err_t list_page_size(struct call *r, size_t *ret);
void list_headers(struct call *r, const char *item_type, size_t size);

/* Answers the query of the body with a page. */
err_t list_reply(struct call *r, const struct list_kind *kind);
/* A page of all that belongs to `what`; nothing is asked. */
err_t list_reply_all(struct call *r, const struct list_kind *kind, struct str what);

#endif
