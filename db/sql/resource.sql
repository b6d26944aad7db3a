-- resource.sql: places (subscription and resource group) and resource groups.

-- name: place -> place as actor
-- $1 tenant, $2 subscription, $3 group in lower case (NULL: none asked for). Tells what of a resource's path exists, for the right 404.
SELECT EXISTS (SELECT 1 FROM idscope.subscription WHERE tenant_id = $1 AND subscription_id = $2) AS subscription,
       (SELECT name FROM idscope.resource_group WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3::text) AS "group";

-- name: location_find -> location as actor
-- $1 tenant, $2 subscription, $3 where this deployment is, $4 rows wanted: that, and where something stands
SELECT location FROM (
    SELECT $3::text AS location
     UNION SELECT location FROM idscope.resource_group WHERE tenant_id = $1 AND subscription_id = $2
     UNION SELECT location FROM idscope.hub WHERE tenant_id = $1 AND subscription_id = $2
     UNION SELECT location FROM idscope.instance WHERE tenant_id = $1 AND subscription_id = $2 AND deleted_from IS NULL) l
 ORDER BY location <> $3, location
 LIMIT $4;

-- name: listed_find -> listed as actor
-- $1 tenant, $2 subscription, $3 group (NULL: any), $4 name (NULL: any), $5 the last one of the page before (NULL: none),
-- $6 scopes in which it stands (NULL: any), $7 rows wanted, $8 kind, $9 location, $10 a tag that it has (NULL: any), $11 with this value (NULL: any): what stands there, of whatever kind, by name
SELECT r.kind, r.name, r.name_key || '.' || r.kind AS key, g.name AS "group", r.subscription_id, r.location, r.tags, r.etag
  FROM (SELECT 'hub' COLLATE "C" AS kind, 'iothubs' AS type_key, hub_key AS name_key, name, tenant_id, subscription_id, resource_group_key, location, tags, etag
          FROM idscope.hub
         UNION ALL
        SELECT 'instance', 'provisioningservices', name_key, name, tenant_id, subscription_id, resource_group_key, location, tags, etag
          FROM idscope.instance) r
  JOIN idscope.resource_group g
    ON g.tenant_id = r.tenant_id AND g.subscription_id = r.subscription_id AND g.name_key = r.resource_group_key
 WHERE r.tenant_id = $1 AND r.subscription_id = $2
   AND ($3::text IS NULL OR r.resource_group_key = $3)
   AND ($4::text IS NULL OR r.name_key = $4)
   AND ($5::text IS NULL OR r.name_key || '.' || r.kind > $5)
   AND ($8::text IS NULL OR r.kind = $8)
   AND ($9::text IS NULL OR r.location = $9)
   AND ($10::text IS NULL OR r.tags ->> $10 IS NOT NULL AND ($11::text IS NULL OR r.tags ->> $10 = $11))
   AND ($6::text[] IS NULL OR idscope.in_scopes($6, idscope.role_scope(r.subscription_id, r.resource_group_key, r.type_key, r.name_key)))
 ORDER BY r.name_key || '.' || r.kind
 LIMIT $7;

-- name: name_take -> name_taken as actor
-- $1 `hub` or `instance`, $2 name in lower case, behind the insert of it. False: the name rests for another tenant.
SELECT idscope.name_take($1, $2) AS taken;

-- name: name_free -> name_free as actor
-- $1 `hub` or `instance`, $2 name in lower case. False: it is in use, or rests for another tenant.
SELECT idscope.name_free($1, $2) AS free;

-- name: group_find -> resource_group as actor
-- $1 tenant, $2 subscription, $3 group (NULL: any), $4 the same, $5 the last one of the page before (NULL: the first page),
-- $6 scopes in which it stands (NULL: any), $7 rows wanted, $8 a tag that it has (NULL: any), $9 with this value (NULL: any)
SELECT name, location, tags
  FROM idscope.resource_group
 WHERE tenant_id = $1 AND subscription_id = $2
   AND ($3::text IS NULL OR name_key = $3)
   AND ($4::text IS NULL OR name_key = $4)
   AND ($5::text IS NULL OR name_key > $5)
   AND ($8::text IS NULL OR tags ->> $8 IS NOT NULL AND ($9::text IS NULL OR tags ->> $8 = $9))
   AND ($6::text[] IS NULL OR idscope.in_scopes($6, idscope.role_scope(subscription_id, name_key)))
 ORDER BY name_key
 LIMIT $7;

-- name: group_put -> group_written as actor
-- $1 tenant, $2 subscription, $3 key, $4 name, $5 location, $6 tags, $7 it may be new, $8 it may be there. No row: the subscription is missing,
-- the group is or is not there, or stands elsewhere.
WITH old AS (
    SELECT tags::text AS tags, g AS was FROM idscope.resource_group g WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3 FOR NO KEY UPDATE),
     written AS (
    INSERT INTO idscope.resource_group AS g (tenant_id, subscription_id, name_key, name, location, tags)
SELECT s.tenant_id, s.subscription_id, $3, $4, $5, $6
  FROM idscope.subscription s LEFT JOIN old ON true
 WHERE s.tenant_id = $1 AND s.subscription_id = $2 AND ($7 OR old.tags IS NOT NULL)
    ON CONFLICT (tenant_id, subscription_id, name_key) DO UPDATE SET tags = excluded.tags
 WHERE g.location = excluded.location AND $8
RETURNING name, location, tags, g.xmax = 0 AS created),
     noted AS (
    SELECT idscope.note('resourceGroup', $2::uuid::text || '/' || $3,
                        jsonb_build_object('change', CASE WHEN w.created THEN 'created' WHEN w.tags::text = old.tags THEN 'unchanged' ELSE 'updated' END),
                        to_jsonb(old.was), to_jsonb(w) - 'created')
      FROM written w LEFT JOIN old ON true)
SELECT name, location, tags, created FROM written, noted;

-- name: group_retag -> resource_group as actor
-- $1 tenant, $2 subscription, $3 group, $4 tags, $5 those that it must have (NULL: any)
WITH old AS (
    SELECT g AS was FROM idscope.resource_group g WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.resource_group g
       SET tags = $4
      FROM old
     WHERE g.tenant_id = $1 AND g.subscription_id = $2 AND g.name_key = $3 AND ($5::text IS NULL OR g.tags::text = $5)
    RETURNING g.*),
     noted AS (
    SELECT idscope.note('resourceGroup', $2::uuid::text || '/' || name_key, jsonb_build_object('change', 'updated'), to_jsonb(was), to_jsonb(written)) FROM written, old)
SELECT name, location, tags FROM written, noted;

-- name: group_hold as actor
-- $1 tenant, $2 subscription, $3 group. Keeps the group from being deleted until the transaction ends.
SELECT name
  FROM idscope.resource_group
 WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3
   FOR KEY SHARE;

-- name: group_lock as actor
-- $1 tenant, $2 subscription, $3 group. Nothing is put into the group from here to the end of the transaction.
SELECT name
  FROM idscope.resource_group
 WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3
   FOR UPDATE;

-- name: group_delete as actor
-- $1 tenant, $2 subscription, $3 group; what stood in it is gone by now
WITH gone AS (
    DELETE FROM idscope.resource_group WHERE tenant_id = $1 AND subscription_id = $2 AND name_key = $3 RETURNING *),
     unassigned AS (
    DELETE FROM idscope.role_assignment a
     USING gone
     WHERE a.tenant_id = $1 AND a.scope_key = idscope.role_scope($2, gone.name_key))
SELECT idscope.note('resourceGroup', $2::uuid::text || '/' || name_key, jsonb_build_object('change', 'deleted'), to_jsonb(gone), NULL) FROM gone;
