-- limit.sql: the limits that an operator set for a tenant or an instance, in place of the deployment's (core/quota.def). Which hold is idscope.limits_of's
-- to say; nothing here counts anything.

-- name: limits -> limit as actor
-- $1 tenant, $2 an instance of it by name (NULL: the tenant's alone)
SELECT l.key AS name, l.value::bigint AS most, false AS of_instance
  FROM idscope.tenant t CROSS JOIN LATERAL jsonb_each_text(t.limits) l
 WHERE t.tenant_id = $1
UNION ALL
SELECT l.key, l.value::bigint, true
  FROM idscope.instance i CROSS JOIN LATERAL jsonb_each_text(i.limits) l
 WHERE i.tenant_id = $1 AND i.name_key = $2 AND i.deleted_from IS NULL;

-- name: limits_place -> limits_place as actor
-- $1 and $2 as above
SELECT EXISTS (SELECT 1 FROM idscope.tenant WHERE tenant_id = $1) AS tenant,
       EXISTS (SELECT 1 FROM idscope.instance WHERE tenant_id = $1 AND name_key = $2 AND deleted_from IS NULL) AS instance;

-- name: limit_put as actor
-- $1 and $2 as above, $3 the limit, $4 an object with its value by its name (empty: it has none of its own from here on)
WITH old_tenant AS (
    SELECT limits FROM idscope.tenant WHERE tenant_id = $1 AND $2::text IS NULL FOR NO KEY UPDATE),
     of_tenant AS (
    UPDATE idscope.tenant t
       SET limits = (t.limits - $3::text) || $4::text::jsonb
      FROM old_tenant
     WHERE t.tenant_id = $1
    RETURNING t.tenant_id, old_tenant.limits AS was, t.limits AS becomes),
     old_instance AS (
    SELECT limits FROM idscope.instance WHERE tenant_id = $1 AND name_key = $2 AND deleted_from IS NULL FOR NO KEY UPDATE),
     of_instance AS (
    UPDATE idscope.instance i
       SET limits = (i.limits - $3) || $4::jsonb
      FROM old_instance
     WHERE i.tenant_id = $1 AND i.name_key = $2 AND i.deleted_from IS NULL
    RETURNING i.id_scope, old_instance.limits AS was, i.limits AS becomes)
SELECT idscope.note(changed.kind, changed.key, jsonb_build_object('change', 'limited', 'limit', $3, 'most', $4::jsonb -> $3),
                    jsonb_build_object('limits', was), jsonb_build_object('limits', becomes))
  FROM (SELECT 'tenant' AS kind, tenant_id::text AS key, was, becomes FROM of_tenant UNION ALL SELECT 'instance', id_scope, was, becomes FROM of_instance) changed;
