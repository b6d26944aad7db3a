-- seal.sql: audit events that are not sealed yet, and the blocks that seal them. Events are written by idscope.note() beside what they tell of; nothing
-- here changes one.

-- Up to which id all events are there or never to come ($1 what this said last, NULL: nothing; settled NULL: it cannot be told yet), and the next mark.
-- name: audit_settled -> audit_settled
SELECT settled, next_mark::text AS mark FROM idscope.audit_settled($1::text::jsonb);

-- The next $2 events that are not sealed, up to id $1, by tenant, each with the end of its tenant's chain. Blocks are made of whole stretches of ids over
-- all tenants, so all is sealed up to the largest id of any chain's end.
-- name: audit_unsealed -> audit_unsealed
WITH bite AS MATERIALIZED (
    SELECT *
      FROM idscope.audit_event
     WHERE id > (SELECT coalesce(max(last_id), 0) FROM idscope.audit_chain) AND id <= $1
     ORDER BY id
     LIMIT $2)
SELECT b.id, b.tenant_id, b.event_id, b.at, b.actor_kind, b.actor_id, b.client_address, b.tracking_id, b.operation, b.kind, b.key, b.resource_id,
       b.detail::text AS detail, c.blocks, c.hash AS previous
  FROM bite b
  LEFT JOIN idscope.audit_chain c ON c.tenant_id = b.tenant_id
 ORDER BY b.tenant_id, b.id;

-- Block $2 of tenant $1: ids $3, digests $4, the hash of the block before $5, its own $6. Who seals beside another wants the same number, and is refused.
-- name: audit_seal
WITH sealed AS (
    INSERT INTO idscope.audit_block (tenant_id, block, ids, digests, previous, hash)
    VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING tenant_id, block, ids, hash)
INSERT INTO idscope.audit_chain AS c (tenant_id, blocks, last_id, hash)
SELECT tenant_id, block, ids[cardinality(ids)], hash FROM sealed
    ON CONFLICT (tenant_id) DO UPDATE SET blocks = excluded.blocks, last_id = excluded.last_id, hash = excluded.hash;

-- The first block of as many as $2 tenants goes, where it was sealed more than $1 seconds ago; never the last one.
-- name: audit_cut -> audit_cut
SELECT tenant_id, block, count, hash FROM idscope.audit_cut($1, $2);
