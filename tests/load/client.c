/* client.c: the load client of the benchmark. It makes and signs all requests before the clock starts, keeps the
 * connections busy with one request each, counts every answer by its status, and prints one line of JSON. Nothing is
 * dropped from the account: when the time is over it sends nothing more but waits for every answer that is still to
 * come, so that accepted answers can be compared with rows. It must not look into the database.
 *
 *     client OPTION=VALUE …
 *       ask=register|poll|file   what is asked (poll needs load=; file: GET /answer, of a foreign server)
 *       port=N  [address=127.0.0.1] [host=NAME] [ca=PEM-FILE: TLS]
 *       scopes=FILE size=N       the fleet: every scope holds devices 0…N-1
 *       chain=PEM-FILE           devices prove themselves by a certificate of this authority (leaf.h) and no token; new
 * connections only derive=BASE64            their keys derive from this one, a group's, and not from their numbers
 *       first=K count=M          the walk through the fleet: steps K…K+M-1, scope by scope in turn
 *       connections=C            requests under way at a time
 *       connection=kept|new|held kept alive; a new one per request; a new one per request, open till stdin ends
 *       seconds=S                sends nothing after so many seconds (0: until all M are sent)
 *       rate=N                   at most so many requests begin in a second, evenly (0: whenever one was answered)
 *       cycle=1                  begins again with the first request when all M were sent
 *       save=FILE load=FILE      operation ids by step */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "core/sas.h"
#include "fleet.h"

enum {
    EVENTS = 256,
    SILENCE_US = 60000000,
    TOKEN_LIFE_S = 86400,
    FINE_US = 262144,
    COARSE_MS = 65536,
    OPERATION_MAX = 96
};
enum connection { KEPT, NEW, HELD };

struct options {
    struct str ask, address, host, ca, scopes, save, load, connection, chain, derive;
    int64_t port, size, first, count, connections, seconds, rate, cycle;
};

struct run {
    struct arena *arena;
    struct options o;
    enum connection kind;
    struct target target;
    struct authority authority;
    struct bytes group_key; /* derive=; n 0: devices have keys of their own */
    struct str *scopes;
    size_t scope_count;
    struct str *requests;
    X509 **leaves;      /* by step; NULL: tokens are sent */
    struct slot **idle; /* places whose next request is not due yet */
    size_t idle_count;
    char (*operations)[OPERATION_MAX]; /* by step, of the last answer */
    uint64_t next, sent, broken, statuses[600];
    int64_t begun_us, ends_us, used_us;
    size_t active, held;
    int epoll;
    uint32_t fine[FINE_US], coarse[COARSE_MS]; /* answers by µs, and by ms beyond FINE_US */
};

/* One request's place: the connection that carries it. */
struct slot {
    struct conn c;
    uint64_t step;
    int64_t begun_us;
    bool rests; /* its next request is not due yet */
};

static void fail(const char *what)
{
    fprintf(stderr, "client: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static bool set_text(struct options *o, struct str name, struct str value)
{
    const struct {
        struct str name;
        struct str *to;
    } texts[] = {
        {STR("ask"), &o->ask},       {STR("address"), &o->address},       {STR("host"), &o->host},
        {STR("ca"), &o->ca},         {STR("scopes"), &o->scopes},         {STR("save"), &o->save},
        {STR("load"), &o->load},     {STR("connection"), &o->connection}, {STR("chain"), &o->chain},
        {STR("derive"), &o->derive},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (str_same(name, texts[i].name)) {
            *texts[i].to = value;
            return true;
        }
    return false;
}

static bool set_number(struct options *o, struct str name, struct str value)
{
    const struct {
        struct str name;
        int64_t *to;
        int64_t min, max;
    } numbers[] = {
        {STR("port"), &o->port, 1, 65535},
        {STR("size"), &o->size, 1, FLEET_SIZE_MAX},
        {STR("first"), &o->first, 0, INT32_MAX},
        {STR("count"), &o->count, 1, 4000000},
        {STR("connections"), &o->connections, 1, 20000},
        {STR("seconds"), &o->seconds, 0, 3600},
        {STR("rate"), &o->rate, 0, 1000000},
        {STR("cycle"), &o->cycle, 0, 1},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (str_same(name, numbers[i].name))
            return dec_i64(value, numbers[i].min, numbers[i].max, numbers[i].to);
    return false;
}

static void read_options(struct run *r, char **argv)
{
    r->o = (struct options){.ask = STR("register"),
                            .address = STR("127.0.0.1"),
                            .host = STR("localhost"),
                            .connection = STR("kept"),
                            .size = 1,
                            .count = 1,
                            .connections = 1};
    for (; *argv; argv++) {
        struct str name, value = str_split(str_of(*argv), '=', &name);
        if (!value.n || (!set_text(&r->o, name, value) && !set_number(&r->o, name, value))) {
            fprintf(stderr, "client: bad option %s (see the head of tests/load/client.c)\n", *argv);
            exit(2);
        }
    }
    r->kind = str_same(r->o.connection, STR("new")) ? NEW : str_same(r->o.connection, STR("held")) ? HELD : KEPT;
    if (!r->o.port || !r->o.scopes.n)
        fail("port= and scopes= are needed");
    if (r->o.chain.n && (r->kind == KEPT || !r->o.ca.n))
        fail("chain= needs ca= and a connection per request");
    if (r->o.derive.n && !dec_base64(r->arena, r->o.derive, &r->group_key))
        fail("derive= is not base64");
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static struct bytes key_of(const struct run *r, struct arena *a, struct str id, uint64_t number)
{
    if (!r->group_key.n)
        return fleet_key(a, number, "primary");
    struct sha256 *derived = ARENA_NEW(a, struct sha256);
    *derived = crypt_hmac_sha256(r->group_key, (struct bytes){(const uint8_t *)id.p, id.n});
    return (struct bytes){derived->b, sizeof derived->b};
}

/* The header with which the device proves itself; none when its certificate does. */
static struct str authorization(const struct run *r, struct arena *a, struct str scope, struct str id, uint64_t number,
                                int64_t expiry_s)
{
    if (r->o.chain.n)
        return STR("");
    struct str resource = arena_printf(a, "%s/registrations/%s", scope.p, id.p);
    return arena_printf(a, "Authorization: %s\r\n",
                        sas_make(a, resource, STR("registration"), key_of(r, a, id, number), expiry_s).p);
}

static struct str make_request(struct run *r, struct arena *scratch, uint64_t step, int64_t expiry_s)
{
    uint64_t walked = (uint64_t)r->o.first + step;
    struct str scope = r->scopes[walked % r->scope_count];
    uint64_t number = fleet_walk(walked / r->scope_count, (uint64_t)r->o.size);
    struct str id = fleet_id(scratch, number);
    struct str proof = authorization(r, scratch, scope, id, number, expiry_s);
    if (r->leaves && !(r->leaves[step] = leaf_new(&r->authority, id)))
        fail("a certificate");
    if (str_same(r->o.ask, STR("file")))
        return arena_printf(r->arena, "GET /answer HTTP/1.1\r\nHost: %s\r\n%s\r\n", r->o.host.p, proof.p);
    if (str_same(r->o.ask, STR("poll")))
        return arena_printf(
            r->arena, "GET /%s/registrations/%s/operations/%s?api-version=2021-06-01 HTTP/1.1\r\nHost: %s\r\n%s\r\n",
            scope.p, id.p, r->operations[step], r->o.host.p, proof.p);
    return arena_printf(r->arena,
                        "PUT /%s/registrations/%s/register?api-version=2021-06-01 HTTP/1.1\r\nHost: %s\r\n%s"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n{\"registrationId\":\"%s\"}",
                        scope.p, id.p, r->o.host.p, proof.p, id.n + 21, id.p);
}

static void make_requests(struct run *r)
{
    ARENA_CLEANUP struct arena *scratch = arena_new();
    int64_t expiry_s = (int64_t)time(NULL) + TOKEN_LIFE_S;
    r->requests = ARENA_NEW_ARRAY(r->arena, (size_t)r->o.count, struct str);
    r->leaves = r->o.chain.n ? ARENA_NEW_ARRAY(r->arena, (size_t)r->o.count, X509 *) : NULL;
    for (uint64_t step = 0; step < (uint64_t)r->o.count; step++) {
        r->requests[step] = make_request(r, scratch, step, expiry_s);
        arena_reset(scratch);
    }
}

static void load_operations(struct run *r)
{
    r->operations = arena_array(r->arena, (size_t)r->o.count, sizeof *r->operations);
    if (!r->o.load.n)
        return;
    struct str *lines;
    size_t count = fleet_lines(r->arena, r->o.load.p, &lines);
    if (count < (size_t)r->o.count)
        fail("load= holds fewer operations than count=");
    for (size_t i = 0; i < (size_t)r->o.count; i++)
        snprintf(r->operations[i], OPERATION_MAX, "%.*s", STR_ARG(lines[i]));
}

static void save_operations(const struct run *r)
{
    FILE *f = r->o.save.n ? fopen(r->o.save.p, "w") : NULL;
    if (!f) {
        if (r->o.save.n)
            fail(r->o.save.p);
        return;
    }
    for (size_t i = 0; i < (size_t)r->o.count; i++)
        fprintf(f, "%s\n", *r->operations[i] ? r->operations[i] : "-");
    fclose(f);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static void note_answer(struct run *r, struct slot *s, const struct answer *a)
{
    static const char member[] = "\"operationId\":\"";
    int64_t took_us = now_us() - s->begun_us;
    r->statuses[a->status]++;
    if (took_us < FINE_US)
        r->fine[took_us]++;
    else
        r->coarse[took_us / 1000 < COARSE_MS ? took_us / 1000 : COARSE_MS - 1]++;
    const char *at = a->status == 202 && r->o.save.n ? memmem(a->body.p, a->body.n, member, sizeof member - 1) : NULL;
    if (!at)
        return;
    struct str id, rest = {at + sizeof member - 1, (size_t)(a->body.p + a->body.n - at) - (sizeof member - 1)};
    str_split(rest, '"', &id);
    snprintf(r->operations[s->step], OPERATION_MAX, "%.*s", STR_ARG(id));
}

static bool next_step(struct run *r, uint64_t *ret)
{
    if (r->ends_us && now_us() >= r->ends_us)
        return false;
    if (r->next == (uint64_t)r->o.count) {
        if (!r->o.cycle)
            return false;
        r->next = 0;
    }
    *ret = r->next++;
    return true;
}

static void open_slot(struct run *r, struct slot *s)
{
    struct epoll_event e = {.events = EPOLLIN | (r->target.tls ? EPOLLOUT | EPOLLET : 0), .data.ptr = s};
    if (!conn_open(&s->c, &r->target, r->leaves ? r->leaves[s->step] : NULL) ||
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->c.fd, &e) != 0)
        fail("connect");
}

/* How many requests may have begun by now. */
static uint64_t due(const struct run *r)
{
    return r->o.rate ? (uint64_t)((now_us() - r->begun_us) * r->o.rate / 1000000) + 1 : UINT64_MAX;
}

/* Gives the slot its next request, or lets it rest until that is due; false when there is none. */
static bool feed(struct run *r, struct slot *s)
{
    s->rests = r->sent >= due(r);
    if (s->rests) {
        r->idle[r->idle_count++] = s;
        return true;
    }
    if (!next_step(r, &s->step))
        return false;
    s->begun_us = now_us();
    if (s->c.fd < 0)
        open_slot(r, s);
    r->sent++;
    if (conn_send(&s->c, r->requests[s->step]) == CONN_BROKEN) {
        r->broken++;
        conn_close(&s->c);
        return feed(r, s);
    }
    return true;
}

/* After an answer, or the loss of the connection. */
static void go_on(struct run *r, struct slot *s, bool closes)
{
    if (r->kind == HELD && !closes) {
        epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->c.fd, NULL);
        s->c.fd = -1;
        r->held++;
    } else if (r->kind == NEW || closes) {
        conn_close(&s->c);
    }
    if (!feed(r, s))
        r->active--;
}

static void step_slot(struct run *r, struct slot *s)
{
    struct answer a;
    enum conn_event e = conn_step(&s->c, &a);
    if (e == CONN_WAITS)
        return;
    if (s->rests) { /* the server ends connections that rest for long, as it may */
        conn_close(&s->c);
        return;
    }
    if (e == CONN_BROKEN) {
        r->broken++;
        go_on(r, s, true);
        return;
    }
    note_answer(r, s, &a);
    go_on(r, s, a.closes);
}

/* Whoever rests, when requests are due or the time is over. */
static void wake(struct run *r)
{
    bool over = r->ends_us && now_us() >= r->ends_us;
    while (r->idle_count && (over || r->sent < due(r))) {
        struct slot *s = r->idle[--r->idle_count];
        if (over || !feed(r, s))
            r->active--;
    }
}

static void drive(struct run *r)
{
    struct slot *slots = ARENA_NEW_ARRAY(r->arena, (size_t)r->o.connections, struct slot);
    struct epoll_event events[EVENTS];
    for (size_t i = 0; i < (size_t)r->o.connections; i++) {
        slots[i].c.fd = -1;
        if (r->kind != KEPT)
            continue;
        open_slot(r, &slots[i]);
        if (!conn_shake(&slots[i].c))
            fail("TLS handshake");
    }
    r->idle = ARENA_NEW_ARRAY(r->arena, (size_t)r->o.connections, struct slot *);
    r->begun_us = now_us();
    r->used_us = cpu_us();
    r->ends_us = r->o.seconds ? r->begun_us + r->o.seconds * 1000000 : 0;
    for (size_t i = 0; i < (size_t)r->o.connections; i++)
        r->active += feed(r, &slots[i]);
    for (int64_t heard_us = r->begun_us; r->active;) {
        int n = epoll_wait(r->epoll, events, EVENTS, r->idle_count ? 1 : 1000);
        wake(r);
        if (n > 0 || r->idle_count == r->active)
            heard_us = now_us();
        if (now_us() - heard_us > SILENCE_US)
            fail("no answer for 60 seconds");
        for (int i = 0; i < n; i++)
            step_slot(r, events[i].data.ptr);
    }
}

/* --- the report --------------------------------------------------------------------------------------------------- */

static uint64_t answers(const struct run *r)
{
    uint64_t all = 0;
    for (size_t i = 0; i < 600; i++)
        all += r->statuses[i];
    return all;
}

/* The latency that the share of answers stayed under. */
static int64_t percentile_us(const struct run *r, double share)
{
    uint64_t wanted = (uint64_t)((double)answers(r) * share), seen = 0;
    for (int64_t us = 0; us < FINE_US; us++)
        if ((seen += r->fine[us]) > wanted)
            return us;
    for (int64_t ms = 0; ms < COARSE_MS; ms++)
        if ((seen += r->coarse[ms]) > wanted)
            return ms * 1000;
    return 0;
}

static void report(const struct run *r, int64_t wall_us, int64_t used_us)
{
    const char *comma = "";
    printf("{\"sent\":%" PRIu64 ",\"broken\":%" PRIu64 ",\"seconds\":%.6f,\"cpu_us\":%" PRId64 ",\"p50_us\":%" PRId64
           ",\"p99_us\":%" PRId64 ",\"held\":%zu,\"status\":{",
           r->sent, r->broken, (double)wall_us / 1e6, used_us, percentile_us(r, 0.50), percentile_us(r, 0.99), r->held);
    for (int i = 0; i < 600; i++)
        if (r->statuses[i]) {
            printf("%s\"%d\":%" PRIu64, comma, i, r->statuses[i]);
            comma = ",";
        }
    printf("}}\n");
    fflush(stdout);
}

static void prepare(struct run *r)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    r->scope_count = fleet_lines(r->arena, r->o.scopes.p, &r->scopes);
    r->target = (struct target){.address = r->o.address, .port = (int)r->o.port, .host = r->o.host};
    if (r->o.ca.n) {
        r->target.tls = SSL_CTX_new(TLS_client_method());
        if (!r->target.tls || SSL_CTX_load_verify_locations(r->target.tls, r->o.ca.p, NULL) != 1)
            fail("ca= cannot be read");
        SSL_CTX_set_verify(r->target.tls, SSL_VERIFY_PEER, NULL);
    }
    if (r->o.chain.n && !authority_read(r->o.chain.p, &r->authority))
        fail("chain= does not hold an authority's key and certificates");
    r->target.authority = &r->authority;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    load_operations(r);
    make_requests(r);
    errno = 0;
}

int main(int argc, char **argv)
{
    static struct run r; /* its histograms are too large for a stack */
    (void)argc;
    ARENA_CLEANUP struct arena *a = arena_new();
    r.arena = a;
    read_options(&r, argv + 1);
    prepare(&r);
    drive(&r);
    report(&r, now_us() - r.begun_us, cpu_us() - r.used_us);
    save_operations(&r);
    while (r.kind == HELD && getchar() != EOF)
        continue;
    for (int64_t i = 0; r.leaves && i < r.o.count; i++)
        X509_free(r.leaves[i]);
    authority_free(&r.authority);
    SSL_CTX_free(r.target.tls);
    return 0;
}
