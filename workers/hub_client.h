/* hub_client.h: the one client for outgoing calls: HTTPS to hubs and issuers of tokens. One per thread; many calls of
 * one thread run at once.
 *
 * Certificates are checked, redirects are not followed, answers are bounded, time is bounded. Names under hub.D go to
 * the edge address of the settings (name, SNI and certificate check unchanged); every other call goes where DNS says,
 * on port 443 unless the call names one, and only to addresses that outgoing.h allows. Calls are signed here with
 * tokens that are kept for some minutes; nothing of them is ever logged. */
#ifndef IDSCOPE_HUB_CLIENT_H
#define IDSCOPE_HUB_CLIENT_H

#include "core/crypt.h"
#include "workers/outgoing.h"

struct hub_client_settings {
    struct str domain;       /* D */
    struct str edge_address; /* ADDRESS:PORT, or empty */
    struct str ca_pem;       /* empty: the system's */
    struct outgoing outgoing;
};

struct hub_client;

/* Once per process, before any thread. */
void hub_client_global_init(void);
/* `settings` must outlive the client. */
struct hub_client *hub_client_new(const struct hub_client_settings *settings);
void hub_client_free(struct hub_client *c);

struct hub_credential {
    struct str key_name;
    struct bytes key; /* raw */
};

enum hub_outcome {
    HUB_ANSWERED, /* status and reply are set */
    HUB_UNRESOLVED,
    HUB_NAME_SILENT, /* whoever should know the name does not answer */
    HUB_NOT_ALLOWED,
    HUB_NOT_CONNECTED,
    HUB_CONNECT_TIMED_OUT,
    HUB_NOT_TRUSTED,
    HUB_NO_TLS,
    HUB_TIMED_OUT,
    HUB_BROKE, /* the connection or the answer */
    HUB_CANCELLED,
};
extern const char *const hub_outcome_words[]; /* "name does not resolve", … */

struct hub_call {
    /* asked; must stay valid until the call comes back */
    struct arena *arena; /* for what the call needs and gets */
    struct str host;
    int port; /* 0: 443 */
    const char *method;
    struct str path;     /* begins with '/'; percent-encoded, with its query */
    struct str body;     /* JSON; absent: none */
    struct str if_match; /* the header; absent: none */
    struct str id_scope; /* on whose behalf the hub's registry is written or listed; absent: nothing is said of it */
    int page;            /* of a list: so many entries at most; 0: it is none */
    struct str continuation;                 /* of a list: as the page before gave it; absent: from the beginning */
    const struct hub_credential *credential; /* NULL: none is sent */
    int64_t timeout_ms;
    bool fresh;        /* on a connection of its own */
    bool connect_only; /* TCP connect and nothing else; implies fresh */
    void *owner;       /* the caller's */

    /* answered */
    enum hub_outcome outcome;
    int status;
    struct str reply;
    struct str next_page;                /* of a list: its continuation; absent: there is no more */
    int64_t retry_after_ms;              /* as the hub said, 0: it did not */
    int64_t connect_us, tls_us, http_us; /* of a connection that this call made; 0: none */

    struct hub_transfer *transfer; /* the client's */
};

/* Starts the call. It comes back from hub_client_next, exactly once; with no time (timeout_ms 0), as HUB_CANCELLED. */
void hub_client_start(struct hub_client *c, struct hub_call *call);
/* The next call that ended, waiting up to wait_ms for one; NULL: none. */
struct hub_call *hub_client_next(struct hub_client *c, int64_t wait_ms);
/* How many calls were started and have not come back. */
size_t hub_client_open(const struct hub_client *c);
/* Ends all open calls now: they come back as HUB_CANCELLED. */
void hub_client_give_up(struct hub_client *c);

#endif
