-- lock.sql: locks on subscriptions, resource groups, hubs and instances (decisions.md 33). Places are resource ids in lower case.

-- name: lock_scope -> lock_scope as actor
-- $1 tenant, $2 subscription, $3 group (NULL: the subscription), $4 a hub in it, $5 an instance (NULL: the group): what a lock is on. No row: it is
-- not there.
SELECT '/subscriptions/' || subscription_id AS path, NULL::text AS "group", NULL::text AS hub, NULL::text AS id_scope
  FROM idscope.subscription
 WHERE tenant_id = $1 AND subscription_id = $2 AND $3::text IS NULL
 UNION ALL
SELECT '/subscriptions/' || subscription_id || '/resourceGroups/' || name, name_key, NULL, NULL
  FROM idscope.resource_group
 WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3 AND $4::text IS NULL AND $5::text IS NULL
 UNION ALL
SELECT '/subscriptions/' || h.subscription_id || '/resourceGroups/' || g.name || '/providers/Microsoft.Devices/IotHubs/' || h.name, NULL, h.hub_key, NULL
  FROM idscope.hub h
  JOIN idscope.resource_group g
    ON g.tenant_id = h.tenant_id AND g.subscription_id = h.subscription_id AND g.name_key = h.resource_group_key
 WHERE h.tenant_id = $1 AND h.subscription_id = $2 AND h.resource_group_key = $3 AND h.hub_key = $4
 UNION ALL
SELECT '/subscriptions/' || i.subscription_id || '/resourceGroups/' || g.name || '/providers/Microsoft.Devices/provisioningServices/' || i.name, NULL, NULL,
       i.id_scope
  FROM idscope.instance i
  JOIN idscope.resource_group g
    ON g.tenant_id = i.tenant_id AND g.subscription_id = i.subscription_id AND g.name_key = i.resource_group_key
 WHERE i.tenant_id = $1 AND i.subscription_id = $2 AND i.resource_group_key = $3 AND i.name_key = $5;

-- name: lock_find -> lock as actor
-- $1 tenant, $2 place, $3 also what is beneath it, $4 lock in lower case (NULL: all), $5 the last one of the page before (NULL: none), $6 rows wanted.
-- In an order whose keys $skiptoken can hold.
SELECT l.name, l.path, l.level, l.notes, md5(l.place || '/' || l.name_key) AS key
  FROM idscope.resource_lock l
  LEFT JOIN idscope.instance i ON i.tenant_id = l.tenant_id AND i.id_scope = l.id_scope
 WHERE l.tenant_id = $1 AND (l.place = $2::text OR ($3::boolean AND starts_with(l.place, $2 || '/')))
   AND ($4::text IS NULL OR l.name_key = $4) AND i.deleted_from IS NULL
   AND ($5::text IS NULL OR md5(l.place || '/' || l.name_key) > $5)
 ORDER BY md5(l.place || '/' || l.name_key)
 LIMIT $6;

-- name: lock_put -> lock_created as actor
-- $1 tenant, $2 subscription, $3 path, $4 group, $5 hub, $6 ID scope (NULL: it is not on such a one), $7 name, $8 level, $9 notes
WITH old AS (
    SELECT l AS was FROM idscope.resource_lock l WHERE tenant_id = $1 AND place = lower($3::text COLLATE "C") AND name_key = lower($7::text COLLATE "C") FOR NO KEY UPDATE),
     written AS (
    INSERT INTO idscope.resource_lock AS l (tenant_id, subscription_id, place, path, resource_group_key, hub_key, id_scope, name_key, name, level, notes)
    SELECT $1, $2, lower($3::text COLLATE "C"), $3, $4, $5, $6, lower($7::text COLLATE "C"), $7, $8, $9 FROM (SELECT count(*) FROM old) looked
        ON CONFLICT (tenant_id, place, name_key) DO UPDATE
       SET level = excluded.level, notes = excluded.notes, id_scope = excluded.id_scope
    RETURNING l.*, l.xmax = 0 AS created)
SELECT created, idscope.note('lock', place || '/' || name_key, jsonb_build_object('change', CASE WHEN created THEN 'created' ELSE 'updated' END, 'level', level),
                             (SELECT to_jsonb(was) FROM old), to_jsonb(written) - 'created') AS noted
  FROM written;

-- name: lock_delete as actor
-- $1 tenant, $2 place, $3 lock in lower case
WITH written AS (
    DELETE FROM idscope.resource_lock WHERE tenant_id = $1 AND place = $2 AND name_key = $3 RETURNING *)
SELECT idscope.note('lock', place || '/' || name_key, jsonb_build_object('change', 'deleted'), to_jsonb(written), NULL) FROM written;

-- name: lock_over -> lock_path as actor
-- $1 tenant, $2 place that is to be changed, $3 or deleted, with what is beneath it: what is locked so that it cannot be; one says enough
SELECT l.path
  FROM idscope.resource_lock l
  LEFT JOIN idscope.instance i ON i.tenant_id = l.tenant_id AND i.id_scope = l.id_scope
 WHERE l.tenant_id = $1 AND i.deleted_from IS NULL AND ($3::boolean OR l.level = 'ReadOnly')
   AND (l.place = $2::text OR starts_with($2, l.place || '/') OR ($3 AND starts_with(l.place, $2 || '/')))
 ORDER BY l.place
 LIMIT 1;
