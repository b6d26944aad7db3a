-- device.sql: the hot path. Each statement serves a whole batch of devices, of any number of scopes, given as arrays in
-- the order of their keys: one round trip, and where something is written, one commit. Every join compares id_scope.
-- The form `unnest …, lateral (select … limit 1)` keeps the plan at one index look-up per row whatever the statistics
-- say (a plain join turns into a sequential scan). Where a row is written no LATERAL can lead to it, so it is joined by `id_scope = ANY (ARRAY[u.id_scope])`:
-- by that the index can be asked for a row, but not walked along, as the planner likes to for a table that was empty when it was vacuumed. Which enrollment is a device's, idscope.enrolled says; here it is spelled
-- out, which costs a look-up a tenth less: its own, or, where it has none, that of the group which its registration
-- remembers (told as group_key).

-- What a register in region $3 is checked against and decided on: the enrollment and, if there is one, the registration. By the distances of another
-- region its hub would have been chosen otherwise; where nobody knows the region (it was imported), what was chosen stands.
-- name: register_lookup -> register_found reads
SELECT u.n, g.registration_key AS group_key,
       coalesce(e.attestation_type, g.attestation_type) AS attestation_type,
       coalesce(e.attestation_sealed, g.attestation_sealed) AS attestation_sealed,
       coalesce(e.version, g.version) AS enrollment_version,
       coalesce(e.inputs_version, g.inputs_version) AS enrollment_inputs,
       coalesce(e.enabled, g.enabled) AS enabled,
       r.enrollment_group, r.derived_from, r.operation_id, r.revision, r.status, coalesce(r.region = $3::text, true) AS same_region,
       r.enrollment_version AS pushed_version,
       r.enrollment_inputs AS chosen_enrollment_inputs, r.scope_inputs AS chosen_scope_inputs, r.checked_at, r.created_at,
       r.updated_at, r.evidence, now()
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (id_scope, registration_key, n)
  LEFT JOIN LATERAL (
        SELECT attestation_type, attestation_sealed, version, inputs_version, enabled
          FROM idscope.enrollment
         WHERE id_scope = u.id_scope AND NOT of_group AND registration_key = u.registration_key
         LIMIT 1) e ON true
  LEFT JOIN LATERAL (
        SELECT operation_id, revision, status, region, enrollment_group, derived_from, enrollment_version, enrollment_inputs,
               scope_inputs, checked_at, created_at, updated_at, evidence
          FROM idscope.registration
         WHERE id_scope = u.id_scope AND registration_key = u.registration_key
         LIMIT 1) r ON true
  LEFT JOIN LATERAL (
        SELECT registration_key, attestation_type, attestation_sealed, version, inputs_version, enabled
          FROM idscope.enrollment
         WHERE e.version IS NULL AND r.enrollment_group IS NOT NULL
           AND id_scope = u.id_scope AND of_group AND registration_key = lower(r.enrollment_group)
         LIMIT 1) g ON true;

-- The enrollment groups of scopes, $2 at most of each, that have attestations of type $3: those whose keys a token may be made with, or which trust
-- certificates.
-- name: group_lookup -> group_found reads
SELECT g.id_scope, g.key, true AS of_group, g.attestation_type, g.attestation_sealed, g.id, g.enrollment_version, g.enrollment_inputs, g.enabled
  FROM unnest($1::text[]) AS u (id_scope)
 CROSS JOIN LATERAL (
        SELECT id_scope, registration_key AS key, attestation_type, attestation_sealed, registration_id AS id, version AS enrollment_version,
               inputs_version AS enrollment_inputs, enabled
          FROM idscope.enrollment
         WHERE id_scope = u.id_scope AND of_group AND attestation_type = $3
         ORDER BY registration_key
         LIMIT $2) g;

-- What a poll or a status look-up is checked against and answered from.
-- name: poll_lookup -> poll_found reads
SELECT u.n, g.registration_key AS group_key,
       coalesce(e.attestation_type, g.attestation_type) AS attestation_type,
       coalesce(e.attestation_sealed, g.attestation_sealed) AS attestation_sealed,
       r.registration_id, r.operation_id, r.revision, r.status, r.substatus, r.assigned_hub, r.device_id,
       r.error_code, r.error_message, r.enrollment_group, r.operation_at, r.created_at, r.updated_at, now()
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (id_scope, registration_key, n)
  LEFT JOIN LATERAL (
        SELECT attestation_type, attestation_sealed
          FROM idscope.enrollment
         WHERE id_scope = u.id_scope AND NOT of_group AND registration_key = u.registration_key
         LIMIT 1) e ON true
  LEFT JOIN LATERAL (
        SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group,
               error_code, error_message, operation_at, created_at, updated_at
          FROM idscope.registration
         WHERE id_scope = u.id_scope AND registration_key = u.registration_key
         LIMIT 1) r ON true
  LEFT JOIN LATERAL (
        SELECT registration_key, attestation_type, attestation_sealed
          FROM idscope.enrollment
         WHERE e.attestation_type IS NULL AND r.enrollment_group IS NOT NULL
           AND id_scope = u.id_scope AND of_group AND registration_key = lower(r.enrollment_group)
         LIMIT 1) g ON true;

-- Writes what was decided, where the world is still the one that it was decided on: the instance and the enrollment by
-- their versions, the registration by its operation and revision ($8 = 0: there was none). Rows that became `assigning`
-- get their job in the same statement. Answers the rows that were written; a row that is missing lost against a change
-- and is to be looked up again. Updates come before inserts, both in the order of keys, so that two batches never wait
-- for each other in a ring. A device of which an import that is just being written tells is not inserted: it would wait to the end of that. A device that shows another certificate while it is assigned starts over, by the same target:
-- its identity may stand there. What the hub holds is then no longer what it is to hold.
-- name: register_write -> register_written
WITH live AS MATERIALIZED (
        SELECT u.*, now() AS moment
          FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[],
                      $7::uuid[], $8::bigint[], $9::uuid[], $10::text[], $11::text[], $12::boolean[], $13::bytea[],
                      $14::text[], $15::text[])
               AS u (id_scope, registration_key, registration_id, scope_version, enrollment_version, enabled,
                     old_operation, old_revision, operation_id, status, region, keep_inputs, evidence, enrollment_group, derived_from)
         CROSS JOIN LATERAL (
                SELECT 1 FROM idscope.scope
                 WHERE id_scope = u.id_scope AND version = u.scope_version AND retired_at IS NULL
                 LIMIT 1) s
         CROSS JOIN LATERAL (
                SELECT 1 FROM idscope.enrollment e
                 WHERE id_scope = u.id_scope AND of_group = (u.enrollment_group IS NOT NULL)
                   AND registration_key = coalesce(lower(u.enrollment_group COLLATE "C"), u.registration_key)
                   AND version = u.enrollment_version AND enabled = u.enabled
                   AND (NOT of_group OR NOT EXISTS (
                        SELECT 1 FROM idscope.enrollment own
                         WHERE own.id_scope = u.id_scope AND NOT own.of_group AND own.registration_key = u.registration_key))
                 LIMIT 1) e
), updated AS (
        UPDATE idscope.registration r
           SET operation_id = u.operation_id, revision = r.revision + 1, status = u.status,
               substatus = CASE u.status WHEN 'assigned' THEN 'reprovisionedToInitialAssignment' END,
               target_hub = CASE WHEN r.status = u.status AND u.status = 'assigning' THEN r.target_hub END,
               target_device_id = CASE WHEN r.status = u.status AND u.status = 'assigning' THEN r.target_device_id END,
               error_code = NULL, error_message = NULL, waiting_for = NULL,
               region = u.region, scope_inputs = CASE WHEN u.keep_inputs THEN r.scope_inputs END,
               enrollment_group = u.enrollment_group, derived_from = u.derived_from, evidence = u.evidence,
               enrollment_version = CASE WHEN (r.derived_from, r.evidence) IS NOT DISTINCT FROM (u.derived_from, u.evidence)
                                         THEN r.enrollment_version END,
               operation_at = u.moment, updated_at = u.moment
          FROM live u
         WHERE r.id_scope = ANY (ARRAY[u.id_scope]) AND r.registration_key = u.registration_key
           AND u.old_revision > 0 AND r.operation_id = u.old_operation AND r.revision = u.old_revision
        RETURNING r.id_scope, r.registration_key, r.status, r.created_at
), inserted AS (
        INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, region,
                                          enrollment_group, derived_from, evidence, operation_at, created_at, updated_at)
        SELECT u.id_scope, u.registration_key, u.registration_id, u.operation_id, u.status, u.region,
               u.enrollment_group, u.derived_from, u.evidence, u.moment, u.moment, u.moment
          FROM live u
         WHERE u.old_revision = 0
           AND (SELECT true
                  FROM idscope.import i
                 CROSS JOIN LATERAL (
                        SELECT 1 FROM idscope.import_registration
                         WHERE id_scope = i.id_scope AND import_id = i.import_id AND registration_key = u.registration_key
                         LIMIT 1) listed
                 WHERE i.id_scope = u.id_scope AND i.state = 'writing'
                 LIMIT 1) IS NULL
            ON CONFLICT (id_scope, registration_key) DO NOTHING
        RETURNING id_scope, registration_key, status, created_at
), written AS (
        SELECT id_scope, registration_key, status, created_at FROM updated
         UNION ALL
        SELECT id_scope, registration_key, status, created_at FROM inserted
), begun AS (
        INSERT INTO idscope.job AS j (id_scope, kind, subject, due_at)
        SELECT id_scope, 'assign', registration_key, now() FROM written WHERE status = 'assigning'
            ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE SET due_at = excluded.due_at, fence = j.fence + 1, attempt = 0
)
SELECT id_scope, registration_key, created_at FROM written;
