/* metric.h: writes what /metrics shows, in Prometheus' text format. The one place that knows this format: who has
 * figures names them, with the sentence and type that a reader of the figures sees.
 *
 * First metric_begin with a name, such as "idscope_queue_depth", its sentence and METRIC_GAUGE; then, for each line of
 * it, metric_count with the number and METRIC_LABELS({"lane", "device"}). */
#ifndef IDSCOPE_METRIC_H
#define IDSCOPE_METRIC_H

#include "core/arena.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    struct text *out;
    const char *name;
};

struct metric_label {
    const char *name, *value;
};
#define METRIC_LABELS(...) ((const struct metric_label[]){__VA_ARGS__, {NULL, NULL}})

/* `help` is one line without a backslash. The metric's lines follow it: nothing else may be written in between. */
struct metric metric_begin(struct text *out, const char *name, const char *help, enum metric_type type);

/* One line each; `labels` may be NULL. */
void metric_count(const struct metric *m, uint64_t n, const struct metric_label *labels);
void metric_number(const struct metric *m, double n, const struct metric_label *labels);
/* `counts[i]` values were over bounds[i - 1] and up to bounds[i], none over the last one; `sum` is of all values. */
void metric_histogram(const struct metric *m, const uint64_t *bounds, const uint64_t *counts, size_t n, uint64_t sum);

/* A metric of one line. */
void metric_one(struct text *out, const char *name, const char *help, enum metric_type type, uint64_t n);

#endif
