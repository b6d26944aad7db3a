/* seal.c: seals audit events: the next ones of each tenant become a block that holds the hash of the one before. The
 * hashes go to the log, which is the anchor outside of the database: who can write in its tables can make a chain anew,
 * but no old line of a log that is kept elsewhere. It must never seal past an event that may still come. */
#include "workers/job/seal.h"

#include "core/killpoint.h"
#include "core/log.h"
#include "db/audit.h"

struct sealing {
    struct arena *arena;
    int64_t up_to;
    int at_most;
    struct audit_sealed *blocks;
    size_t block_count, event_count;
};

static const uint8_t no_block[SHA256_BYTES];

/* How many of the events that begin at `first` are of its tenant. */
static size_t same_tenant(const struct audit_unsealed *first, size_t count)
{
    size_t n = 1;
    while (n < count && uuid_same(&first[n].event.tenant_id, &first->event.tenant_id))
        n++;
    return n;
}

static struct audit_sealed block_of(struct arena *a, const struct audit_unsealed *first, size_t count)
{
    int64_t *ids = ARENA_NEW_ARRAY(a, count, int64_t);
    struct sha256 *digests = ARENA_NEW_ARRAY(a, count, struct sha256), *hash = ARENA_NEW(a, struct sha256);
    for (size_t i = 0; i < count; i++) {
        ids[i] = first[i].event.id;
        digests[i] = audit_digest(a, &first[i].event);
    }
    struct audit_block block = {
        .tenant_id = first->event.tenant_id,
        .block = first->blocks + 1,
        .digests = {(const uint8_t *)digests, count * sizeof *digests},
        .previous = first->previous.p ? first->previous : (struct bytes){no_block, sizeof no_block},
    };
    *hash = audit_block_hash(a, &block);
    return (struct audit_sealed){block, {ids, count}, {hash->b, sizeof hash->b}};
}

static err_t seal_in_tx(struct db *db, void *context)
{
    struct sealing *s = context;
    struct audit_unsealed *events;
    s->block_count = 0;
    TRY(db_audit_unsealed(db, s->arena, s->up_to, s->at_most, &events, &s->event_count));
    s->blocks = ARENA_NEW_ARRAY(s->arena, s->event_count, struct audit_sealed);
    for (size_t i = 0, n; i < s->event_count; i += n) {
        n = same_tenant(&events[i], s->event_count - i);
        s->blocks[s->block_count++] = block_of(s->arena, &events[i], n);
    }
    KILL_POINT("audit_sealing");
    return db_audit_seal(db, s->arena, s->blocks, s->block_count);
}

static void say(struct arena *a, const struct audit_sealed *b)
{
    log_event(LOG_INFO, "auditSealed", L_TEXT("tenant", enc_uuid(a, &b->block.tenant_id)),
              L_NUM("block", b->block.block), L_NUM("count", b->ids.n), L_TEXT("hash", enc_hex(a, b->hash, false)));
}

err_t seal_cut(struct db *db, struct arena *a, int64_t keep_s, int64_t at_most, int64_t *ret_blocks)
{
    struct audit_cut *gone;
    size_t count;
    TRY(db_audit_cut(db, a, keep_s, at_most, &gone, &count));
    for (size_t i = 0; i < count; i++)
        log_event(LOG_INFO, "auditCut", L_TEXT("tenant", enc_uuid(a, &gone[i].tenant_id)),
                  L_NUM("block", gone[i].block), L_NUM("count", gone[i].count),
                  L_TEXT("hash", enc_hex(a, gone[i].hash, false)));
    *ret_blocks = (int64_t)count;
    return NULL;
}

err_t seal_events(struct db *db, struct arena *a, int64_t up_to, int at_most, int64_t *ret_events)
{
    struct sealing s = {.arena = a, .up_to = up_to, .at_most = at_most};
    TRY(db_tx(db, seal_in_tx, &s));
    for (size_t i = 0; i < s.block_count; i++)
        say(a, &s.blocks[i]);
    *ret_events = (int64_t)s.event_count;
    return NULL;
}
