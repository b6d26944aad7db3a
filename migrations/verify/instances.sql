-- Verify idscope:instances on pg
-- Tables with their columns, row-level policies, grants, functions.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT id_scope, issued_to, version, inputs_version, issued_at, retired_at, undelete_until, purged_at
  FROM idscope.scope WHERE false;
SELECT name_key, id_scope, id_scope_text, tenant_id, subscription_id, resource_group_key, deleted_from, name, location, tags,
       sku_capacity, allocation_policy, existing_device, properties, network, etag, created_at, updated_at
  FROM idscope.instance WHERE false;
SELECT tenant_id, id_scope, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position
  FROM idscope.instance_policy WHERE false;
SELECT tenant_id, id_scope, name_key, name, certificate, der, is_verified, code, code_until, crl, etag, created_at, updated_at
  FROM idscope.certificate WHERE false;
SELECT tenant_id, id_scope, host, host_name, location, position, hub_key, key_name, primary_sealed,
       secondary_key_name, secondary_sealed, allocation_weight, apply_allocation_policy, etag, state, reason, state_since,
       last_good_at, credential_version, slow_until, next_check_at, next_latency_at
  FROM idscope.linked_hub WHERE false;
SELECT region, host, samples_us, tcp_p50_us, tcp_p95_us, tls_us, http_us, count, measured_at
  FROM idscope.link_latency WHERE false;
SELECT state, event, next FROM idscope.link_move WHERE false;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(policy, ', ') INTO wrong
      FROM (VALUES
        ('instance', 'instance_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('instance_policy', 'instance_policy_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('certificate', 'certificate_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('linked_hub', 'linked_hub_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('linked_hub', 'linked_hub_admin', 'idscope_admin', '(tenant_id = idscope.current_tenant())'),
        ('instance', 'instance_worker', 'idscope_worker', 'true'),
        ('linked_hub', 'linked_hub_worker', 'idscope_worker', 'true')
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
        ('idscope_api', 'instance', 'SELECT INSERT UPDATE'),
        ('idscope_api', 'instance_policy', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'certificate', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'linked_hub', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'scope', 'SELECT INSERT'),
        ('idscope_api', 'link_latency', 'SELECT'),
        ('idscope_api', 'link_move', 'SELECT'),
        ('idscope_admin', 'instance', 'SELECT INSERT'),
        ('idscope_admin', 'linked_hub', 'SELECT'),
        ('idscope_admin', 'scope', 'SELECT INSERT'),
        ('idscope_worker', 'instance', 'SELECT'),
        ('idscope_worker', 'scope', 'SELECT'),
        ('idscope_worker', 'linked_hub', 'SELECT'),
        ('idscope_worker', 'link_latency', 'SELECT INSERT UPDATE DELETE')
      ) AS needed (who, tab, rights)
      CROSS JOIN LATERAL regexp_split_to_table(rights, ' ') AS one
     WHERE NOT has_table_privilege(who, 'idscope.' || tab, one);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;

    SELECT string_agg(format('%s: UPDATE of %s.%s', who, tab, one), ', ') INTO wrong
      FROM (VALUES
        ('idscope_api', 'scope', 'version inputs_version retired_at undelete_until'),
        ('idscope_admin', 'scope', 'version inputs_version retired_at undelete_until'),
        ('idscope_admin', 'instance', 'resource_group_key deleted_from'),
        ('idscope_worker', 'linked_hub', 'state reason state_since last_good_at slow_until next_check_at next_latency_at')
      ) AS needed (who, tab, cols)
      CROSS JOIN LATERAL regexp_split_to_table(cols, ' ') AS one
     WHERE NOT has_column_privilege(who, 'idscope.' || tab, one, 'UPDATE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;

    SELECT string_agg(call, ', ') INTO wrong
      FROM (VALUES
        ('idscope_api', 'gate_instance(text, text)', true),
        ('idscope_api', 'gate_instances(text[])', true),
        ('idscope_api', 'certificates_of(text[])', true),
        ('idscope_api', 'hub_linked_by_others(text, text)', true),
        ('idscope_api', 'name_free(text, text)', true),
        ('idscope_api', 'name_take(text, text)', true),
        ('idscope_admin', 'name_take(text, text)', true),
        ('idscope_api', 'hub_deleted(text, text)', true)
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
