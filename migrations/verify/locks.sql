-- Verify idscope:locks on pg
-- The columns, and that a tenant sees its own alone.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT tenant_id, place, name_key, name, path, subscription_id, resource_group_key, hub_key, id_scope, level, notes, created_at
  FROM idscope.resource_lock WHERE false;

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_policies WHERE schemaname = 'idscope' AND tablename = 'resource_lock' AND policyname = 'resource_lock_api'
                      AND roles = '{idscope_api}' AND cmd = 'ALL' AND qual = '(tenant_id = idscope.current_tenant())' AND with_check IS NULL)
       OR NOT (SELECT relrowsecurity FROM pg_class WHERE oid = 'idscope.resource_lock'::regclass)
       OR NOT has_table_privilege('idscope_api', 'idscope.resource_lock', 'SELECT, INSERT, UPDATE, DELETE') THEN
        RAISE EXCEPTION 'locks are not guarded as they should be';
    END IF;
END
$$;

ROLLBACK;
