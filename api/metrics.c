/* metrics.c: counters by operation and status class, and the sizes of batches. It must never take a lock or allocate
 * where it counts. */
#include "api/metrics.h"

#include <stdatomic.h>

#include "api/lane.h"
#include "api/router.h"
#include "core/process/metric.h"

enum { CLASSES = 6, SIZES = 10 };

/* The last slot of `requests` is for requests that matched no route. */
static _Atomic uint64_t requests[ROUTE_COUNT + 1][CLASSES];
static _Atomic uint64_t batches[SIZES]; /* of up to 1, 2, 4 … */
static _Atomic uint64_t batched, beside_another;
_Static_assert(1 << (SIZES - 1) >= (int)LANE_BATCH_MAX, "the largest batch has a slot");

void metrics_request(const struct route *route, int status)
{
    size_t index = route ? router_index(route) : ROUTE_COUNT;
    int class = status >= 100 && status < 600 ? status / 100 : 0;
    atomic_fetch_add_explicit(&requests[index][class], 1, memory_order_relaxed);
}

void metrics_batch(size_t size, bool beside)
{
    int slot = 0;
    while (slot < SIZES - 1 && (size_t)1 << slot < size)
        slot++;
    atomic_fetch_add_explicit(&batches[slot], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&batched, size, memory_order_relaxed);
    atomic_fetch_add_explicit(&beside_another, beside, memory_order_relaxed);
}

static void write_requests(const struct metric *m, const char *operation, _Atomic uint64_t counts[CLASSES])
{
    static const char *const words[CLASSES] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    for (int class = 0; class < CLASSES; class ++) {
        uint64_t n = atomic_load_explicit(&counts[class], memory_order_relaxed);
        if (n)
            metric_count(m, n, METRIC_LABELS({"operation", operation}, {"status", words[class]}));
    }
}

static void write_batches(struct text *out)
{
    uint64_t bounds[SIZES], counts[SIZES];
    for (int slot = 0; slot < SIZES; slot++) {
        bounds[slot] = UINT64_C(1) << slot;
        counts[slot] = atomic_load_explicit(&batches[slot], memory_order_relaxed);
    }
    struct metric m =
        metric_begin(out, "idscope_batch_size", "Requests of the device plane per database batch.", METRIC_HISTOGRAM);
    metric_histogram(&m, bounds, counts, SIZES, atomic_load_explicit(&batched, memory_order_relaxed));
    metric_one(out, "idscope_batches_beside_total",
               "Batches that were prepared while another one had its turn to write.", METRIC_COUNTER,
               atomic_load_explicit(&beside_another, memory_order_relaxed));
}

void metrics_write(struct text *out)
{
    struct metric m =
        metric_begin(out, "idscope_requests_total",
                     "Requests answered, by operation and status class (0xx: the client was gone).", METRIC_COUNTER);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        write_requests(&m, router_at(i)->name, requests[i]);
    write_requests(&m, "none", requests[ROUTE_COUNT]);
    write_batches(out);
}
