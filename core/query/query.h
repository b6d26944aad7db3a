/* query.h: the texts by which clients ask for a part of a list (wire.md 3.3): what they may say, which entries fit, and
 * by which index of the list these are found. Pure: it knows lists by their tables (codec.h) and nothing of a database.
 *
 *     SELECT * | member, … [FROM list] [WHERE condition] [ORDER BY member [ASC | DESC]], or * alone
 *
 * A comparison with a member that an entry has not, or has of another kind, is neither true nor false, and so is its
 * NOT; only IS DEFINED asks for that. */
#ifndef IDSCOPE_QUERY_H
#define IDSCOPE_QUERY_H

#include "core/codec.h"

enum {
    QUERY_BYTES_MAX = 8192,
    QUERY_TERMS_MAX = 100,  /* comparisons in one text */
    QUERY_VALUES_MAX = 200, /* and what they compare with */
    QUERY_DEPTH_MAX = 32,   /* brackets and NOTs within each other */
};

/* How the entries of a list can be found without looking at all of them: in the order of one member. */
struct query_index {
    const char *member; /* as clients name it: a text, a word or a time */
    bool orders;        /* ORDER BY may name it: every entry has it, and the list can be read from its end too */
    const char *only;   /* it holds the entries with this value alone; NULL: all that have one */
};

/* A list that can be asked. */
struct query_list {
    const char *name;                  /* behind FROM */
    const struct codec *members;       /* of an entry */
    const char *hidden;                /* a member that no list shows; NULL: there is none */
    const struct query_index *indexes; /* the first is the key: it finds every entry, and is the order of equals */
    size_t index_count;
};

/* What is compared. Of a word its text; of a time, and of a number that is whole, `n`. */
struct query_value {
    enum query_type {
        QUERY_ABSENT,
        QUERY_TEXT,
        QUERY_BOOL, /* n: 0 or 1 */
        QUERY_WHOLE,
        QUERY_REAL,
        QUERY_TIME,
        QUERY_OTHER /* there, and not to be compared: an object, a list */
    } type;
    struct str text;
    int64_t n;
    double real;
};

/* Entries of which a member lies between two values, both included. */
struct query_span {
    struct query_value least, most;
};

/* How the entries are found: those of these spans, one span after the other, are all that fit and maybe others. */
struct query_plan {
    size_t index; /* in the list's */
    bool down;    /* read from the end */
    size_t count; /* of the spans, which are in order, upwards, and do not meet; 0: nothing fits */
    struct query_span *spans;
};

struct query {
    const struct query_list *list;
    const struct codec *shown;      /* the members that were selected */
    const struct query_node *where; /* NULL: all fit */
    size_t order;                   /* index; by the key, upwards, when nothing was said */
    bool ordered, down;
};

/* BAD_FIELD, and `d` points at the place, counted in characters from 1. */
err_t query_parse(struct arena *a, const struct query_list *list, struct str text, struct err_detail *d,
                  struct query *ret);
void query_find(struct arena *a, const struct query *q, struct query_plan *ret);
/* Does the entry, a struct of the list's table, fit? What has to be made up for it goes to `a`. */
bool query_fits(struct arena *a, const struct query *q, const void *entry);
/* What the entry has as the member of an index. */
struct query_value query_index_value(struct arena *a, const struct query_list *list, size_t index, const void *entry);
/* A member of an index, by its row. */
const struct codec *query_index_row(struct arena *a, const struct query_list *list, size_t index);
/* Before, at or behind: of values of one type. */
int query_compare(const struct query_value *a, const struct query_value *b);

#endif
