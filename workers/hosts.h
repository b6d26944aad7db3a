/* hosts.h: what the process knows about the hosts that it calls: how many turns are at one, and until when a slow one
 * is left in peace. Shared by all threads; forgotten at restart. */
#ifndef IDSCOPE_HOSTS_H
#define IDSCOPE_HOSTS_H

#include "core/arena.h"

struct hosts;

struct hosts *hosts_new(struct arena *a);

enum hosts_word { HOSTS_ENTERED, HOSTS_HELD_BACK, HOSTS_FULL };

/* Takes a place at the host. HELD_BACK: the host was slow a moment ago, *ret_ms is how long it is still left in peace;
 * with ret_ms NULL that does not count: who asks looks whether it is well again. FULL: enough turns are there already.
 * Keys are host names in lower case. */
enum hosts_word hosts_enter(struct hosts *h, struct str host, int64_t *ret_ms);
void hosts_leave(struct hosts *h, struct str host);
/* The host answered in time; or it timed out, or asked to slow down (retry_ms: as long as it said, 0: it did not).
 * Returns for how long it is held back. */
void hosts_was_good(struct hosts *h, struct str host);
int64_t hosts_was_slow(struct hosts *h, struct str host, int64_t retry_ms);
/* It was good a moment ago: a place will be free soon. */
bool hosts_answers(struct hosts *h, struct str host);
/* What one who looked found of a host that was silent to him (`how` is his) holds for all who would look, for a moment:
 * many links of one host are not as many looks at it. */
void hosts_was_silent(struct hosts *h, struct str host, int how);
bool hosts_is_silent(struct hosts *h, struct str host, int *ret_how);
/* Hosts without the bulk call (POST /devices) are remembered for a while. */
bool hosts_lacks_bulk(struct hosts *h, struct str host);
void hosts_found_no_bulk(struct hosts *h, struct str host);

#endif
