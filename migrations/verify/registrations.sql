-- Verify idscope:registrations on pg
-- Tables with their columns, grants.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT id_scope, of_group, registration_key, registration_id, device_id, attestation_type, attestation_sealed, ca_primary, ca_secondary,
       enabled, allocation_policy, iot_hubs, iot_hub_host_name, update_hub_assignment, migrate_device_data, iot_edge, by_block,
       etag, version, inputs_version, created_at, updated_at
  FROM idscope.enrollment WHERE false;
SELECT id_scope, of_group, registration_key, initial_twin, optional_device_information, webhook_sealed
  FROM idscope.enrollment_detail WHERE false;
SELECT id_scope, registration_key, registration_id, operation_id, revision, status, substatus, assigned_hub,
       device_id, target_hub, target_device_id, error_code, error_message, waiting_for, region, enrollment_group, derived_from, enrollment_version,
       enrollment_inputs, scope_inputs, alloc_input, checked_at, evidence, operation_at, created_at, updated_at
  FROM idscope.registration WHERE false;
SELECT id_scope, registration_key, device, open_sealed, open_until, met_sealed, met_root, met_until, ends_at
  FROM idscope.challenge WHERE false;
SELECT id_scope, of_group, key, registration_id, device_id, attestation_type, attestation_sealed, provisioning_status, allocation_policy, iot_hubs,
       iot_hub_host_name, update_hub_assignment, migrate_device_data, iot_edge, etag, created_at, updated_at, initial_twin,
       optional_device_information, webhook_sealed, state_registration_id, state_operation_id, state_revision, state_status, state_substatus,
       state_assigned_hub, state_device_id, state_enrollment_group_id, state_error_code, state_error_message, state_created_at, state_updated_at
  FROM idscope.enrollment_shown WHERE false;
SELECT id_scope, hash, input, created_at, named_at
  FROM idscope.alloc_input WHERE false;
SELECT id_scope, enrolled, written
  FROM idscope.attempt_ring WHERE false;
SELECT id_scope, enrolled, slot, at, tracking_id, registration_key, registration_id, error_code, reason, address
  FROM idscope.attempt WHERE false;
SELECT id_scope, kind, subject, hub, payload, due_at, fence, attempt, last_error, waits_for, created_at
  FROM idscope.job WHERE false;
SELECT tenant_id, kind, subject, hub, payload, due_at, fence, attempt, last_error, waits_for, created_at
  FROM idscope.tenant_job WHERE false;
SELECT 'idscope.hubs_named(text, text[], text)'::regprocedure, 'idscope.enrolled(text, text, text)'::regprocedure, 'idscope.device_id_taken(text, text, text)'::regprocedure, 'idscope.identity_taken(text, text, text)'::regprocedure, 'idscope.keys_joined(jsonb, jsonb)'::regprocedure, 'idscope.purge_retired_scopes(int)'::regprocedure;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(format('%s: %s on %s', who, one, tab), ', ') INTO wrong
      FROM (VALUES
        ('idscope_api', 'enrollment', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'enrollment_shown', 'SELECT'),
        ('idscope_api', 'enrollment_detail', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'registration', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'job', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_api', 'alloc_input', 'SELECT'),
        ('idscope_api', 'challenge', 'SELECT INSERT UPDATE'),
        ('idscope_worker', 'challenge', 'SELECT DELETE'),
        ('idscope_api', 'attempt', 'SELECT INSERT UPDATE'),
        ('idscope_api', 'attempt_ring', 'SELECT INSERT UPDATE'),
        ('idscope_worker', 'enrollment', 'SELECT'),
        ('idscope_worker', 'enrollment_detail', 'SELECT'),
        ('idscope_worker', 'registration', 'SELECT UPDATE'),
        ('idscope_worker', 'alloc_input', 'SELECT INSERT DELETE'),
        ('idscope_worker', 'job', 'SELECT INSERT UPDATE DELETE'),
        ('idscope_worker', 'tenant_job', 'SELECT INSERT UPDATE')
      ) AS needed (who, tab, rights)
      CROSS JOIN LATERAL regexp_split_to_table(rights, ' ') AS one
     WHERE NOT has_table_privilege(who, 'idscope.' || tab, one);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'grants missing: %', wrong;
    END IF;
END
$$;

ROLLBACK;
