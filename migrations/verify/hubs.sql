-- Verify idscope:hubs on pg
-- Tables with their columns, row-level policies, grants, functions.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT hub_id, hub_key, version, created_at, retired_at
  FROM idscope.hub_registry WHERE false;
SELECT hub_key, hub_id, tenant_id, subscription_id, resource_group_key, name, location, tags, sku_name, sku_capacity,
       properties, network, etag, created_at, updated_at
  FROM idscope.hub WHERE false;
SELECT tenant_id, hub_key, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position
  FROM idscope.hub_policy WHERE false;
SELECT tenant_id, hub_key, name_key, name, certificate, der, is_verified, code, code_until, etag, created_at, updated_at
  FROM idscope.hub_certificate WHERE false;
SELECT hub_id, device_id, generation, revision, status, status_reason, status_at, auth_type, primary_sealed,
       secondary_sealed, primary_thumbprint, secondary_thumbprint, iot_edge, owner
  FROM idscope.hub_device WHERE false;
SELECT hub_id, device_id, revision, tags, desired, desired_version, desired_at
  FROM idscope.hub_twin WHERE false;
SELECT hub_id, device_id, generation, revision, status, status_reason, auth_type, primary_thumbprint, secondary_thumbprint, iot_edge, status_at,
       twin_revision, tags, desired, desired_version, desired_at
  FROM idscope.hub_twin_shown WHERE false;
SELECT hub_id, n, devices, enabled
  FROM idscope.hub_device_count WHERE false;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(policy, ', ') INTO wrong
      FROM (VALUES
        ('hub', 'hub_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('hub_policy', 'hub_policy_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('hub_certificate', 'hub_certificate_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('hub_policy', 'hub_policy_worker', 'idscope_worker', 'true')
      ) AS needed (tab, policy, who, rule)
     WHERE NOT EXISTS (SELECT 1 FROM pg_policies
                        WHERE schemaname = 'idscope' AND tablename = tab AND policyname = policy AND roles = ARRAY[who]::name[]
                          AND cmd = 'ALL' AND permissive = 'PERMISSIVE' AND qual = rule AND with_check IS NULL)
        OR NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = ('idscope.' || tab)::regclass AND relrowsecurity);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'row-level policies missing, changed or not in force: %', wrong;
    END IF;

    SELECT string_agg(format('%s: %s on %s', who, one, tab), ', ') INTO wrong
      FROM (VALUES
        ('idscope_api', 'hub', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'hub_policy', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'hub_certificate', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'hub_device', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'hub_twin', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'hub_twin_shown', 'SELECT'),
        ('idscope_api', 'hub_device_count', 'SELECT INSERT'),
        ('idscope_worker', 'hub_device_count', 'SELECT INSERT DELETE'),
        ('idscope_api', 'hub_registry', 'SELECT INSERT'),
        ('idscope_worker', 'hub_policy', 'SELECT')
      ) AS needed (who, tab, rights)
      CROSS JOIN LATERAL regexp_split_to_table(rights, ' ') AS one
     WHERE NOT has_table_privilege(who, 'idscope.' || tab, one);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;

    SELECT string_agg(format('%s: UPDATE of %s.%s', who, tab, one), ', ') INTO wrong
      FROM (VALUES
        ('idscope_worker', 'hub_device_count', 'devices enabled'),
        ('idscope_api', 'hub_registry', 'version retired_at')
      ) AS needed (who, tab, cols)
      CROSS JOIN LATERAL regexp_split_to_table(cols, ' ') AS one
     WHERE NOT has_column_privilege(who, 'idscope.' || tab, one, 'UPDATE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;

    SELECT string_agg(call, ', ') INTO wrong
      FROM (VALUES
        ('idscope_api', 'gate_hub(text)', true),
        ('idscope_worker', 'purge_retired_hubs(int)', true)
      ) AS needed (who, call, definer)
      JOIN pg_proc ON oid = ('idscope.' || call)::regprocedure
     WHERE NOT has_function_privilege(who, oid, 'EXECUTE') OR has_function_privilege('public', oid, 'EXECUTE')
        OR proowner <> 'idscope_owner'::regrole OR prosecdef <> definer
        OR (definer AND proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'functions open to the wrong roles or unsafe: %', wrong;
    END IF;
END
$$;

ROLLBACK;
