/* polls.h: how often a device may ask what became of it (wire.md 7.6): so many times in ten seconds, counted by each
 * process for itself. Shared by threads. */
#ifndef IDSCOPE_POLLS_H
#define IDSCOPE_POLLS_H

#include "db/device.h"

enum { POLLS_WINDOW_S = 10 };

struct polls;

struct polls *polls_new(int64_t at_most); /* 0: as often as it likes */
void polls_free(struct polls *p);
/* Counts one more poll of the device; false: it was one too many. */
bool polls_take(struct polls *p, const struct db_device *device, int64_t now_us);

#endif
