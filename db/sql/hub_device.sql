-- hub_device.sql: the registry behind a built-in hub. Writes serve a whole call at once: arrays in the order of the ids (so that two calls
-- never wait for each other in a ring), one statement, one commit; each joins the live registry row on the version it was checked against,
-- and adds what it changed to the hub's counts.

-- name: hub_device_find -> hub_device
-- $1 hub, $2 device
SELECT device_id, generation, revision, status, status_reason, auth_type, primary_sealed, secondary_sealed, primary_thumbprint,
       secondary_thumbprint, iot_edge, status_at
  FROM idscope.hub_device
 WHERE hub_id = $1 AND device_id = $2;

-- name: hub_device_list -> hub_device
-- $1 hub, $2 the last one of the page before (empty: none), $3 rows wanted
SELECT device_id, generation, revision, status, status_reason, auth_type, primary_sealed, secondary_sealed, primary_thumbprint,
       secondary_thumbprint, iot_edge, status_at
  FROM idscope.hub_device
 WHERE hub_id = $1 AND device_id > $2
 ORDER BY device_id
 LIMIT $3;

-- name: hub_device_create -> hub_devices_outcome as actor
-- $1 hub, $2 its version, $3 ids, $4 generation of them all, $5 statuses, $6 reasons, $7 kinds of authentication, $8 and $9 sealed keys,
-- $10 and $11 thumbprints, $12 edge flags, $13 the ID scope that writes (NULL: none, it is the hub's operator),
-- $14 and $15 what their twins begin with, tags and desired properties (both NULL: nothing)
WITH live AS (
    SELECT hub_id, hub_key FROM idscope.hub_registry WHERE hub_id = $1 AND version = $2 AND retired_at IS NULL),
     written AS (
    INSERT INTO idscope.hub_device (hub_id, device_id, generation, status, status_reason, auth_type, primary_sealed, secondary_sealed,
                                    primary_thumbprint, secondary_thumbprint, iot_edge, owner)
    SELECT live.hub_id, u.device_id, $4, u.status, u.reason, u.auth_type, u.primary_sealed, u.secondary_sealed, u.primary_thumbprint,
           u.secondary_thumbprint, u.iot_edge, $13
      FROM live,
           unnest($3::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::text[], $11::text[], $12::boolean[])
           AS u (device_id, status, reason, auth_type, primary_sealed, secondary_sealed, primary_thumbprint, secondary_thumbprint, iot_edge)
        ON CONFLICT (hub_id, device_id) DO NOTHING
    RETURNING hub_id, device_id, status),
     twins AS (
    INSERT INTO idscope.hub_twin (hub_id, device_id, tags, desired)
    SELECT hub_id, device_id, coalesce(u.tags, '{}')::json, coalesce(u.desired, '{}')::json
      FROM unnest($3::text[], $14::text[], $15::text[]) AS u (device_id, tags, desired)
      JOIN written USING (device_id)
     WHERE u.tags IS NOT NULL OR u.desired IS NOT NULL),
     counted AS (
    INSERT INTO idscope.hub_device_count (hub_id, devices, enabled)
    SELECT hub_id, count(*), count(*) FILTER (WHERE status = 'enabled') FROM written GROUP BY hub_id),
     noted AS (
    SELECT idscope.note('hubDevice', live.hub_key, jsonb_build_object('change', 'created', 'devices', w.n, 'first', w.first))
      FROM live, (SELECT count(*) AS n, min(device_id) AS first FROM written) w
     WHERE w.n > 0)
SELECT EXISTS (SELECT 1 FROM live) AND (SELECT count(*) FROM noted) <= 1 AS live, ARRAY(SELECT device_id FROM written) AS written, ARRAY[]::text[] AS found,
       ARRAY[]::text[] AS anothers;

-- name: hub_device_update -> hub_devices_outcome as actor
-- As hub_device_create, where $4 only fills the insert, which always meets a row, and a status (with its reason) or an edge flag that is NULL stays
-- as it is; $13 keep stored keys, $14 and $15 the generations and revisions that they must have ($14 = 0: any), $16 the ID scope that writes. Rows
-- are found and locked one by one by their key, then written as the insert that meets them.
WITH live AS (
    SELECT hub_id, hub_key FROM idscope.hub_registry WHERE hub_id = $1 AND version = $2 AND retired_at IS NULL),
     found AS MATERIALIZED (
    SELECT u.*, d.generation AS old_generation, d.revision AS old_revision, d.status AS old_status,
           d.status_reason AS old_reason, d.primary_sealed AS old_primary, d.secondary_sealed AS old_secondary, d.iot_edge AS old_edge,
           d.owner AS old_owner, idscope.owned_by_another(d.owner, $16) AS is_anothers
      FROM live,
           unnest($3::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::text[], $11::text[], $12::boolean[],
                  $13::boolean[], $14::bigint[], $15::bigint[])
           AS u (device_id, status, reason, auth_type, primary_sealed, secondary_sealed, primary_thumbprint, secondary_thumbprint, iot_edge,
                 keep_keys, generation, revision),
           LATERAL (SELECT generation, revision, status, status_reason, primary_sealed, secondary_sealed, iot_edge, owner
                      FROM idscope.hub_device
                     WHERE hub_id = live.hub_id AND device_id = u.device_id
                     LIMIT 1 FOR UPDATE) d),
     written AS (
    INSERT INTO idscope.hub_device AS d (hub_id, device_id, generation, status, status_reason, auth_type, primary_sealed,
                                         secondary_sealed, primary_thumbprint, secondary_thumbprint, iot_edge, status_at, owner)
    SELECT live.hub_id, device_id, $4, coalesce(status, old_status),
           CASE WHEN status IS NULL THEN coalesce(reason, old_reason) ELSE reason END, auth_type,
           CASE WHEN keep_keys THEN coalesce(old_primary, primary_sealed) ELSE primary_sealed END,
           CASE WHEN keep_keys THEN coalesce(old_secondary, secondary_sealed) ELSE secondary_sealed END,
           primary_thumbprint, secondary_thumbprint, coalesce(iot_edge, old_edge), now(), coalesce($16, old_owner)
      FROM live, found
     WHERE NOT is_anothers AND (generation = 0 OR (generation = old_generation AND revision = old_revision))
        ON CONFLICT (hub_id, device_id) DO UPDATE
       SET revision = d.revision + 1, status = excluded.status, status_reason = excluded.status_reason,
           status_at = CASE WHEN d.status <> excluded.status THEN excluded.status_at ELSE d.status_at END, auth_type = excluded.auth_type,
           primary_sealed = excluded.primary_sealed, secondary_sealed = excluded.secondary_sealed,
           primary_thumbprint = excluded.primary_thumbprint, secondary_thumbprint = excluded.secondary_thumbprint,
           iot_edge = excluded.iot_edge, owner = excluded.owner
    RETURNING d.hub_id, d.device_id, d.status),
     counted AS (
    INSERT INTO idscope.hub_device_count (hub_id, devices, enabled)
    SELECT hub_id, 0, sum(CASE written.status WHEN 'enabled' THEN 1 ELSE -1 END)
      FROM written
      JOIN found USING (device_id)
     WHERE written.status <> old_status
     GROUP BY hub_id),
     noted AS (
    SELECT idscope.note('hubDevice', live.hub_key, jsonb_build_object('change', 'updated', 'devices', w.n, 'first', w.first))
      FROM live, (SELECT count(*) AS n, min(device_id) AS first FROM written) w
     WHERE w.n > 0)
SELECT EXISTS (SELECT 1 FROM live) AND (SELECT count(*) FROM noted) <= 1 AS live, ARRAY(SELECT device_id FROM written) AS written,
       ARRAY(SELECT device_id FROM found) AS found, ARRAY(SELECT device_id FROM found WHERE is_anothers) AS anothers;

-- name: hub_device_delete -> hub_devices_outcome as actor
-- $1 hub, $2 its version, $3 ids, $4 and $5 the generations and revisions that they must have ($4 = 0: any), $6 the ID scope that deletes
WITH live AS (
    SELECT hub_id, hub_key FROM idscope.hub_registry WHERE hub_id = $1 AND version = $2 AND retired_at IS NULL),
     found AS MATERIALIZED (
    SELECT u.device_id, u.generation = 0 OR (u.generation = d.generation AND u.revision = d.revision) AS matches,
           idscope.owned_by_another(d.owner, $6) AS is_anothers
      FROM live,
           unnest($3::text[], $4::bigint[], $5::bigint[]) AS u (device_id, generation, revision),
           LATERAL (SELECT generation, revision, owner
                      FROM idscope.hub_device
                     WHERE hub_id = live.hub_id AND device_id = u.device_id
                     LIMIT 1 FOR UPDATE) d),
     written AS (
    DELETE FROM idscope.hub_device d
     USING found f
     WHERE d.hub_id = $1 AND d.device_id = f.device_id AND f.matches AND NOT f.is_anothers
    RETURNING d.hub_id, d.device_id, d.status),
     twins AS (
    DELETE FROM idscope.hub_twin t USING written w WHERE t.hub_id = w.hub_id AND t.device_id = w.device_id),
     counted AS (
    INSERT INTO idscope.hub_device_count (hub_id, devices, enabled)
    SELECT hub_id, -count(*), -count(*) FILTER (WHERE status = 'enabled') FROM written GROUP BY hub_id),
     noted AS (
    SELECT idscope.note('hubDevice', live.hub_key, jsonb_build_object('change', 'deleted', 'devices', w.n, 'first', w.first))
      FROM live, (SELECT count(*) AS n, min(device_id) AS first FROM written) w
     WHERE w.n > 0)
SELECT EXISTS (SELECT 1 FROM live) AND (SELECT count(*) FROM noted) <= 1 AS live, ARRAY(SELECT device_id FROM written) AS written,
       ARRAY(SELECT device_id FROM found) AS found, ARRAY(SELECT device_id FROM found WHERE is_anothers) AS anothers;

-- name: hub_device_count -> hub_device_count
-- $1 hub
SELECT coalesce(sum(devices), 0)::bigint AS devices, coalesce(sum(enabled), 0)::bigint AS enabled
  FROM idscope.hub_device_count
 WHERE hub_id = $1;
