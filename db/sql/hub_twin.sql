-- hub_twin.sql: the twins of a built-in hub's devices. A change reads the twin, and writes it while it holds the device: hub_twin_lock,
-- hub_twin_find and hub_twin_put are one transaction.

-- name: hub_twin_find -> hub_twin
-- $1 hub, $2 device
SELECT device_id, generation, revision, status, status_reason, auth_type, primary_thumbprint, secondary_thumbprint, iot_edge, status_at,
       twin_revision, tags, desired, desired_version, desired_at, false AS is_anothers
  FROM idscope.hub_twin_shown
 WHERE hub_id = $1 AND device_id = $2;

-- name: hub_twin_list -> hub_twin
-- A span of the list (core/query), in the order of the ids: $1 hub, $2 and $3 the place behind which it goes on, $4 the last id, $5 how many at most,
-- $6 the ID scope that asks (NULL: none, it is the hub's operator), which may not write what is another's.
SELECT device_id, generation, revision, status, status_reason, auth_type, primary_thumbprint, secondary_thumbprint, iot_edge, status_at,
       twin_revision, tags, desired, desired_version, desired_at, idscope.owned_by_another(owner, $6) AS is_anothers
  FROM idscope.hub_twin_shown
 WHERE hub_id = $1 AND (device_id, device_id) > ($2, $3) AND device_id <= $4
 ORDER BY device_id
 LIMIT $5;

-- name: hub_twin_lock -> hub_twin_locked
-- $1 hub, $2 its version, $3 device: a row while the hub is what it was checked against; its device_id is NULL when there is no such device.
SELECT d.device_id
  FROM idscope.hub_registry r
  LEFT JOIN LATERAL (SELECT device_id FROM idscope.hub_device WHERE hub_id = r.hub_id AND device_id = $3 LIMIT 1 FOR UPDATE) d ON true
 WHERE r.hub_id = $1 AND r.version = $2 AND r.retired_at IS NULL;

-- name: hub_twin_put as actor
-- $1 hub, $2 device, $3 tags, $4 desired properties, $5 whether these are others than before
WITH written AS (
    INSERT INTO idscope.hub_twin AS t (hub_id, device_id, revision, tags, desired, desired_version)
    VALUES ($1, $2, 2, $3, $4, 1 + $5::boolean::int)
        ON CONFLICT (hub_id, device_id) DO UPDATE
       SET revision = t.revision + 1, tags = excluded.tags, desired = excluded.desired, desired_version = t.desired_version + $5::boolean::int,
           desired_at = CASE WHEN $5::boolean THEN excluded.desired_at ELSE t.desired_at END
    RETURNING hub_id, device_id)
SELECT idscope.note('hubDevice', r.hub_key, jsonb_build_object('change', 'twin', 'devices', 1, 'first', w.device_id))
  FROM written w
  JOIN idscope.hub_registry r USING (hub_id);
