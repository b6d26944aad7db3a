/* audit.c: the text and the hashes of audit events. It must never write a line in another way than audit.h tells:
 * whoever holds one from last year computes its digest today. */
#include "audit.h"

#include "json.h"

void audit_line(struct text *out, const struct audit_event *e)
{
    text_add_char(out, '{');
    json_member_text(out, "eventId", enc_uuid(out->arena, &e->event_id));
    json_member_time(out, "time", e->at_us);
    json_member_text(out, "tenantId", enc_uuid(out->arena, &e->tenant_id));
    json_member_text(out, "actorKind", e->actor_kind);
    json_member_text(out, "actorId", e->actor_id);
    json_member_text(out, "clientAddress", e->client_address);
    json_member_text(out, "trackingId", e->tracking_id);
    json_member_text(out, "operation", e->operation);
    json_member_text(out, "kind", e->kind);
    json_member_text(out, "key", e->key);
    json_member_text(out, "resourceId", e->resource_id);
    json_member(out, "detail");
    text_add(out, e->detail);
    text_add_char(out, '}');
}

struct sha256 audit_digest(struct arena *a, const struct audit_event *e)
{
    struct text line;
    text_init(&line, a, 1024);
    audit_line(&line, e);
    return crypt_sha256(text_bytes(&line));
}

size_t audit_digest_count(struct bytes digests)
{
    return digests.n / SHA256_BYTES;
}

struct bytes audit_digest_at(struct bytes digests, size_t i)
{
    return (struct bytes){digests.p + i * SHA256_BYTES, SHA256_BYTES};
}

void audit_header(struct arena *a, struct text *out, const struct audit_block *b)
{
    text_add_char(out, '{');
    json_member_text(out, "tenantId", enc_uuid(a, &b->tenant_id));
    json_member_i64(out, "block", b->block);
    json_member_i64(out, "count", (int64_t)audit_digest_count(b->digests));
    json_member_text(out, "previous", enc_hex(a, b->previous, false));
    text_add_char(out, '}');
}

struct sha256 audit_block_hash(struct arena *a, const struct audit_block *b)
{
    struct text sealed;
    text_init(&sealed, a, 256 + 2 * b->digests.n);
    audit_header(a, &sealed, b);
    text_add_char(&sealed, '\n');
    for (size_t i = 0; i < audit_digest_count(b->digests); i++) {
        text_add(&sealed, enc_hex(a, audit_digest_at(b->digests, i), false));
        text_add_char(&sealed, '\n');
    }
    return crypt_sha256(text_bytes(&sealed));
}
