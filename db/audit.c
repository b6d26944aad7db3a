/* audit.c: the statements of db/sql/seal.sql, audit.sql and activity.sql as typed calls. It must never write an event:
 * who changes something does, in the statement of the change. */
#include "db/audit.h"

/* Of an event, or of the member `of` that is one: "event.", with its dot. */
#define EVENT_COLS(of)                                                                                                 \
    COL_TIME(of at_us, "at"), COL_AS(of id, "id"), COL_AS(of tenant_id, "tenant_id"), COL_AS(of event_id, "event_id"), \
        COL_AS(of actor_kind, "actor_kind"), COL_AS(of actor_id, "actor_id"),                                          \
        COL_AS(of client_address, "client_address"), COL_AS(of tracking_id, "tracking_id"),                            \
        COL_AS(of operation, "operation"), COL_AS(of kind, "kind"), COL_AS(of key, "key"),                             \
        COL_AS(of resource_id, "resource_id"), COL_AS(of detail, "detail")

DB_ROW(audit_settled, struct audit_settled, COL(settled), COL(mark));
DB_ROW(audit_event, struct audit_event, EVENT_COLS());
DB_ROW(audit_unsealed, struct audit_unsealed, EVENT_COLS(event.), COL(blocks), COL(previous));
DB_ROW(audit_block, struct audit_sealed, COL(block.tenant_id), COL(block.block), COL(ids), COL(block.digests),
       COL(block.previous), COL(hash));
DB_ROW(audit_chain, struct audit_chain, COL(tenant_id), COL(blocks), COL(last_id), COL(hash), COL(sealed_to),
       COL(cut_blocks), COL(cut_id), COL(cut_hash));
DB_ROW(audit_cut, struct audit_cut, COL(tenant_id), COL(block), COL(count), COL(hash));
DB_PARAMS(activity_wanted, struct activity_wanted, COL(tenant_id), COL_TIME(from_us, "from"), COL_TIME(to_us, "to"),
          COL_TIME(after_us, "after"), COL_AS(after, "after_id"), COL(limit));
DB_PARAMS(audit_seal_block, struct audit_sealed, COL(block.tenant_id), COL(block.block));
DB_PARAMS(audit_seal_hashes, struct audit_sealed, COL(block.digests), COL(block.previous), COL(hash));

err_t db_audit_settled(struct db *db, struct arena *a, struct str mark, struct audit_settled *ret)
{
    return db_one(db, a, DB_CALL(SQL_AUDIT_SETTLED, db_text(mark)), DB_REPEATABLE, ret, sizeof *ret);
}

err_t db_audit_unsealed(struct db *db, struct arena *a, int64_t up_to, int at_most, struct audit_unsealed **ret,
                        size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_AUDIT_UNSEALED, db_i64(up_to), db_i64(at_most)), DB_REPEATABLE, ret, sizeof **ret,
                  ret_count);
}

err_t db_audit_seal(struct db *db, struct arena *a, const struct audit_sealed *blocks, size_t count)
{
    struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, count);
    for (size_t i = 0; i < count; i++)
        pipeline_add(&p,
                     DB_CALL(SQL_AUDIT_SEAL, DB_MEMBERS(audit_seal_block, &blocks[i]),
                             db_i64s(blocks[i].ids.at, blocks[i].ids.n), DB_MEMBERS(audit_seal_hashes, &blocks[i])));
    return pipeline_run(db, &p, DB_ONCE);
}

err_t db_audit_chains(struct db *db, struct arena *a, const struct uuid *tenant, const struct uuid *after, int at_most,
                      struct audit_chain **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_AUDIT_CHAINS, db_uuid(tenant), db_uuid(after), db_i64(at_most)), DB_REPEATABLE,
                  ret, sizeof **ret, ret_count);
}

err_t db_audit_hold(struct db *db, struct arena *a)
{
    return db_do(db, a, DB_CALL(SQL_AUDIT_HOLD), DB_ONCE);
}

err_t db_audit_cut(struct db *db, struct arena *a, int64_t keep_s, int64_t at_most, struct audit_cut **ret,
                   size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_AUDIT_CUT, db_i64(keep_s), db_i64(at_most)), DB_ONCE, ret, sizeof **ret,
                  ret_count);
}

err_t db_audit_blocks(struct db *db, struct arena *a, const struct uuid *tenant, int64_t after, int at_most,
                      struct audit_sealed **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_AUDIT_BLOCKS, db_uuid(tenant), db_i64(after), db_i64(at_most)), DB_REPEATABLE, ret,
                  sizeof **ret, ret_count);
}

err_t db_audit_events(struct db *db, struct arena *a, const struct uuid *tenant, int64_t after, int64_t up_to,
                      int at_most, struct audit_event **ret, size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_AUDIT_EVENTS, db_uuid(tenant), db_i64(after), db_i64(up_to), db_i64(at_most)),
                  DB_REPEATABLE, ret, sizeof **ret, ret_count);
}

err_t db_activity_events(struct db *db, struct arena *a, const struct activity_wanted *w, struct audit_event **ret,
                         size_t *ret_count)
{
    return db_all(db, a, DB_CALL(SQL_ACTIVITY_EVENTS, DB_MEMBERS(activity_wanted, w)), DB_REPEATABLE, ret, sizeof **ret,
                  ret_count);
}

err_t db_audit_owner(struct db *db, struct arena *a, int64_t id, struct uuid *ret_tenant)
{
    return db_one(db, a, DB_CALL(SQL_AUDIT_OWNER, db_i64(id)), DB_REPEATABLE, ret_tenant, sizeof *ret_tenant);
}
