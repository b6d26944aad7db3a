/* resolver.c: the names that were asked for lately, by c-ares. The only file that calls c-ares. It must never wait, nor
 * judge an address: what is connected to is judged where the socket is made (outgoing.h). */
#include "workers/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/process/clock.h"
#include "workers/schedule.h"

enum {
    NAMES_MAX = 128,
    NAME_MAX_LENGTH = 256,
    ADDRESSES_MAX = 8,
    ADDRESS_LENGTH = INET6_ADDRSTRLEN + 3, /* brackets and comma */
    TRIES = 2,
    SOCKETS_MAX = ARES_GETSOCK_MAXNUM - 1, /* of the last one ARES_GETSOCK_WRITABLE would shift into the sign */
};

struct name {
    struct resolver *resolver;
    char host[NAME_MAX_LENGTH];
    bool asked; /* and not answered: the entry cannot be used for another name */
    enum resolver_word word;
    int64_t until_ms;
    char addresses[ADDRESSES_MAX * ADDRESS_LENGTH];
};

struct resolver {
    ares_channel channel;
    int64_t channel_until_ms;
    int asked; /* names */
    size_t next;
    struct name names[NAMES_MAX];
};

void resolver_global_init(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

struct resolver *resolver_new(struct arena *a)
{
    return ARENA_NEW(a, struct resolver);
}

void resolver_free(struct resolver *r)
{
    if (r->channel)
        ares_destroy(r->channel);
    r->channel = NULL;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void add_address(struct name *n, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    size_t used = strlen(n->addresses);
    bool six = address->sa_family == AF_INET6;
    const void *raw = six ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                          : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (used + ADDRESS_LENGTH >= sizeof n->addresses || !inet_ntop(address->sa_family, raw, text, sizeof text))
        return;
    snprintf(n->addresses + used, sizeof n->addresses - used, six ? "%s[%s]" : "%s%s", used ? "," : "", text);
}

/* Called by c-ares: from within asking, from a step, or when the channel is destroyed. */
static void take_answer(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct name *n = context;
    (void)timeouts;
    n->addresses[0] = '\0';
    for (const struct ares_addrinfo_node *i = found ? found->nodes : NULL; i; i = i->ai_next)
        if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
            add_address(n, i->ai_addr);
    ares_freeaddrinfo(found);
    bool good = status == ARES_SUCCESS && n->addresses[0];
    n->word = good ? RESOLVER_FOUND : RESOLVER_NO_NAME;
    n->until_ms = clock_ms() + (good ? KEEP_name_found_MS : KEEP_name_missing_MS);
    n->asked = false;
    n->resolver->asked--;
}

/* A channel that serves; the settings of the machine may have changed since the last one was made. */
static bool open_channel(struct resolver *r)
{
    if (r->channel && (r->asked > 0 || clock_ms() < r->channel_until_ms))
        return true;
    resolver_free(r);
    struct ares_options o = {.timeout = WAIT_name_answer_MS, .tries = TRIES};
    if (ares_init_options(&r->channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
        return false;
    r->channel_until_ms = clock_ms() + KEEP_name_servers_MS;
    return true;
}

/* An address needs no one to ask; c-ares would look for a name of these letters first. */
static bool is_address(struct name *n)
{
    uint8_t raw[sizeof(struct in6_addr)];
    bool six = inet_pton(AF_INET6, n->host, raw) == 1;
    if (!six && inet_pton(AF_INET, n->host, raw) != 1)
        return false;
    snprintf(n->addresses, sizeof n->addresses, six ? "[%s]" : "%s", n->host);
    n->word = RESOLVER_FOUND;
    n->until_ms = clock_ms() + KEEP_name_found_MS;
    return true;
}

static void ask(struct resolver *r, struct name *n)
{
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    n->asked = true;
    n->word = RESOLVER_ASKED;
    r->asked++;
    ares_getaddrinfo(r->channel, n->host, NULL, &hints, take_answer, n);
}

/* The entry of a host; a new one takes the place of one that nobody waits for. NULL: all are waited for. */
static struct name *entry(struct resolver *r, struct str host)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (str_same(str_of(r->names[i].host), host))
            return &r->names[i];
    for (size_t i = 0; i < NAMES_MAX; i++) {
        struct name *n = &r->names[r->next++ % NAMES_MAX];
        if (n->asked)
            continue;
        *n = (struct name){.resolver = r};
        memcpy(n->host, host.p, host.n);
        return n;
    }
    return NULL;
}

enum resolver_word resolver_look(struct resolver *r, struct str host, const char **ret_addresses)
{
    if (host.n == 0 || host.n >= NAME_MAX_LENGTH)
        return RESOLVER_NO_NAME;
    struct name *n = entry(r, host);
    if (!n)
        return RESOLVER_ASKED;
    if (!n->asked && n->until_ms <= clock_ms() && !is_address(n)) {
        if (!open_channel(r))
            return RESOLVER_NO_NAME;
        ask(r, n);
    }
    *ret_addresses = n->addresses;
    return n->word;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

unsigned resolver_sockets(struct resolver *r, struct curl_waitfd *ret, unsigned most, int *timeout_ms)
{
    ares_socket_t sockets[SOCKETS_MAX];
    unsigned n = 0;
    if (r->asked == 0)
        return 0;
    int bits = ares_getsock(r->channel, sockets, SOCKETS_MAX);
    for (int i = 0; i < SOCKETS_MAX && n < most; i++) {
        bool read = ARES_GETSOCK_READABLE(bits, i), write = ARES_GETSOCK_WRITABLE(bits, i);
        if (read || write)
            ret[n++] = (struct curl_waitfd){
                sockets[i], (short)((read ? CURL_WAIT_POLLIN : 0) | (write ? CURL_WAIT_POLLOUT : 0)), 0};
    }
    struct timeval most_time = {*timeout_ms / 1000, *timeout_ms % 1000 * 1000}, buffer;
    const struct timeval *time = ares_timeout(r->channel, &most_time, &buffer);
    *timeout_ms = (int)(time->tv_sec * 1000 + time->tv_usec / 1000) + 1;
    return n;
}

void resolver_step(struct resolver *r)
{
    ares_socket_t sockets[SOCKETS_MAX];
    if (r->asked == 0)
        return;
    int bits = ares_getsock(r->channel, sockets, SOCKETS_MAX);
    for (int i = 0; i < SOCKETS_MAX; i++)
        if (ARES_GETSOCK_READABLE(bits, i) || ARES_GETSOCK_WRITABLE(bits, i))
            ares_process_fd(r->channel, sockets[i], ARES_GETSOCK_WRITABLE(bits, i) ? sockets[i] : ARES_SOCKET_BAD);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is due by time */
}
