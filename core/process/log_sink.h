/* log_sink.h: takes log lines to a descriptor without ever holding up who logs: a bounded ring, and one thread that
 * writes. When nobody reads at the other end, the ring fills and further lines are lost, counted, and their number is
 * logged as soon as somebody reads again. */
#ifndef IDSCOPE_LOG_SINK_H
#define IDSCOPE_LOG_SINK_H

#include "core/log.h"

/* Starts the writer; what it returns is for log_init. Lines are written at once, and whole ones in one piece as far as
 * a pipe allows it, so that lines of programs that share a pipe do not mix. A process has one sink at a time. */
const struct log_sink *log_sink_start(int fd);
/* Ends the writer when it has written what waits, or when a second is over: whoever stalls must not keep us. */
void log_sink_stop(void);

/* Lines lost since the start: the ring was full, or the descriptor broken. */
uint64_t log_sink_lost(void);
void log_sink_metrics(struct text *out);

#endif
