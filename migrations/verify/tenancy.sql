-- Verify idscope:tenancy on pg
-- Tables with their columns, row-level policies, grants, functions.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT tenant_id, name, created_at, disabled_at
  FROM idscope.tenant WHERE false;
SELECT tenant_id, subscription_id, display_name, tags, created_at, disabled_at
  FROM idscope.subscription WHERE false;
SELECT tenant_id, client_id, display_name, secret_sha256, secret_before_sha256, created_at, disabled_at
  FROM idscope.service_principal WHERE false;
SELECT tenant_id, assignment_id, client_id, role, scope_key, scope, description, created_by, created_at
  FROM idscope.role_assignment WHERE false;
SELECT kid, private_sealed, created_at
  FROM idscope.token_key WHERE false;
SELECT tenant_id, subscription_id, name_key, name, location, tags, created_at
  FROM idscope.resource_group WHERE false;
SELECT kind, name_key, tenant_id, since
  FROM idscope.name_rest WHERE false;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(policy, ', ') INTO wrong
      FROM (VALUES
        ('tenant', 'tenant_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('subscription', 'subscription_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('service_principal', 'service_principal_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('role_assignment', 'role_assignment_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('resource_group', 'resource_group_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('name_rest', 'name_rest_api', 'idscope_api', '(tenant_id = idscope.current_tenant())'),
        ('name_rest', 'name_rest_worker', 'idscope_worker', 'true'),
        ('tenant', 'tenant_admin', 'idscope_admin', 'true'),
        ('subscription', 'subscription_admin', 'idscope_admin', 'true'),
        ('service_principal', 'service_principal_admin', 'idscope_admin', 'true'),
        ('role_assignment', 'role_assignment_admin', 'idscope_admin', 'true')
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
        ('idscope_api', 'tenant', 'SELECT'),
        ('idscope_api', 'subscription', 'SELECT'),
        ('idscope_api', 'token_key', 'SELECT'),
        ('idscope_api', 'resource_group', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'name_rest', 'SELECT INSERT'),
        ('idscope_api', 'role_assignment', 'SELECT INSERT DELETE'),
        ('idscope_admin', 'role_assignment', 'SELECT INSERT DELETE'),
        ('idscope_worker', 'name_rest', 'SELECT DELETE'),
        ('idscope_admin', 'tenant', 'SELECT INSERT'),
        ('idscope_admin', 'subscription', 'SELECT INSERT'),
        ('idscope_admin', 'service_principal', 'SELECT INSERT'),
        ('idscope_admin', 'token_key', 'SELECT INSERT DELETE')
      ) AS needed (who, tab, rights)
      CROSS JOIN LATERAL regexp_split_to_table(rights, ' ') AS one
     WHERE NOT has_table_privilege(who, 'idscope.' || tab, one);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;

    SELECT string_agg(format('%s: UPDATE of %s.%s', who, tab, one), ', ') INTO wrong
      FROM (VALUES
        ('idscope_admin', 'tenant', 'disabled_at'),
        ('idscope_admin', 'subscription', 'disabled_at'),
        ('idscope_api', 'subscription', 'tags'),
        ('idscope_admin', 'service_principal', 'secret_sha256 secret_before_sha256 disabled_at')
      ) AS needed (who, tab, cols)
      CROSS JOIN LATERAL regexp_split_to_table(cols, ' ') AS one
     WHERE NOT has_column_privilege(who, 'idscope.' || tab, one, 'UPDATE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;

    SELECT string_agg(call, ', ') INTO wrong
      FROM (VALUES
        ('idscope_api', 'current_tenant()', false),
        ('idscope_api', 'gate_client(uuid)', true),
        ('idscope_api', 'principal_there(uuid)', true),
        ('idscope_admin', 'principal_there(uuid)', true),
        ('idscope_api', 'role_scope(uuid, text, text, text)', false),
        ('idscope_api', 'in_scopes(text[], text)', false),
        ('idscope_api', 'in_time(bigint)', false),
        ('idscope_worker', 'in_time(bigint)', false),
        ('idscope_admin', 'in_time(bigint)', false)
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
