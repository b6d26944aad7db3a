/* audit.h: what is sealed of an audit event, and how: the text of an event, its digest, and the hash of a block of
 * them.
 *
 * An event is one line of JSON, its members in a fixed order; times are UTC, `detail` is as the database holds it
 * (jsonb: its text depends on no setting). Its digest is the SHA-256 of that line. A block begins with a line of its
 * own, its header; its hash is the SHA-256 of that header and of the digests in lower-case hex, each with a line feed
 * behind it. The header names the tenant, the number of the block and the hash of the one before, so no block can be
 * put elsewhere. An export consists of the same lines, so whoever has one can compute all of it anew. */
#ifndef IDSCOPE_AUDIT_H
#define IDSCOPE_AUDIT_H

#include "crypt.h"

struct audit_event {
    int64_t id; /* order over all tenants: in no line, since a tenant must not see what others do */
    struct uuid tenant_id, event_id;
    int64_t at_us;
    struct str actor_kind, actor_id;
    struct str client_address, tracking_id; /* absent: it was no request */
    struct str operation, kind, key;
    struct str resource_id; /* absent: none */
    struct str detail;      /* JSON */
};

/* The line, without a line feed. */
void audit_line(struct text *out, const struct audit_event *e);
struct sha256 audit_digest(struct arena *a, const struct audit_event *e);

/* Events that are sealed together, in their order. */
struct audit_block {
    struct uuid tenant_id;
    int64_t block;         /* number, from 1 */
    struct bytes digests;  /* one behind the other */
    struct bytes previous; /* hash of the block before; of the first one zeros */
};

/* The line, without a line feed. */
void audit_header(struct arena *a, struct text *out, const struct audit_block *b);
struct sha256 audit_block_hash(struct arena *a, const struct audit_block *b);

/* How many events these digests are of, and that of the event at `i`. */
size_t audit_digest_count(struct bytes digests);
struct bytes audit_digest_at(struct bytes digests, size_t i);

#endif
