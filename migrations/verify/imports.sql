-- Verify idscope:imports on pg
-- The columns, and that a worker may take an import further and write nothing of it by itself.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT id_scope, import_id, kind, whole, dry, state, received, looked, written, refused, at_key, at_line, message, actor_kind, actor_id, operation,
       created_at, updated_at
  FROM idscope.import WHERE false;
SELECT id_scope, import_id, line, id, code, message FROM idscope.import_error WHERE false;
SELECT id_scope, import_id, line, of_group, registration_key, registration_id, device_id, attestation_type, attestation_sealed, provisioning_status,
       allocation_policy, iot_hubs, iot_hub_host_name, update_hub_assignment, migrate_device_data, iot_edge, initial_twin, optional_device_information,
       webhook_sealed, ca_primary, ca_secondary
  FROM idscope.import_enrollment WHERE false;
SELECT id_scope, import_id, line, registration_key, registration_id, assigned_hub, device_id, enrollment_group, substatus, created_at, updated_at
  FROM idscope.import_registration WHERE false;
SELECT 'idscope.hub_unlinked(text, text[])'::regprocedure;
SELECT 'idscope.certificate_unproved(text, text[])'::regprocedure;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(f, ', ') INTO wrong
      FROM unnest(ARRAY['import_step(text, uuid, int, bigint, bigint, bigint, bigint, bigint)', 'import_write(text, uuid, text, bigint, bytea, int, bigint)',
                        'import_move(text, uuid, bigint, text, bigint, bytea, bigint)']) AS f
     WHERE NOT has_function_privilege('idscope_worker', 'idscope.' || f, 'EXECUTE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'idscope_worker cannot take an import further by %', wrong;
    END IF;
    SELECT string_agg(tab || ' ' || privilege, ', ') INTO wrong
      FROM unnest(ARRAY['import', 'import_error', 'import_enrollment', 'import_registration']) AS tab,
           unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) AS privilege
     WHERE has_table_privilege('idscope_worker', 'idscope.' || tab, privilege);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'what idscope_worker may write by itself: %', wrong;
    END IF;
END
$$;

ROLLBACK;
