/* metrics.c: counters by operation and status class, and the sizes of batches. It must never take a lock or allocate
 * where it counts. */
#include "api/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "api/router.h"

enum { ROUTES_MAX = 128, CLASSES = 6, SIZES = 10 };

/* The last slot of `requests` is for requests that matched no route. */
static _Atomic uint64_t requests[ROUTES_MAX + 1][CLASSES];
static _Atomic uint64_t batches[SIZES]; /* of up to 1, 2, 4 … 512 */
static _Atomic uint64_t batched;

void metrics_request(const struct route *route, int status)
{
    size_t index = route ? router_index(route) : ROUTES_MAX;
    int class = status >= 100 && status < 600 ? status / 100 : 0;
    if (index <= ROUTES_MAX)
        atomic_fetch_add_explicit(&requests[index][class], 1, memory_order_relaxed);
}

void metrics_batch(size_t size)
{
    int slot = 0;
    while (slot < SIZES - 1 && (size_t)1 << slot < size)
        slot++;
    atomic_fetch_add_explicit(&batches[slot], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&batched, size, memory_order_relaxed);
}

static void write_requests(struct text *out, const char *operation, _Atomic uint64_t counts[CLASSES])
{
    for (int class = 0; class < CLASSES; class ++) {
        uint64_t n = atomic_load_explicit(&counts[class], memory_order_relaxed);
        if (n)
            text_printf(out, "idscope_requests_total{operation=\"%s\",status=\"%dxx\"} %" PRIu64 "\n", operation, class,
                        n);
    }
}

void metrics_write(struct text *out)
{
    text_add(out, STR("# HELP idscope_requests_total Requests answered, by operation and status class (0xx: the client "
                      "was gone).\n"
                      "# TYPE idscope_requests_total counter\n"));
    for (size_t i = 0; i < router_count(); i++)
        write_requests(out, router_at(i)->name, requests[i]);
    write_requests(out, "none", requests[ROUTES_MAX]);
    text_add(out, STR("# HELP idscope_batch_size Requests of the device plane per database batch.\n"
                      "# TYPE idscope_batch_size histogram\n"));
    uint64_t total = 0;
    for (int slot = 0; slot < SIZES; slot++) {
        total += atomic_load_explicit(&batches[slot], memory_order_relaxed);
        text_printf(out, "idscope_batch_size_bucket{le=\"%u\"} %" PRIu64 "\n", 1U << slot, total);
    }
    text_printf(out, "idscope_batch_size_bucket{le=\"+Inf\"} %" PRIu64 "\nidscope_batch_size_count %" PRIu64 "\n",
                total, total);
    text_printf(out, "idscope_batch_size_sum %" PRIu64 "\n", atomic_load_explicit(&batched, memory_order_relaxed));
}
