-- hub.sql: built-in hubs as the management plane sees them. Names are global: a plain INSERT, and the unique violation reads as "taken".

-- name: hub_find -> hub as actor
-- $1 tenant, $2 subscription, $3 group (NULL: any), $4 hub (NULL: all), $5 the last one of the page before (NULL: none),
-- $6 scopes in which it stands (NULL: any), $7 rows wanted
SELECT h.name, g.name AS "group", h.subscription_id, h.location, h.tags, h.sku_name, h.sku_capacity, h.properties, h.network, h.etag
  FROM idscope.hub h
  JOIN idscope.resource_group g
    ON g.tenant_id = h.tenant_id AND g.subscription_id = h.subscription_id AND g.name_key = h.resource_group_key
 WHERE h.tenant_id = $1 AND h.subscription_id = $2
   AND ($3::text IS NULL OR h.resource_group_key = $3)
   AND ($4::text IS NULL OR h.hub_key = $4)
   AND ($5::text IS NULL OR h.hub_key > $5)
   AND ($6::text[] IS NULL OR idscope.in_scopes($6, idscope.role_scope(h.subscription_id, h.resource_group_key, 'iothubs', h.hub_key)))
 ORDER BY h.hub_key
 LIMIT $7;

-- name: hub_policy_find -> policy as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub, $5 policy in lower case (NULL: all)
SELECT p.key_name, p.rights, p.primary_sealed, p.secondary_sealed
  FROM idscope.hub h
  JOIN idscope.hub_policy p ON p.tenant_id = h.tenant_id AND p.hub_key = h.hub_key
 WHERE h.tenant_id = $1 AND h.subscription_id = $2 AND h.resource_group_key = $3 AND h.hub_key = $4
   AND ($5::text IS NULL OR p.key_name_key = $5)
 ORDER BY p.position;

-- name: hub_count -> hub_device_count as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub: how many devices it has; no row: there is no such hub
SELECT coalesce(sum(c.devices), 0)::bigint AS devices, coalesce(sum(c.enabled), 0)::bigint AS enabled
  FROM idscope.hub h
  LEFT JOIN idscope.hub_device_count c ON c.hub_id = h.hub_id
 WHERE h.tenant_id = $1 AND h.subscription_id = $2 AND h.resource_group_key = $3 AND h.hub_key = $4
 GROUP BY h.hub_id;

-- name: hub_lock -> hub_locked as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub. Two writers of one hub wait for each other.
SELECT hub_id, location, tags, sku_name, sku_capacity, properties, network, etag
  FROM idscope.hub
 WHERE tenant_id = $1 AND subscription_id = $2 AND resource_group_key = $3 AND hub_key = $4
   FOR UPDATE;

-- name: hub_insert as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub, $5 name, $6 location, $7 tags, $8 SKU, $9 capacity, $10 properties,
-- $11 who may call it
WITH issued AS (
    INSERT INTO idscope.hub_registry (hub_key) VALUES ($4) RETURNING hub_id),
     written AS (
    INSERT INTO idscope.hub (hub_key, hub_id, tenant_id, subscription_id, resource_group_key, name, location, tags, sku_name,
                             sku_capacity, properties, network, etag)
    SELECT $4, hub_id, $1, $2, $3, $5, $6, $7, $8, $9, $10, $11, gen_random_uuid()
      FROM issued
    RETURNING *)
SELECT idscope.note('hub', hub_key, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written;

-- name: hub_update as actor
-- $1 tenant, $2 hub, $3 tags, $4 SKU, $5 capacity, $6 properties, $7 who may call it, $8 something of it has changed: otherwise it
-- keeps its etag
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     old AS (
    SELECT h AS was FROM idscope.hub h WHERE tenant_id = $1 AND hub_key = $2),
     written AS (
    UPDATE idscope.hub h
       SET tags = $3, sku_name = $4, sku_capacity = $5, properties = $6, network = $7, etag = CASE WHEN $8 THEN made.etag ELSE h.etag END,
           updated_at = CASE WHEN $8 THEN made.moment ELSE h.updated_at END
      FROM made
     WHERE h.tenant_id = $1 AND h.hub_key = $2
    RETURNING h.*),
     stale AS (
    UPDATE idscope.hub_registry r
       SET version = r.version + 1
      FROM written
     WHERE $8 AND r.hub_id = written.hub_id)
SELECT idscope.note('hub', hub_key, jsonb_build_object('change', CASE WHEN $8 THEN 'updated' ELSE 'unchanged' END), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: hub_retag as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub, $5 the etag that it must have, as clients see it (NULL: any), $6 tags
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     old AS (
    SELECT t AS was
      FROM idscope.hub t
     WHERE tenant_id = $1 AND subscription_id = $2 AND resource_group_key = $3 AND hub_key = $4
       FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.hub t
       SET tags = $6, etag = made.etag, updated_at = made.moment
      FROM made, old
     WHERE t.tenant_id = $1 AND t.subscription_id = $2 AND t.resource_group_key = $3 AND t.hub_key = $4
       AND ($5::text IS NULL OR encode(substr(uuid_send(t.etag), 1, 9), 'base64') = $5)
    RETURNING t.*)
SELECT idscope.note('hub', hub_key, jsonb_build_object('change', 'updated'), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: hub_policy_put as actor
-- $1 tenant, $2 hub, $3 names, $4 rights, $5 primary keys, $6 secondary keys: the whole set
WITH wanted AS (
    SELECT lower(key_name COLLATE "C") AS key_name_key, key_name, rights, primary_sealed, secondary_sealed, position::int AS position
      FROM unnest($3::text[], $4::int[], $5::bytea[], $6::bytea[])
           WITH ORDINALITY AS w (key_name, rights, primary_sealed, secondary_sealed, position)),
     gone AS (
    DELETE FROM idscope.hub_policy
     WHERE tenant_id = $1 AND hub_key = $2 AND key_name_key NOT IN (SELECT key_name_key FROM wanted)),
     changed AS (
    UPDATE idscope.hub_registry r
       SET version = r.version + 1
      FROM idscope.hub h
     WHERE h.tenant_id = $1 AND h.hub_key = $2 AND r.hub_id = h.hub_id),
     put AS (
    INSERT INTO idscope.hub_policy (tenant_id, hub_key, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position)
SELECT $1, $2, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position
  FROM wanted
    ON CONFLICT (hub_key, key_name_key) DO UPDATE
   SET key_name = excluded.key_name, rights = excluded.rights, primary_sealed = excluded.primary_sealed,
       secondary_sealed = excluded.secondary_sealed, position = excluded.position)
SELECT idscope.note_part('policies',
                         (SELECT coalesce(jsonb_agg(idscope.audit_policy(key_name, rights, primary_sealed, secondary_sealed) ORDER BY position), '[]') FROM idscope.hub_policy WHERE tenant_id = $1 AND hub_key = $2),
                         (SELECT coalesce(jsonb_agg(idscope.audit_policy(key_name, rights, primary_sealed, secondary_sealed) ORDER BY position), '[]') FROM wanted));

-- name: hub_links_recheck as actor
-- $1 tenant, $2 hub. Links by resource read the policy's keys live; they are probed again at once.
WITH clock AS MATERIALIZED (
    SELECT now() AS moment),
     linked AS (
    UPDATE idscope.linked_hub
       SET next_check_at = clock.moment
      FROM clock
     WHERE tenant_id = $1 AND hub_key = $2
    RETURNING id_scope, host)
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT id_scope, 'link_validate', host, now()
  FROM linked
 ORDER BY id_scope, host
    ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE
   SET due_at = excluded.due_at, fence = job.fence + 1, attempt = 0, last_error = NULL;

-- name: hub_delete as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub (NULL: all in the group), $5 the etag that it must have, as clients see it (NULL: any),
-- $6 what follows a hub's name in its host name. The registry row stays as a tombstone until its devices are purged; the name rests.
WITH clock AS MATERIALIZED (
    SELECT now() AS moment),
     gone AS (
    DELETE FROM idscope.hub
     WHERE tenant_id = $1 AND subscription_id = $2 AND resource_group_key = $3 AND ($4::text IS NULL OR hub_key = $4)
       AND ($5::text IS NULL OR encode(substr(uuid_send(etag), 1, 9), 'base64') = $5)
    RETURNING *),
     retired AS (
    UPDATE idscope.hub_registry r
       SET retired_at = clock.moment, version = r.version + 1
      FROM gone, clock
     WHERE r.hub_id = gone.hub_id),
     unassigned AS (
    DELETE FROM idscope.role_assignment a
     USING gone
     WHERE a.tenant_id = $1 AND a.scope_key = idscope.role_scope($2, $3, 'iothubs', gone.hub_key)),
     rests AS (
    INSERT INTO idscope.name_rest (kind, name_key, tenant_id) SELECT 'hub', hub_key, $1 FROM gone)
SELECT idscope.note('hub', hub_key, jsonb_build_object('change', 'deleted'), to_jsonb(gone), NULL), idscope.hub_deleted(hub_key, hub_key || $6::text)
  FROM gone;
