/* tree.h: the inside of a query, shared by the files of this folder: parse.c makes the tree, fits.c asks an entry, and
 * find.c asks which spans of an index hold all that fit. Nobody else includes it. */
#ifndef IDSCOPE_QUERY_TREE_H
#define IDSCOPE_QUERY_TREE_H

#include "core/query/query.h"

enum { QUERY_STEPS_MAX = 6, QUERY_NAMES_MAX = 16 };

/* A member of an entry: rows of tables, each within the one before; of a free JSON value names within it. */
struct query_member {
    struct str text; /* as it was written */
    struct str path; /* its names with points between them */
    const struct codec *steps[QUERY_STEPS_MAX];
    size_t step_count;
    struct str names[QUERY_NAMES_MAX];
    size_t name_count;
};

enum query_kind {
    QUERY_AND,     /* left, right */
    QUERY_OR,      /* left, right */
    QUERY_NOT,     /* left */
    QUERY_DEFINED, /* member */
    QUERY_IN,      /* member, values: equal to one of them */
    QUERY_BELOW,   /* member, values[0] */
    QUERY_ABOVE,   /* member, values[0] */
    QUERY_STARTS,  /* member, values[0]: begins with that text */
};

struct query_node {
    enum query_kind kind;
    const struct query_node *left, *right;
    struct query_member member;
    struct query_value *values;
    size_t count;
};

/* Finds the member that is called so in the tables of the list. NULL, or what is wrong with the name. */
const char *query_member_find(struct arena *a, const struct query_list *list, const struct str *names, size_t count,
                              struct query_member *ret);
/* The member of an index. */
void query_index_member(struct arena *a, const struct query_list *list, size_t index, struct query_member *ret);
static inline const struct codec *query_member_row(const struct query_member *m)
{
    return m->steps[m->step_count - 1];
}

#endif
