/* opening.h: a try to connect to the database that may be left behind. libpq asks for a host's name by getaddrinfo,
 * which waits for a silent name server longer than anybody here may; so it does that on a thread of its own. */
#ifndef IDSCOPE_DB_OPENING_H
#define IDSCOPE_DB_OPENING_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct opening;

/* Begins to connect; with application_name NULL, only asks whether the server takes connections. NULL: no thread can be
 * had. */
struct opening *opening_begin(const char *url, const char *application_name);
/* Waits until it is over, until_ms (monotonic) at most. */
bool opening_is_over(struct opening *o, int64_t until_ms);
/* Whoever began it lets go of it: what it comes to goes with it, now or when it is over. NULL is allowed. */
void opening_leave(struct opening *o);
/* What it came to, once it is over. The connection (NULL: out of memory) is the caller's. */
PGconn *opening_take(struct opening *o);
bool opening_found_server(const struct opening *o);

#endif
