-- instance.sql: provisioning service instances, their ID scopes, policies and linked hubs as the management plane sees them.

-- name: instance_find -> instance as actor
-- $1 tenant, $2 subscription, $3 group (NULL: any), $4 instance (NULL: all), $5 the last one of the page before (NULL: none),
-- $6 scopes in which it stands (NULL: any), $7 rows wanted
SELECT i.name, g.name AS "group", i.subscription_id, i.id_scope, i.id_scope_text, i.location, i.tags, i.sku_capacity, i.allocation_policy,
       i.properties, i.network, i.existing_device, i.etag
  FROM idscope.instance i
  JOIN idscope.resource_group g
    ON g.tenant_id = i.tenant_id AND g.subscription_id = i.subscription_id AND g.name_key = i.resource_group_key
 WHERE i.tenant_id = $1 AND i.subscription_id = $2
   AND ($3::text IS NULL OR i.resource_group_key = $3)
   AND ($4::text IS NULL OR i.name_key = $4)
   AND ($5::text IS NULL OR i.name_key > $5)
   AND ($6::text[] IS NULL OR idscope.in_scopes($6, idscope.role_scope(i.subscription_id, i.resource_group_key, 'provisioningservices', i.name_key)))
 ORDER BY i.name_key
 LIMIT $7;

-- name: instance_policy_find -> policy as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance, $5 policy in lower case (NULL: all)
SELECT p.key_name, p.rights, p.primary_sealed, p.secondary_sealed
  FROM idscope.instance i
  JOIN idscope.instance_policy p ON p.tenant_id = i.tenant_id AND p.id_scope = i.id_scope
 WHERE i.tenant_id = $1 AND i.subscription_id = $2 AND i.resource_group_key = $3 AND i.name_key = $4
   AND ($5::text IS NULL OR p.key_name_key = $5)
 ORDER BY p.position;

-- name: instance_lock -> instance_locked as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance. Two writers of one instance wait for each other.
SELECT id_scope, location, tags, sku_capacity, properties, network, etag, allocation_policy, existing_device
  FROM idscope.instance
 WHERE tenant_id = $1 AND subscription_id = $2 AND resource_group_key = $3 AND name_key = $4
   FOR UPDATE;

-- name: tenant_lock
-- $1 tenant. Who asks what a tenant holds goes one after the other, to the end of the transaction: the next one sees what this one wrote. To be
-- taken behind what is written, where nothing but the instance's own scope is waited for any more.
SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0));

-- name: tenant_holds -> tenant_holds as actor
-- $1 tenant: its instances, and the hubs that they link; $2 a subscription of it: its instances. With what the transaction has written. And the
-- limits that the tenant has of its own.
SELECT holds.*, l.limit_names, l.limits
  FROM (SELECT count(*) AS instances, count(*) FILTER (WHERE i.subscription_id = $2) AS of_subscription,
               coalesce(sum((SELECT count(*) FROM idscope.linked_hub l WHERE l.id_scope = i.id_scope)), 0)::bigint AS links
          FROM idscope.instance i
         WHERE i.tenant_id = $1 AND i.deleted_from IS NULL) holds
 CROSS JOIN LATERAL idscope.limits_of($1, '{}') l;

-- name: scope_touch
-- $1 ID scope, $2 something that allocation depends on was configured
UPDATE idscope.scope
   SET version = version + 1, inputs_version = inputs_version + CASE WHEN $2 THEN 1 ELSE 0 END
 WHERE id_scope = $1 AND retired_at IS NULL;

-- name: instance_insert as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance, $5 name, $6 ID scope, $7 its text, $8 location, $9 tags, $10 capacity,
-- $11 allocation policy, $12 properties, $13 who may call it, $14 what becomes of existing devices. No row: the ID scope was issued before, to whomever.
WITH issued AS (
    INSERT INTO idscope.scope (id_scope, issued_to) VALUES ($6, $1) ON CONFLICT (id_scope) DO NOTHING RETURNING id_scope, issued_to),
     written AS (
    INSERT INTO idscope.instance (tenant_id, subscription_id, resource_group_key, name_key, name, id_scope, id_scope_text, location, tags,
                                  sku_capacity, allocation_policy, properties, network, existing_device, etag)
    SELECT issued_to, $2, $3, $4, $5, id_scope, $7, $8, $9, $10, $11, $12, $13, $14, gen_random_uuid()
      FROM issued
    RETURNING *),
     noted AS (
    SELECT id_scope, idscope.note('instance', id_scope, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written)
SELECT id_scope
  FROM noted;

-- name: instance_update as actor
-- $1 tenant, $2 ID scope, $3 tags, $4 capacity, $5 allocation policy, $6 properties, $7 who may call it, $8 what becomes of existing devices, $9 something of it, or of its policies and links, has changed: otherwise it keeps its etag
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     old AS (
    SELECT i AS was FROM idscope.instance i WHERE tenant_id = $1 AND id_scope = $2),
     written AS (
    UPDATE idscope.instance i
       SET tags = $3, sku_capacity = $4, allocation_policy = $5, properties = $6, network = $7, existing_device = $8,
           etag = CASE WHEN $9 THEN made.etag ELSE i.etag END, updated_at = CASE WHEN $9 THEN made.moment ELSE i.updated_at END
      FROM made
     WHERE i.tenant_id = $1 AND i.id_scope = $2
    RETURNING i.*)
SELECT idscope.note('instance', id_scope, jsonb_build_object('change', CASE WHEN $9 THEN 'updated' ELSE 'unchanged' END), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: instance_retag as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance, $5 the etag that it must have, as clients see it (NULL: any), $6 tags
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     old AS (
    SELECT t AS was
      FROM idscope.instance t
     WHERE tenant_id = $1 AND subscription_id = $2 AND resource_group_key = $3 AND name_key = $4
       FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.instance t
       SET tags = $6, etag = made.etag, updated_at = made.moment
      FROM made, old
     WHERE t.tenant_id = $1 AND t.subscription_id = $2 AND t.resource_group_key = $3 AND t.name_key = $4
       AND ($5::text IS NULL OR encode(substr(uuid_send(t.etag), 1, 9), 'base64') = $5)
    RETURNING t.*)
SELECT idscope.note('instance', id_scope, jsonb_build_object('change', 'updated'), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: instance_policy_put as actor
-- $1 tenant, $2 ID scope, $3 names, $4 rights, $5 primary keys, $6 secondary keys: the whole set
WITH wanted AS (
    SELECT lower(key_name COLLATE "C") AS key_name_key, key_name, rights, primary_sealed, secondary_sealed, position::int AS position
      FROM unnest($3::text[], $4::int[], $5::bytea[], $6::bytea[])
           WITH ORDINALITY AS w (key_name, rights, primary_sealed, secondary_sealed, position)),
     gone AS (
    DELETE FROM idscope.instance_policy
     WHERE tenant_id = $1 AND id_scope = $2 AND key_name_key NOT IN (SELECT key_name_key FROM wanted)),
     put AS (
    INSERT INTO idscope.instance_policy (tenant_id, id_scope, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position)
SELECT $1, $2, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position
  FROM wanted
    ON CONFLICT (id_scope, key_name_key) DO UPDATE
   SET key_name = excluded.key_name, rights = excluded.rights, primary_sealed = excluded.primary_sealed,
       secondary_sealed = excluded.secondary_sealed, position = excluded.position)
SELECT idscope.note_part('policies',
                         (SELECT coalesce(jsonb_agg(idscope.audit_policy(key_name, rights, primary_sealed, secondary_sealed) ORDER BY position), '[]') FROM idscope.instance_policy WHERE tenant_id = $1 AND id_scope = $2),
                         (SELECT coalesce(jsonb_agg(idscope.audit_policy(key_name, rights, primary_sealed, secondary_sealed) ORDER BY position), '[]') FROM wanted));

-- name: instance_delete -> id_scope as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance (NULL: all in the group), $5 the etag that it must have, as clients see it (NULL: any),
-- $6 seconds in which it can be undeleted. The ID scope is dead at once; the rows stay so long, and are purged then. The name rests.
WITH clock AS MATERIALIZED (
    SELECT now() AS moment, now() + $6::bigint * interval '1 second' AS undelete_until),
     gone AS (
    UPDATE idscope.instance
       SET deleted_from = resource_group_key, resource_group_key = NULL
     WHERE tenant_id = $1 AND subscription_id = $2 AND resource_group_key = $3 AND ($4::text IS NULL OR name_key = $4)
       AND ($5::text IS NULL OR encode(substr(uuid_send(etag), 1, 9), 'base64') = $5)
    RETURNING *),
     retired AS (
    UPDATE idscope.scope s
       SET retired_at = clock.moment, undelete_until = clock.undelete_until, version = s.version + 1, inputs_version = s.inputs_version + 1
      FROM gone, clock
     WHERE s.id_scope = gone.id_scope),
     unassigned AS (
    DELETE FROM idscope.role_assignment a
     USING gone
     WHERE a.tenant_id = $1 AND a.scope_key = idscope.role_scope($2, $3, 'provisioningservices', gone.name_key)),
     rests AS (
    INSERT INTO idscope.name_rest (kind, name_key, tenant_id) SELECT 'instance', name_key, $1 FROM gone),
     noted AS (
    SELECT id_scope, idscope.note('instance', id_scope, jsonb_build_object('change', 'deleted'), to_jsonb(gone), NULL) FROM gone)
SELECT id_scope
  FROM noted;

-- name: linked_find -> linked as actor
-- $1 tenant, $2 ID scopes, $3 host in lower case (NULL: all)
SELECT l.id_scope, l.host, l.host_name, l.location, l.hub_key, l.key_name, l.primary_sealed, l.secondary_key_name, l.secondary_sealed,
       l.allocation_weight AS weight, l.apply_allocation_policy AS apply, l.etag, l.state, l.reason, l.state_since, l.last_good_at,
       h.subscription_id AS hub_subscription, g.name AS hub_group, h.name AS hub_name
  FROM idscope.linked_hub l
  LEFT JOIN idscope.hub h ON h.tenant_id = l.tenant_id AND h.hub_key = l.hub_key
  LEFT JOIN idscope.resource_group g
    ON g.tenant_id = h.tenant_id AND g.subscription_id = h.subscription_id AND g.name_key = h.resource_group_key
 WHERE l.tenant_id = $1 AND l.id_scope = ANY ($2) AND ($3::text IS NULL OR l.host = $3)
 ORDER BY l.id_scope, l.position;

-- name: linked_elsewhere -> linked_elsewhere as actor
-- $1 tenant, $2 ID scope, $3 what ends the host names of built-in hubs: which other instances of the tenant link a hub of this one, and whether
-- those of other tenants do.
SELECT l.host, i.names AS instances, idscope.hub_linked_by_others(l.host, $3::text) AS by_others
  FROM idscope.linked_hub l
  LEFT JOIN LATERAL (SELECT array_agg(i.name ORDER BY i.name_key) AS names
                       FROM idscope.linked_hub o
                       JOIN idscope.instance i ON i.tenant_id = o.tenant_id AND i.id_scope = o.id_scope
                      WHERE o.host = l.host AND o.tenant_id = l.tenant_id AND o.id_scope <> l.id_scope) i ON true
 WHERE l.tenant_id = $1 AND l.id_scope = $2;

-- name: linked_named -> linked_named as actor
-- $1 tenant, $2 ID scope, $3 host in lower case, $4 the last one of the page before (NULL: none), $5 rows wanted: enrollments and groups that name
-- the host, be it linked or not, groups first
SELECT n.key, n.of_group, n.registration_id, n.enabled
  FROM idscope.instance i
 CROSS JOIN LATERAL (SELECT CASE WHEN e.of_group THEN 'group/' ELSE 'individual/' END || e.registration_key COLLATE "C" AS key,
                            e.of_group, e.registration_id, e.enabled
                       FROM idscope.enrollment e
                      WHERE (e.iot_hubs IS NOT NULL OR e.iot_hub_host_name IS NOT NULL)
                        AND idscope.hubs_named(e.id_scope, e.iot_hubs, e.iot_hub_host_name) && ARRAY[i.id_scope || '/' || $3]) n
 WHERE i.tenant_id = $1 AND i.id_scope = $2
   AND ($4::text IS NULL OR n.key > $4)
 ORDER BY n.key
 LIMIT $5;

-- name: linked_named_count -> linked_named_count as actor
-- $1 tenant, $2 ID scope, $3 hosts in lower case: how many enrollments and groups name one of them
SELECT count(n.named) AS enrollments
  FROM idscope.instance i
  LEFT JOIN LATERAL (SELECT true AS named
                       FROM idscope.enrollment e
                      WHERE (e.iot_hubs IS NOT NULL OR e.iot_hub_host_name IS NOT NULL)
                        AND idscope.hubs_named(e.id_scope, e.iot_hubs, e.iot_hub_host_name) && idscope.hubs_named(i.id_scope, $3, NULL)) n ON true
 WHERE i.tenant_id = $1 AND i.id_scope = $2
 GROUP BY i.id_scope;

-- name: linked_latency_find -> latency
-- $1 hosts
SELECT host, region, tcp_p50_us AS p50_us, tcp_p95_us AS p95_us, count, measured_at
  FROM idscope.link_latency
 WHERE host = ANY ($1)
 ORDER BY host, region;

-- name: linked_target -> linked_target as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub, $5 policy in lower case: the hub that a link by resource names; NULL rights: no such policy
SELECT h.name AS hub_name, h.location, p.key_name, p.rights
  FROM idscope.hub h
  LEFT JOIN idscope.hub_policy p ON p.tenant_id = h.tenant_id AND p.hub_key = h.hub_key AND p.key_name_key = $5
 WHERE h.tenant_id = $1 AND h.subscription_id = $2 AND h.resource_group_key = $3 AND h.hub_key = $4;

-- name: linked_put as actor
-- $1 tenant, $2 ID scope; the whole set, in order: $3 hosts as given, $4 locations, $5 hubs linked by resource, $6 policies, $7 sealed
-- keys, $8 and $9 the same of second credentials, $10 weights (0: never set), $11 apply flags (NULL: never set). A changed credential waits
-- for its first probe.
WITH wanted AS (
    SELECT lower(host_name COLLATE "C") AS host, host_name, location, hub_key, key_name, primary_sealed, secondary_key_name, secondary_sealed,
           nullif(weight, 0)::int AS weight, apply, position::int AS position
      FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::bytea[], $10::bigint[], $11::boolean[])
           WITH ORDINALITY AS w (host_name, location, hub_key, key_name, primary_sealed, secondary_key_name, secondary_sealed, weight, apply, position)),
     gone AS (
    DELETE FROM idscope.linked_hub
     WHERE tenant_id = $1 AND id_scope = $2 AND host NOT IN (SELECT host FROM wanted)),
     put AS (
    INSERT INTO idscope.linked_hub AS l (tenant_id, id_scope, host, host_name, location, position, hub_key, key_name, primary_sealed,
                                     secondary_key_name, secondary_sealed, allocation_weight, apply_allocation_policy, state)
SELECT $1, $2, host, host_name, location, position, hub_key, key_name, primary_sealed, secondary_key_name, secondary_sealed, weight, apply,
       (SELECT next FROM idscope.link_move WHERE state = 'absent' AND event = 'LINKED')
  FROM wanted
    ON CONFLICT (id_scope, host) DO UPDATE
   SET (host_name, location, position, hub_key, key_name, primary_sealed, secondary_key_name, secondary_sealed, allocation_weight, apply_allocation_policy)
       = (excluded.host_name, excluded.location, excluded.position, excluded.hub_key, excluded.key_name, excluded.primary_sealed,
          excluded.secondary_key_name, excluded.secondary_sealed, excluded.allocation_weight, excluded.apply_allocation_policy),
       (etag, state, reason, state_since, credential_version, slow_until, next_check_at)
       = (SELECT CASE WHEN same AND (l.host_name, l.location, l.allocation_weight, l.apply_allocation_policy)
                                    IS NOT DISTINCT FROM (excluded.host_name, excluded.location, excluded.allocation_weight, excluded.apply_allocation_policy)
                      THEN l.etag ELSE excluded.etag END,
                 CASE WHEN same THEN l.state ELSE (SELECT next FROM idscope.link_move WHERE state = l.state AND event = 'CREDENTIAL_CHANGE') END,
                 CASE WHEN same THEN l.reason END,
                 CASE WHEN same THEN l.state_since ELSE excluded.state_since END, l.credential_version + CASE WHEN same THEN 0 ELSE 1 END,
                 CASE WHEN same THEN l.slow_until END, CASE WHEN same THEN l.next_check_at ELSE excluded.next_check_at END
            FROM (SELECT (l.hub_key, l.key_name, l.primary_sealed, l.secondary_key_name, l.secondary_sealed)
                         IS NOT DISTINCT FROM (excluded.hub_key, excluded.key_name, excluded.primary_sealed, excluded.secondary_key_name, excluded.secondary_sealed)) AS c (same)))
SELECT idscope.note_part('links',
                         (SELECT coalesce(jsonb_agg(idscope.audit_link(host_name, location, hub_key, key_name, primary_sealed, secondary_key_name, secondary_sealed, allocation_weight, apply_allocation_policy) ORDER BY position), '[]')
                            FROM idscope.linked_hub WHERE tenant_id = $1 AND id_scope = $2),
                         (SELECT coalesce(jsonb_agg(idscope.audit_link(host_name, location, hub_key, key_name, primary_sealed, secondary_key_name, secondary_sealed, weight, apply) ORDER BY position), '[]') FROM wanted));

-- name: linked_note as actor
-- $1 tenant, $2 ID scope, $3 host in lower case, $4 what was done to it. Its instance, which shows it, is another one with it: $5; false: the write
-- left it as it was.
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     written AS (
    UPDATE idscope.instance i
       SET etag = CASE WHEN $5::boolean THEN made.etag ELSE i.etag END, updated_at = CASE WHEN $5 THEN made.moment ELSE i.updated_at END
      FROM made
     WHERE i.tenant_id = $1 AND i.id_scope = $2
    RETURNING i.id_scope)
SELECT idscope.note('linkedHub', id_scope || '/' || $3::text, jsonb_build_object('change', $4::text)) FROM written;

-- name: linked_jobs
-- $1 ID scope, $2 hosts with a new credential, in order. A first validation goes before repeated ones: it is due as if it had waited for $3
-- milliseconds.
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT $1, kind, host, now() - ahead_ms * interval '1 millisecond'
  FROM (VALUES ('latency_measure', 0), ('link_validate', $3::bigint)) AS k (kind, ahead_ms), unnest($2::text[]) AS h (host)
 ORDER BY kind, host
    ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE
   SET due_at = excluded.due_at, fence = job.fence + 1, attempt = 0, last_error = NULL;
