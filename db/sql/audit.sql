-- audit.sql: audit events and the blocks that sealed them, as they are looked through. It must never write.

-- The end of the chain of each tenant that has events or blocks, behind tenant $2 (NULL: from the first) and of tenant $1 alone (NULL: of all), $3 at most;
-- and how far all is sealed.
-- name: audit_chains -> audit_chain
WITH RECURSIVE tenants AS (
    (SELECT tenant_id FROM idscope.audit_event WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR tenant_id > $2) ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT next.tenant_id
      FROM tenants t
     CROSS JOIN LATERAL (SELECT tenant_id FROM idscope.audit_event WHERE tenant_id > t.tenant_id AND $1::uuid IS NULL ORDER BY tenant_id LIMIT 1) next),
     named AS (
    SELECT tenant_id FROM (TABLE tenants LIMIT $3::bigint) t
     UNION
    SELECT tenant_id FROM idscope.audit_chain WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR tenant_id > $2)
     UNION
    (SELECT tenant_id FROM idscope.audit_block WHERE block = 1 AND ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR tenant_id > $2)))
SELECT n.tenant_id, coalesce(c.blocks, 0) AS blocks, coalesce(c.last_id, 0) AS last_id, c.hash, coalesce(c.cut_blocks, 0) AS cut_blocks, coalesce(c.cut_id, 0) AS cut_id, c.cut_hash,
       (SELECT coalesce(max(last_id), 0) FROM idscope.audit_chain) AS sealed_to
  FROM named n
  LEFT JOIN idscope.audit_chain c USING (tenant_id)
 ORDER BY n.tenant_id
 LIMIT $3::bigint;

-- To the end of the session no block is cut away.
-- name: audit_hold
SELECT pg_advisory_lock_shared(hashtextextended('idscope.audit_cut', 0));

-- Blocks of tenant $1 behind number $2, $3 at most.
-- name: audit_blocks -> audit_block as actor
SELECT tenant_id, block, ids, digests, previous, hash
  FROM idscope.audit_block
 WHERE tenant_id = $1 AND block > $2
 ORDER BY block
 LIMIT $3;

-- Events of tenant $1 behind id $2 up to id $3, $4 at most.
-- name: audit_events -> audit_event as actor
SELECT id, tenant_id, event_id, at, actor_kind, actor_id, client_address, tracking_id, operation, kind, key, resource_id, detail::text AS detail
  FROM idscope.audit_event
 WHERE tenant_id = $1 AND id > $2 AND id <= $3
 ORDER BY id
 LIMIT $4;

-- Whose is event $1? No row: nobody's.
-- name: audit_owner -> tenant
SELECT tenant_id FROM idscope.audit_event WHERE id = $1;
