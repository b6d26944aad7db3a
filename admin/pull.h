/* pull.h: one run of `idscope-admin pull`: reading a service (source.c), writing into another one (target.c), counting
 * and telling what comes over and what does not (pull.c). */
#ifndef IDSCOPE_ADMIN_PULL_H
#define IDSCOPE_ADMIN_PULL_H

#include "admin/ids.h"
#include "admin/run.h"
#include "admin/service.h"

/* What comes over, in this order: a registration is of an enrollment or a group that is there. */
enum noun { GROUPS, ENROLLMENTS, REGISTRATIONS, NOUNS };
struct noun_words {
    const char *many; /* as in JSON and in queries */
    const char *one, *path, *id;
    const char *write; /* the right that an import of them needs */
};
extern const struct noun_words nouns[NOUNS];

struct tally {
    int64_t read, brought, there, left;
};

struct target;
struct pull {
    struct run *run;
    struct service *from, *into;
    bool dry; /* nothing is written */
    struct tally tally[NOUNS];
    struct ids left[NOUNS];
    struct target *target;
    int64_t told_ms; /* when the progress was told last */
};

/* One that does not come over, and why: a line of the report, at once. */
void pull_left(struct pull *p, enum noun noun, struct str id, const char *why);
/* So many more of which nobody says which they are. */
void pull_left_many(struct pull *p, enum noun noun, int64_t count, const char *why);
/* One that comes over, and does not do here what it did there. */
void pull_note(enum noun noun, struct str id, const char *what);
/* How far it is, for whoever watches; now and then. */
void pull_progress(struct pull *p);

/* --- source.c ----------------------------------------------------------------------------------------------------- */

/* Reads all of it, and gives what is not there yet to the target. */
err_t source_read(struct pull *p);

/* --- target.c ----------------------------------------------------------------------------------------------------- */

/* Looks at what is there: groups, enrollments, and registrations of these. */
err_t target_look(struct pull *p);
void target_close(struct pull *p);
/* The registrations of a group that is there. */
err_t target_look_group(struct pull *p, struct str group);
bool target_has(struct pull *p, enum noun noun, struct str id);
/* One more to be written, as a line of JSON; `group`: of a registration, where it is a group's. Is written with others,
 * or by target_flush. A refusal is told with its id. */
err_t target_add(struct pull *p, enum noun noun, struct str id, struct str group, struct str row);
err_t target_flush(struct pull *p, enum noun noun);

/* --- what both do ------------------------------------------------------------------------------------------------- */

/* Every entry of a list, page by page; `take` gets an arena that is emptied behind each page. With `or_gone`, a 404 is
 * an empty list. */
struct pull_list {
    struct service *service;
    struct str path, query;
    const char *right;
    bool or_gone;
    err_t (*take)(struct pull *p, struct arena *a, struct json_in entry, void *context);
    void *context;
};
err_t pull_each(struct pull *p, const struct pull_list *list);
/* A member that is a text; absent otherwise. */
struct str pull_text(const json_t *of, const char *name);

#endif
