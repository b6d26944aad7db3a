/* call.h: one call of an operation: what is asked, by whom, and what is answered. A door (api/server.c is the one for
 * HTTP) makes calls and submits them to the lanes; lanes and operations know of no door.
 *
 * An operation is a paragraph: decode, check, ask the database, reply. It runs on a lane's thread with a connection
 * (r->db) and simply blocks. It returns NULL after a call_reply…, or an error: the reply for an error is written in one
 * place (api/reply.c), in the shape of the plane, with the tracking id. Everything in a request lives in its arena. */
#ifndef IDSCOPE_CALL_H
#define IDSCOPE_CALL_H

#include "api/gate.h"
#include "api/queue.h"
#include "core/arena.h"
#include "core/attest/presented.h"
#include "core/cfg.h"
#include "core/codec.h"
#include "core/id.h"
#include "core/jwt.h"
#include "db/db.h"

#define PLANE(name, ...) PLANE_##name,
enum plane {
#include "api/planes.def"
    PLANE_COUNT
};
#undef PLANE
enum method { METHOD_GET, METHOD_PUT, METHOD_POST, METHOD_DELETE, METHOD_HEAD, METHOD_PATCH, METHOD_OTHER };

/* Who the lane asks for before it calls the operation (api/auth.c). */
enum credential {
    CREDENTIAL_NONE,     /* open to all: metadata, sign-in */
    CREDENTIAL_BEARER,   /* management: JWT; r->client is filled; right: role needed there (enum role) */
    CREDENTIAL_INSTANCE, /* service plane: SAS of an instance policy or JWT of its tenant; r->instance is filled; right:
                            service_right bits */
    CREDENTIAL_HUB,      /* built-in hub: SAS of a hub policy; r->hub is filled; right: hub_right bits */
    CREDENTIAL_DEVICE, /* checked by the batch operation itself; r->instance is filled (by ID scope), or the request was
                          refused */
};

enum { CALL_HEADERS_MAX = 8 };

/* The values that paths of routes.def name in braces. The words stand in api/router.c. */
enum segment {
    SEGMENT_TENANT,
    SEGMENT_SUBSCRIPTION,
    SEGMENT_PROVIDER,
    SEGMENT_GROUP,
    SEGMENT_TYPE,
    SEGMENT_NAME,
    SEGMENT_KEY,
    SEGMENT_HOST,
    SEGMENT_CERTIFICATE,
    SEGMENT_LOCK,
    SEGMENT_SCOPE,
    SEGMENT_ID,
    SEGMENT_OPERATION,
    SEGMENT_COUNT
};

struct call;
typedef err_t (*op_fn)(struct call *r);

/* Calls of a batch operation, from stage to stage. */
struct batch {
    struct arena *arena; /* of the batch alone: gone when it is answered */
    struct db *db;       /* the lane's connection */
    struct call **calls;
    size_t count;
    void *made; /* the operation's own: what prepare hands on */
};
/* A batch operation answers every request of the batch (call_reply… or r->error), in three stages, each for all calls:
 * prepare does all that can be done beside another batch that writes: it parses, looks up, checks, decides;
 * write writes, one batch of a class of lanes at a time (NULL: nothing is written);
 * answer makes the replies, and asks nobody.
 * Those whose credentials are dear to check stay unanswered, unless it runs where that is done: their error is
 * DEAR_CHECK. */
struct batch_op {
    void (*prepare)(struct batch *b);
    void (*write)(struct batch *b);
    void (*answer)(struct batch *b);
};

/* One line of routes.def. */
struct route {
    enum plane plane;
    enum method method;
    enum route_kind { ROUTE_OP, ROUTE_BATCH, ROUTE_INLINE } kind;
    const char *path;             /* pattern: literal words ignore case, {name} takes one segment */
    const char *name;             /* of the operation, in logs, metrics and openapi.yaml (operationId) */
    op_fn op;                     /* of an OP and an INLINE */
    const struct batch_op *batch; /* of a BATCH */
    enum credential credential;
    int right;
    size_t body_max;
    bool api_version; /* api-version is required */
    bool pieces;      /* body and reply may be of any length: see struct call_pieces */
    bool body_proves; /* what the body says may be the credential */
    bool partial;     /* of CREDENTIAL_BEARER: shows what the client may read, whoever has a role in its place */
};

/* A body that comes piece by piece, or a reply that goes so (routes with PIECES): the operation runs once for each, and
 * leaves what it wants to find again in `state`. Nobody holds a lane while the client is slow. */
struct call_pieces {
    bool last;       /* of a body: there is no more than r->body, which also holds what was left of it before */
    struct str rest; /* the operation's word: what it left of r->body, for the next time; with an answer: nothing */
    bool more;       /* the operation's word: there is another piece of the reply */
    void *state;     /* in the call's arena; NULL at first */
};

/* Where a call stands with the lanes, and who wants it back. */
enum lane_class { LANE_DEVICE, LANE_DEVICE_DEAR, LANE_SERVICE, LANE_HUB, LANE_MANAGEMENT, LANE_CLASSES };
struct lane_work {
    struct queue_item item;
    enum lane_class class;
    int64_t submitted_us, begun_us; /* monotonic; begun 0: not yet */
    void (*done)(struct call *c);
};

#define VERSION(name, last) VERSION_NUMBER_##name,
enum version_number {
#include "api/versions.def"
};
#undef VERSION
#define VERSION(name, last) VERSION_##name = 1U << VERSION_NUMBER_##name,
enum version {
#include "api/versions.def"
};
#undef VERSION

/* What may be said beside path, query and body. Members that a door has no word for stay absent. */
struct call_options {
    struct str if_match, if_none_match;
    struct str max_item_count, continuation; /* of lists */
    struct str id_scope;                     /* of the instance on whose behalf a hub's registry is written */
    bool extensions;                         /* members of our own are to be shown (decisions.md 31) */
};

struct reply_header {
    const char *name;
    struct str value;
};

struct call {
    struct arena *arena; /* in which the call lives as well */
    void *door;          /* what the door wants to find again in its `done` */
    struct lane_work work;
    const struct cfg *cfg;
    const struct shared *shared; /* what all requests share: api/shared.h */
    struct db *db;               /* the lane's connection, while an operation runs */
    int64_t begun_us;            /* monotonic */
    int64_t now_us;              /* wall clock when the operation began; a batch shares it */
    struct uuid tracking;
    struct str tracking_id; /* its text: x-ms-request-id and trackingId */

    enum plane plane;
    const struct route *route;
    enum method method;
    struct str host;                        /* Host header, lower case, without port */
    struct str host_port;                   /* Host header as sent, else management.D: for URLs in answers */
    struct str name;                        /* left-most label of the host: instance or hub name, lower case */
    struct str path;                        /* decoded, as sent, for logs (no query) */
    struct str segments[SEGMENT_COUNT];     /* percent-decoded once, case kept; absent where the path has none */
    struct str raw_segments[SEGMENT_COUNT]; /* the same, not decoded */
    struct str query;                       /* raw query text, see call_query */
    struct str api_version;
    unsigned versions; /* the rows of versions.def that it is of: VERSION_… */
    struct str body;
    struct call_pieces pieces;
    struct presented presented;
    struct call_options options;
    struct str client_request_id; /* x-ms-client-request-id, echoed when x-ms-return-client-request-id is true */

    const struct gate_client *client;     /* CREDENTIAL_BEARER, and CREDENTIAL_INSTANCE with a bearer token */
    const struct gate_instance *instance; /* CREDENTIAL_INSTANCE, CREDENTIAL_DEVICE */
    const struct gate_hub *hub;           /* CREDENTIAL_HUB */
    bool enrolled;         /* CREDENTIAL_DEVICE: there is an enrollment of the id, once that was looked up */
    struct db_actor actor; /* on whose behalf it runs, once auth_check has let it in; kind 0: nobody */

    const char *owner_kind; /* for the log: "idScope", "tenant" or "hub"; NULL while unknown */
    struct str owner;

    err_t error;                  /* what went wrong, for reply and log */
    struct err_detail detail;     /* words for the client */
    struct err_detail log_detail; /* words for the log only (why a credential was refused) */
    int64_t retry_after_s;        /* of a refusal that knows when to come back; else 0 */
    int status;                   /* of the reply */
    struct str reply;             /* body */
    struct reply_header headers[CALL_HEADERS_MAX];
    size_t header_count;
};

/* A call that begins now, with a tracking id, in an arena that was made for it. */
struct call *call_new(struct arena *a, const struct shared *shared, const struct uuid *tracking);
/* The call is over, answered or not (status 0): it gets its line in the access log, is counted, and leaves its arena,
 * emptied. Every door ends its calls here. */
struct arena *call_end(struct call *c);
/* Gives a call back that another one was answered in the stead of: no word of it, its stand-in is the one that ends. */
void call_drop(struct call *c);
/* Calls between call_new and call_end, of all doors. */
size_t calls_in_flight(void);
void calls_metrics(struct text *out);
/* Another call that answers in its stead, in an arena of its own, with no more than a refusal needs. May be made while
 * a lane runs `c`: it reads what no operation changes. */
struct call *call_stand_in(const struct call *c);

/* Doors give the body, whole or its next piece, by this: a byte order mark at its start is no part of it (decisions.md
 * 29). */
void call_take_body(struct call *c, struct str body);

/* The value of a query parameter (names ignore case), decoded; absent when it is not there. */
struct str call_query(struct call *r, const char *name);
/* The same of one that must not be overlooked: BAD_REQUEST names it when it is there and cannot be read. */
err_t call_query_text(struct call *r, const char *name, struct str *ret);

/* Is it a PUT with If-None-Match: *, which makes what is not there yet, and changes nothing that is (RFC 9110 13.1.2)?
 */
bool call_makes_new(const struct call *r);

/* Replies. The body is JSON (application/json; charset=utf-8) or empty. */
err_t call_reply(struct call *r, int status, struct str json);
err_t call_reply_empty(struct call *r, int status);
err_t call_reply_codec(struct call *r, int status, const struct codec *table, const void *from);
void call_header(struct call *r, const char *name, struct str value);
void call_retry_after(struct call *r, int64_t seconds);

/* Decodes the body into the zeroed struct `to`; says which member is wrong in r->detail. An empty body is BAD_JSON. */
err_t call_decode(struct call *r, const struct codec *table, unsigned mode, void *to);
/* Fails with a sentence for the client: return call_fail(r, E(BAD_FIELD), "…"). With call_refuse it is for the log
 * only: the client sees the error's own sentence (decisions.md 24). */
#define call_fail(r, e, ...) err_say(&(r)->detail, (e), __VA_ARGS__)
#define call_refuse(r, e, ...) err_say(&(r)->log_detail, (e), __VA_ARGS__)

#endif
