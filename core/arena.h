/* arena.h: memory of one request or one job, and the strings that live in it.
 *
 * Everything that our own code builds for a request or job comes from its arena and goes with it, so an
 * early return is always right. Allocation cannot fail from a caller's view: out of memory ends the program
 * (a service without memory cannot promise anything). Objects of libraries do not belong here; they are held
 * under the cleanup attributes at the end of json.h, crypt.h and so on. An arena belongs to one thread. */
#ifndef IDSCOPE_ARENA_H
#define IDSCOPE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text with its length. Bytes that come from arena_* are followed by a NUL that `n` does not count.
 * {NULL, 0} is "absent"; {"", 0} is "empty". */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : "" /* for printf's %.*s */

struct str str_of(const char *text);              /* NULL gives the absent text */
bool str_same(struct str a, struct str b);        /* byte for byte */
bool str_same_nocase(struct str a, struct str b); /* ASCII only */
int str_compare(struct str a, struct str b);      /* by bytes, as memcmp; a text before those that begin with it */
/* Who does not know the secret cannot arrange that two texts fall together. */
uint64_t str_hash(struct str s, uint64_t secret);
bool str_starts(struct str s, struct str prefix);
bool str_ends_nocase(struct str s, struct str suffix);
/* White space is blank, tab, CR and LF. */
struct str str_trim(struct str s); /* cut at both ends */
bool str_has_space(struct str s);
/* Splits at the first `at`: *ret_head gets what stands before it, the result is what stands behind.
 * Without an `at`, head is all and the result is absent. */
struct str str_split(struct str s, char at, struct str *ret_head);

struct arena;

struct arena *arena_new(void);
/* Gives everything back, wiping it first (requests hold keys). NULL is allowed. */
void arena_free(struct arena *a);
/* Forgets everything (wiped) but keeps the first block for the next use. */
void arena_reset(struct arena *a);

/* Those of the process that were made and not yet freed. */
size_t arena_count(void);

void *arena_alloc(struct arena *a, size_t bytes);                    /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t count, size_t bytes_each); /* ends the program on overflow */
struct str arena_copy(struct arena *a, const char *p, size_t n);
struct str arena_str(struct arena *a, struct str s);
struct str arena_lower(struct arena *a, struct str s); /* ASCII lower case copy */
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_NEW_ARRAY(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))

/* A text that grows in an arena: replies, SQL arrays, URLs. */
struct text {
    struct arena *arena;
    char *p;
    size_t n, room;
};

void text_init(struct text *t, struct arena *a, size_t room);
void text_add(struct text *t, struct str s);
void text_add_char(struct text *t, char c);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str text_str(struct text *t); /* NUL-terminated view; stays valid until the next add */

#define ARENA_CLEANUP __attribute__((cleanup(arena_cleanup)))
void arena_cleanup(struct arena **a);

#endif
