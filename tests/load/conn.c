/* conn.c: one HTTP/1.1 connection of the load client (conn.h). Reads answers with a Content-Length and nothing else: an
 * answer that it cannot read is a broken connection, never a success. */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/enc.h"

static bool begin_tls(struct conn *c, const struct target *t, X509 *leaf)
{
    c->ssl = SSL_new(t->tls);
    c->handshaking = true;
    return c->ssl && SSL_set_tlsext_host_name(c->ssl, t->host.p) == 1 && SSL_set1_host(c->ssl, t->host.p) == 1 &&
           SSL_set_fd(c->ssl, c->fd) == 1 && (!leaf || leaf_present(c->ssl, t->authority, leaf));
}

bool conn_open(struct conn *c, const struct target *t, X509 *leaf)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
    int on = 1;
    c->ssl = NULL;
    c->handshaking = false;
    c->have = c->sent = 0;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || inet_pton(AF_INET, t->address.p, &to.sin_addr) != 1)
        return false;
    /* Blocking until connected (loopback: at once), then not. */
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0 && (!t->tls || begin_tls(c, t, leaf));
}

/* What a failed TLS call means: wait, or the end. */
static enum conn_event tls_wait(struct conn *c, int result)
{
    int why = SSL_get_error(c->ssl, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? CONN_WAITS : CONN_BROKEN;
}

bool conn_shake(struct conn *c)
{
    while (c->handshaking) {
        int result = SSL_connect(c->ssl);
        struct pollfd wanted = {.fd = c->fd, .events = POLLIN};
        if (result == 1)
            c->handshaking = false;
        else if (tls_wait(c, result) == CONN_BROKEN || poll(&wanted, 1, 10000) != 1)
            return false;
    }
    return true;
}

void conn_close(struct conn *c)
{
    if (c->ssl) {
        if (!c->handshaking)
            SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    if (c->fd >= 0)
        close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
}

static enum conn_event write_on(struct conn *c)
{
    while (c->sent < c->request.n) {
        const char *from = c->request.p + c->sent;
        size_t rest = c->request.n - c->sent;
        ssize_t n = c->ssl ? SSL_write(c->ssl, from, (int)rest) : write(c->fd, from, rest);
        if (n <= 0)
            return c->ssl ? tls_wait(c, (int)n) : errno == EAGAIN ? CONN_WAITS : CONN_BROKEN;
        c->sent += (size_t)n;
    }
    return CONN_WAITS;
}

/* The value of a header of the answer, or the absent text. `head` ends with its last CRLF. */
static struct str header(struct str head, struct str name)
{
    while (head.n) {
        struct str line, field;
        head = str_split(head, '\n', &line);
        struct str value = str_split(line, ':', &field);
        if (value.n && str_same_nocase(field, name)) {
            value = str_trim(value);
            return value.n && value.p[value.n - 1] == '\r' ? (struct str){value.p, value.n - 1} : value;
        }
    }
    return (struct str){NULL, 0};
}

static enum conn_event parse(struct conn *c, struct answer *ret)
{
    c->in[c->have] = '\0';
    const char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return c->have == CONN_ANSWER_MAX ? CONN_BROKEN : CONN_WAITS;
    struct str head = {c->in, (size_t)(end + 2 - c->in)};
    struct str body = {end + 4, 0};
    int64_t status, length;
    if (head.n < 12 || !dec_i64((struct str){c->in + 9, 3}, 100, 599, &status) ||
        !dec_i64(header(head, STR("content-length")), 0, CONN_ANSWER_MAX, &length))
        return CONN_BROKEN;
    body.n = (size_t)length;
    size_t whole = (size_t)(body.p - c->in) + body.n;
    if (whole > CONN_ANSWER_MAX || whole < c->have)
        return CONN_BROKEN;
    if (c->have < whole)
        return CONN_WAITS;
    *ret = (struct answer){(int)status, body, str_same_nocase(header(head, STR("connection")), STR("close"))};
    return CONN_ANSWERED;
}

static enum conn_event read_on(struct conn *c, struct answer *ret)
{
    for (;;) {
        char *to = c->in + c->have;
        size_t room = CONN_ANSWER_MAX - c->have;
        ssize_t n = c->ssl ? SSL_read(c->ssl, to, (int)room) : read(c->fd, to, room);
        if (n <= 0)
            return c->ssl ? tls_wait(c, (int)n) : n < 0 && errno == EAGAIN ? CONN_WAITS : CONN_BROKEN;
        c->have += (size_t)n;
        enum conn_event e = parse(c, ret);
        if (e != CONN_WAITS)
            return e;
    }
}

enum conn_event conn_send(struct conn *c, struct str request)
{
    c->request = request;
    c->sent = c->have = 0;
    return c->handshaking ? CONN_WAITS : write_on(c);
}

enum conn_event conn_step(struct conn *c, struct answer *ret)
{
    if (c->handshaking) {
        int result = SSL_connect(c->ssl);
        if (result != 1)
            return tls_wait(c, result);
        c->handshaking = false;
    }
    if (c->sent < c->request.n) {
        enum conn_event e = write_on(c);
        if (e == CONN_BROKEN || c->sent < c->request.n)
            return e;
    }
    return read_on(c, ret);
}
