/* codec.h: one table per type reads and writes its JSON.
 *
 * A codec is a const array of rows (made with CODEC_* below, ended by CODEC_END). The same table decodes a body into
 * a struct (strings copied to the arena, limits enforced, the failing path reported as
 * `attestation.symmetricKey.primaryKey`) and encodes a struct for a reply. Structs start zeroed; a member that is
 * absent or null in the input stays zero unless the row says CODEC_MUST. The names of the wire stand in these tables
 * only. */
#ifndef IDSCOPE_CODEC_H
#define IDSCOPE_CODEC_H

#include "json.h"

enum codec_kind {
    CODEC_KIND_TEXT,    /* struct str */
    CODEC_KIND_BOOL,    /* enum tri: absent, false, true */
    CODEC_KIND_I64,     /* struct opt_i64 */
    CODEC_KIND_TIME,    /* int64_t microseconds; out only; 0 is absent */
    CODEC_KIND_WORD,    /* int: index into a word list, -1… see `words`; 0 is absent, first word is 1 */
    CODEC_KIND_TEXTS,   /* struct str_list */
    CODEC_KIND_JSON,    /* struct str: any JSON value, compact text */
    CODEC_KIND_OBJECT,  /* nested struct with its own table; pointer member, NULL is absent */
    CODEC_KIND_INNER,   /* nested struct with its own table, by value; absent when each of its members is */
    CODEC_KIND_OBJECTS, /* array of nested structs: struct obj_list */
    CODEC_KIND_END,
};

enum tri { TRI_ABSENT, TRI_FALSE, TRI_TRUE };
struct opt_i64 {
    bool set;
    int64_t n;
};
struct str_list {
    struct str *at;
    size_t n;
    bool set; /* the array was there, even if empty */
};
struct obj_list {
    void *at; /* n structs of the inner size */
    size_t n;
    bool set;
};

enum codec_flag {
    CODEC_MUST = 1,         /* absent or null is an error */
    CODEC_OUT = 2,          /* written, never read: skipped in the input whatever it holds */
    CODEC_IN = 4,           /* read, never written */
    CODEC_NULL = 8,         /* written as null when absent (others are left out) */
    CODEC_OBJECT_ONLY = 16, /* CODEC_JSON: must be an object */
    CODEC_ANY_CASE = 32,    /* TEXT: queries take texts that differ in case alone for the same */
    CODEC_EXACT = 64,       /* the case of its name counts, whatever the mode */
};

struct codec {
    enum codec_kind kind;
    const char *name; /* wire name */
    size_t offset;    /* offsetof in the struct */
    unsigned flags;
    int64_t min, max;          /* TEXT: bytes; I64: value; TEXTS, OBJECTS: count; JSON: bytes of compact text */
    const char *const *words;  /* WORD: NULL-terminated; input ignores case, output is as listed */
    const struct codec *inner; /* OBJECT, INNER, OBJECTS */
    size_t inner_size;
};

/* clang-format off */
#define CODEC_TEXT(type, member, wire, max, flags) \
    {CODEC_KIND_TEXT, wire, offsetof(type, member), flags, 0, max, NULL, NULL, 0}
#define CODEC_BOOL(type, member, wire, flags) \
    {CODEC_KIND_BOOL, wire, offsetof(type, member), flags, 0, 0, NULL, NULL, 0}
#define CODEC_I64(type, member, wire, min, max, flags) \
    {CODEC_KIND_I64, wire, offsetof(type, member), flags, min, max, NULL, NULL, 0}
#define CODEC_TIME(type, member, wire) \
    {CODEC_KIND_TIME, wire, offsetof(type, member), CODEC_OUT, 0, 0, NULL, NULL, 0}
#define CODEC_WORD(type, member, wire, words, flags) \
    {CODEC_KIND_WORD, wire, offsetof(type, member), flags, 0, 0, words, NULL, 0}
#define CODEC_TEXTS(type, member, wire, count, flags) \
    {CODEC_KIND_TEXTS, wire, offsetof(type, member), flags, 0, count, NULL, NULL, 0}
#define CODEC_JSON(type, member, wire, max, flags) \
    {CODEC_KIND_JSON, wire, offsetof(type, member), flags, 0, max, NULL, NULL, 0}
#define CODEC_OBJECT(type, member, wire, table, inner, flags) \
    {CODEC_KIND_OBJECT, wire, offsetof(type, member), flags, 0, 0, NULL, table, sizeof(inner)}
#define CODEC_INNER(type, member, wire, table, flags) \
    {CODEC_KIND_INNER, wire, offsetof(type, member), flags, 0, 0, NULL, table, 0}
#define CODEC_OBJECTS(type, member, wire, table, inner, count, flags) \
    {CODEC_KIND_OBJECTS, wire, offsetof(type, member), flags, 0, count, NULL, table, sizeof(inner)}
#define CODEC_END \
    {CODEC_KIND_END, NULL, 0, 0, 0, 0, NULL, NULL, 0}
/* clang-format on */

enum codec_mode {
    CODEC_KEEP_UNKNOWN = 0, /* members without a row are ignored */
    CODEC_NO_CASE = 1,      /* member names ignore case (management plane) */
};

/* Decodes the object `in.v` into the zeroed struct at `to`. BAD_FIELD with path and rule in `d`. A body that is no
 * object is BAD_FIELD too. */
err_t codec_decode(struct arena *a, const struct codec *table, unsigned mode, struct json_in in, void *to,
                   struct err_detail *d);
/* json_read + codec_decode. */
err_t codec_read(struct arena *a, const struct codec *table, unsigned mode, struct str body, void *to,
                 struct err_detail *d);
/* Is the member of that row, which stands at `from`, not there? */
bool codec_absent(const struct codec *row, const void *from);
/* Writes the struct as an object. */
void codec_encode(struct text *out, const struct codec *table, const void *from);

#endif
