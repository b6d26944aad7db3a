/* test_metric.c: the text that Prometheus reads, byte for byte. */
#include "core/process/metric.h"

#include "unit.h"

static void a_metric_is_named_then_counted(void **state)
{
    struct text t;
    text_init(&t, *state, 64);
    struct metric m = metric_begin(&t, "jobs_total", "Jobs, by kind.", METRIC_COUNTER);
    metric_count(&m, 7, METRIC_LABELS({"kind", "assign"}, {"outcome", "done"}));
    metric_count(&m, UINT64_MAX, NULL);
    m = metric_begin(&t, "busy_seconds", "Time.", METRIC_GAUGE);
    metric_number(&m, 1.5, METRIC_LABELS({"kind", "assign"}));
    metric_one(&t, "depth", "Places.", METRIC_GAUGE, 0);
    assert_text(text_str(&t), "# HELP jobs_total Jobs, by kind.\n# TYPE jobs_total counter\n"
                              "jobs_total{kind=\"assign\",outcome=\"done\"} 7\n"
                              "jobs_total 18446744073709551615\n"
                              "# HELP busy_seconds Time.\n# TYPE busy_seconds gauge\n"
                              "busy_seconds{kind=\"assign\"} 1.500000\n"
                              "# HELP depth Places.\n# TYPE depth gauge\ndepth 0\n");
}

static void the_buckets_of_a_histogram_add_up(void **state)
{
    struct text t;
    text_init(&t, *state, 64);
    struct metric m = metric_begin(&t, "size", "Sizes.", METRIC_HISTOGRAM);
    metric_histogram(&m, (const uint64_t[]){1, 2, 4}, (const uint64_t[]){3, 0, 2}, 3, 11);
    assert_text(text_str(&t), "# HELP size Sizes.\n# TYPE size histogram\n"
                              "size_bucket{le=\"1\"} 3\nsize_bucket{le=\"2\"} 3\nsize_bucket{le=\"4\"} 5\n"
                              "size_bucket{le=\"+Inf\"} 5\nsize_sum 11\nsize_count 5\n");
}

/* A value that could close its quotes could say anything in others' names. */
static void values_of_labels_are_escaped(void **state)
{
    struct text t;
    text_init(&t, *state, 64);
    struct metric m = {&t, "x"};
    metric_count(&m, 1, METRIC_LABELS({"l", "a\"} 9\nb\\"}));
    assert_text(text_str(&t), "x{l=\"a\\\"} 9\\nb\\\\\"} 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_metric_is_named_then_counted),
        UNIT(the_buckets_of_a_histogram_add_up),
        UNIT(values_of_labels_are_escaped),
    };
    return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
