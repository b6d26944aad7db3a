/* log.h: one JSON object per line, handed to a sink. `core` and `db` never call it; programs do, once at the
 * end of each request and job, and for events of the process. Values are escaped; secrets have no way in:
 * nothing may log headers, SAS tokens, keys or query strings of webhooks. Safe to call from any thread. */
#ifndef IDSCOPE_LOG_H
#define IDSCOPE_LOG_H

#include "arena.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name;
    enum { LOG_TEXT, LOG_NUMBER } kind;
    struct str text;
    int64_t number;
};

#define L_TEXT(name, s) ((struct log_field){(name), LOG_TEXT, (s), 0})
#define L_CSTR(name, c) ((struct log_field){(name), LOG_TEXT, str_of(c), 0})
#define L_NUM(name, n) ((struct log_field){(name), LOG_NUMBER, {NULL, 0}, (int64_t)(n)})

/* Where lines go and what time it is. */
struct log_sink {
    int64_t (*now_us)(void); /* wall clock */
    /* Takes one whole line, newline included. Called by any thread, and must never block; the text is the caller's. */
    void (*take)(struct str line);
};

/* Before any thread starts. Until then, and with a sink of NULL, nothing is said. */
void log_init(const char *program, enum log_level least, const struct log_sink *sink);
/* "debug", "info", "warn" or "error", any case. */
bool log_level_of(struct str word, enum log_level *ret);
void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* log_event(LOG_INFO, "request", L_TEXT("trackingId", id), L_NUM("status", 200)); */
#define log_event(level, event, ...)                                                                                   \
    log_fields((level), (event), (const struct log_field[]){__VA_ARGS__},                                              \
               sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
