-- Verify idscope:audit on pg
-- The columns, that rows are guarded by their tenant, and that programs may add events through the function alone.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT tenant_id, id, event_id, at, actor_kind, actor_id, client_address, tracking_id, operation, kind, key, resource_id, detail FROM idscope.audit_event WHERE false;
SELECT tenant_id, block, ids, digests, previous, hash, sealed_at FROM idscope.audit_block WHERE false;
SELECT tenant_id, blocks, last_id, hash, cut_blocks, cut_id, cut_hash FROM idscope.audit_chain WHERE false;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(oid::regclass::text, ', ') INTO wrong
      FROM pg_class WHERE oid IN ('idscope.audit_event'::regclass, 'idscope.audit_block'::regclass, 'idscope.audit_chain'::regclass) AND NOT relrowsecurity;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'without row-level security: %', wrong;
    END IF;
    SELECT string_agg(who || ' ' || privilege, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who,
           unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
     WHERE has_table_privilege(who, 'idscope.audit_event', privilege) OR (privilege <> 'INSERT' AND has_table_privilege(who, 'idscope.audit_block', privilege));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles that may change audit events: %', wrong;
    END IF;
    SELECT string_agg(who, ', ') INTO wrong
      FROM unnest(ARRAY['idscope_api', 'idscope_admin']) AS who
     WHERE NOT has_function_privilege(who, 'idscope.note(text, text, jsonb, jsonb, jsonb)', 'EXECUTE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'roles that cannot write audit events: %', wrong;
    END IF;
END
$$;

ROLLBACK;
