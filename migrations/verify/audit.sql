-- Verify idscope:audit on pg
-- The columns, that rows are guarded by their tenant, and that programs may add events through the function alone.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT tenant_id, id, at, actor_kind, actor_id, tracking_id, operation, kind, key, detail FROM idscope.audit_event WHERE false;

DO $$
DECLARE
    wrong text;
BEGIN
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = 'idscope.audit_event'::regclass) THEN
        RAISE EXCEPTION 'idscope.audit_event has no row-level security';
    END IF;
    SELECT string_agg(who || ' ' || privilege, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who,
           unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
     WHERE has_table_privilege(who, 'idscope.audit_event', privilege);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles that may change audit events: %', wrong;
    END IF;
    SELECT string_agg(who, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_api', 'idscope_admin']) AS who
     WHERE NOT has_function_privilege(who, 'idscope.note(text, text, jsonb)', 'EXECUTE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles that cannot write audit events: %', wrong;
    END IF;
END
$$;

ROLLBACK;
