/* log_sink.c: the ring between those who log and the one thread that writes. Who logs copies a line under a lock that
 * is never held while anything is written. It must never wait for the reader of the log, but in its own thread. */
#include "core/process/log_sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>

#include "core/crypt.h"
#include "core/process/clock.h"
#include "core/process/metric.h"

enum { RING = 1 << 20, FLUSH_S = 1, GATHER_NS = 4000000 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, ended;
    pthread_t writer;
    int fd;
    bool stopping, has_ended;
    size_t at, n; /* the first byte that waits, and how many do; only the writer moves `at` */
    uint64_t lost, told;
    char bytes[RING];
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- those who log ------------------------------------------------------------------------------------------------ */

static void copy_in(struct str line)
{
    size_t to = (ring.at + ring.n) % RING;
    size_t straight = line.n < RING - to ? line.n : RING - to;
    memcpy(ring.bytes + to, line.p, straight);
    memcpy(ring.bytes, line.p + straight, line.n - straight);
    ring.n += line.n;
}

static void take(struct str line)
{
    pthread_mutex_lock(&ring.lock);
    bool was_empty = ring.n == 0;
    if (line.n <= RING - ring.n)
        copy_in(line);
    else
        ring.lost++;
    if (was_empty)
        pthread_cond_signal(&ring.filled);
    pthread_mutex_unlock(&ring.lock);
}

uint64_t log_sink_lost(void)
{
    pthread_mutex_lock(&ring.lock);
    uint64_t lost = ring.lost;
    pthread_mutex_unlock(&ring.lock);
    return lost;
}

void log_sink_metrics(struct text *out)
{
    metric_one(out, "idscope_log_lines_lost_total", "Log lines lost because nobody read standard error.",
               METRIC_COUNTER, log_sink_lost());
}

/* --- the writer --------------------------------------------------------------------------------------------------- */

static char byte_at(size_t i)
{
    return ring.bytes[(ring.at + i) % RING];
}

/* Bytes of the first lines: as many as a pipe takes in one piece, at least one. */
static size_t whole_lines(size_t waiting)
{
    size_t whole = 0;
    for (size_t i = 0; i < waiting && (i < PIPE_BUF || !whole); i++)
        if (byte_at(i) == '\n')
            whole = i + 1;
    return whole;
}

/* With the lock held: lets more lines come, so that the writer is not woken for each of them. */
static void gather(void)
{
    static const struct timespec a_moment = {0, GATHER_NS};
    pthread_mutex_unlock(&ring.lock);
    nanosleep(&a_moment, NULL);
    pthread_mutex_lock(&ring.lock);
}

/* Waits for lines. 0: none will come. */
static size_t next_lines(void)
{
    pthread_mutex_lock(&ring.lock);
    while (!ring.n && !ring.stopping)
        pthread_cond_wait(&ring.filled, &ring.lock);
    if (ring.n < PIPE_BUF && !ring.stopping)
        gather();
    size_t waiting = ring.n;
    pthread_mutex_unlock(&ring.lock);
    return whole_lines(waiting);
}

/* Whoever shares our standard error may have made it non-blocking. */
static bool may_try_again(void)
{
    struct pollfd p = {.fd = ring.fd, .events = POLLOUT};
    return errno == EINTR || (errno == EAGAIN && poll(&p, 1, -1) >= 0);
}

static bool write_lines(size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t from = (ring.at + done) % RING, left = n - done;
        size_t straight = left < RING - from ? left : RING - from;
        struct iovec parts[] = {{ring.bytes + from, straight}, {ring.bytes, left - straight}};
        ssize_t written = writev(ring.fd, parts, 2);
        if (written < 0 && !may_try_again())
            return false;
        done += written > 0 ? (size_t)written : 0;
    }
    return true;
}

static uint64_t lines_in(size_t n)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += byte_at(i) == '\n';
    return lines;
}

/* Gives the room of `n` bytes back. An empty ring begins anew, so that a quiet one lives in its first pages. */
static void forget_lines(size_t n, uint64_t lost)
{
    pthread_mutex_lock(&ring.lock);
    ring.lost += lost;
    ring.n -= n;
    ring.at = ring.n ? (ring.at + n) % RING : 0;
    pthread_mutex_unlock(&ring.lock);
}

/* Called when somebody reads. Half of the ring must be free, or the next line might be lost again. */
static void tell_lost(void)
{
    pthread_mutex_lock(&ring.lock);
    uint64_t untold = ring.n <= RING / 2 ? ring.lost - ring.told : 0;
    ring.told += untold;
    pthread_mutex_unlock(&ring.lock);
    if (untold)
        log_event(LOG_ERROR, "logLinesLost", L_NUM("lines", untold),
                  L_CSTR("detail", "standard error was not read for a while"));
}

static void *run(void *unused)
{
    for (size_t n; (n = next_lines()) > 0;) {
        bool written = write_lines(n);
        forget_lines(n, written ? 0 : lines_in(n));
        if (written)
            tell_lost();
    }
    pthread_mutex_lock(&ring.lock);
    ring.has_ended = true;
    pthread_cond_signal(&ring.ended);
    pthread_mutex_unlock(&ring.lock);
    return unused;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* No signal is the writer's; SIGPIPE neither, so that a reader that is gone is an error of the write. */
static void start_writer(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    crypt_must(pthread_create(&ring.writer, NULL, run, NULL) == 0, "starting the log's writer");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(ring.writer, "log");
}

const struct log_sink *log_sink_start(int fd)
{
    static const struct log_sink sink = {clock_wall_us, take};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ring.filled, NULL);
    pthread_cond_init(&ring.ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    ring.fd = fd;
    ring.stopping = ring.has_ended = false;
    ring.lost = ring.told = 0;
    start_writer();
    return &sink;
}

void log_sink_stop(void)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += FLUSH_S;
    pthread_mutex_lock(&ring.lock);
    ring.stopping = true;
    pthread_cond_signal(&ring.filled);
    while (!ring.has_ended && pthread_cond_timedwait(&ring.ended, &ring.lock, &end) == 0)
        ;
    bool has_ended = ring.has_ended;
    pthread_mutex_unlock(&ring.lock);
    if (has_ended)
        pthread_join(ring.writer, NULL);
    else
        pthread_detach(ring.writer); /* it stands in a write that nobody reads, and goes with the process */
}
