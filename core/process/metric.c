/* metric.c: Prometheus' text format, version 0.0.4. It must never know what it writes about. */
#include "core/process/metric.h"

#include <inttypes.h>

struct metric metric_begin(struct text *out, const char *name, const char *help, enum metric_type type)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
    return (struct metric){out, name};
}

static void write_value_text(struct text *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            text_add_char(out, '\\');
        text_add(out, *value == '\n' ? STR("\\n") : (struct str){value, 1});
    }
}

static void write_name(const struct metric *m, const struct metric_label *labels)
{
    char before = '{';
    text_add(m->out, str_of(m->name));
    for (; labels && labels->name; labels++) {
        text_printf(m->out, "%c%s=\"", before, labels->name);
        write_value_text(m->out, labels->value);
        text_add_char(m->out, '"');
        before = ',';
    }
    text_add(m->out, before == ',' ? STR("} ") : STR(" "));
}

void metric_count(const struct metric *m, uint64_t n, const struct metric_label *labels)
{
    write_name(m, labels);
    text_printf(m->out, "%" PRIu64 "\n", n);
}

void metric_number(const struct metric *m, double n, const struct metric_label *labels)
{
    write_name(m, labels);
    text_printf(m->out, "%.6f\n", n);
}

void metric_histogram(const struct metric *m, const uint64_t *bounds, const uint64_t *counts, size_t n, uint64_t sum)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += counts[i];
        text_printf(m->out, "%s_bucket{le=\"%" PRIu64 "\"} %" PRIu64 "\n", m->name, bounds[i], total);
    }
    text_printf(m->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", m->name, total);
    text_printf(m->out, "%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n", m->name, sum, m->name, total);
}

void metric_one(struct text *out, const char *name, const char *help, enum metric_type type, uint64_t n)
{
    struct metric m = metric_begin(out, name, help, type);
    metric_count(&m, n, NULL);
}
