-- registration.sql: registrations as the service plane sees them.

-- name: registration_find -> registration
-- $1 ID scope, $2 registration key. While it is assigning, the message is what it waits for.
SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group AS enrollment_group_id, error_code,
       CASE status WHEN 'assigning' THEN waiting_for ELSE error_message END AS error_message, created_at, updated_at
  FROM idscope.registration
 WHERE id_scope = $1 AND registration_key = $2;

-- A page of a group's devices, in the order of their keys: $1 ID scope, $2 the group in lower case, $3 the key behind which it begins, $4 the last
-- key, $5 how many at most.
-- name: registration_list_of_group -> registration
SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group AS enrollment_group_id, error_code,
       CASE status WHEN 'assigning' THEN waiting_for ELSE error_message END AS error_message, created_at, updated_at
  FROM idscope.registration
 WHERE id_scope = $1 AND lower(enrollment_group) = $2 AND enrollment_group IS NOT NULL AND registration_key > $3 AND registration_key <= $4
 ORDER BY registration_key
 LIMIT $5;

-- Lists of an instance's registrations, as those of enrollments (enrollment.sql): $1 ID scope, $2 and $3 the place, a value and a key, $4 the last value, $5 how many
-- at most.

-- name: registration_list_by_id -> registration
SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group AS enrollment_group_id, error_code,
       CASE status WHEN 'assigning' THEN waiting_for ELSE error_message END AS error_message, created_at, updated_at
  FROM idscope.registration
 WHERE id_scope = $1 AND (registration_key, registration_key) > ($2, $3) AND registration_key <= $4
 ORDER BY registration_key
 LIMIT $5;

-- name: registration_list_by_id_down -> registration
SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group AS enrollment_group_id, error_code,
       CASE status WHEN 'assigning' THEN waiting_for ELSE error_message END AS error_message, created_at, updated_at
  FROM idscope.registration
 WHERE id_scope = $1 AND (registration_key, registration_key) < ($2, $3) AND registration_key >= $4
 ORDER BY registration_key DESC
 LIMIT $5;

-- name: registration_list_by_group -> registration
SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group AS enrollment_group_id, error_code,
       CASE status WHEN 'assigning' THEN waiting_for ELSE error_message END AS error_message, created_at, updated_at
  FROM idscope.registration
 WHERE id_scope = $1 AND enrollment_group IS NOT NULL AND (lower(enrollment_group), registration_key) > ($2, $3) AND lower(enrollment_group) <= $4
 ORDER BY lower(enrollment_group), registration_key
 LIMIT $5;

-- Those that failed: $1 ID scope, $2 the key behind which it begins, $3 how many at most.
-- name: registration_list_failed -> registration
SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group AS enrollment_group_id, error_code,
       CASE status WHEN 'assigning' THEN waiting_for ELSE error_message END AS error_message, created_at, updated_at
  FROM idscope.registration
 WHERE id_scope = $1 AND error_code IS NOT NULL AND registration_key > $2
 ORDER BY registration_key
 LIMIT $3;

-- name: registration_delete -> registration_outcome as actor
-- $1 ID scope, $2 its version, $3 registration key, $4 only behind its enrollment, which must have the etag $7 (NULL: any) and stays as it is
-- until the transaction ends, $5 and $6 the operation and revision that it must have ($5 NULL: any). An identity that is being made in this
-- moment is taken off its hub later, in $8 milliseconds: when no worker that makes it has its lease; the one of an assigned device stays.
-- A removal that was never claimed keeps fence 0: an assignment that wants the identity again may still take it back.
WITH live AS (
    SELECT id_scope FROM idscope.scope WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     enrolled AS (
    SELECT registration_key
      FROM idscope.enrollment
     WHERE $4 AND id_scope = $1 AND NOT of_group AND registration_key = $3 AND ($7::uuid IS NULL OR etag = $7)
       FOR UPDATE),
     gone AS (
    DELETE FROM idscope.registration r
     USING live
     WHERE r.id_scope = $1 AND r.registration_key = $3
       AND ($5::uuid IS NULL OR (r.operation_id = $5 AND r.revision = $6))
       AND (NOT $4 OR EXISTS (SELECT 1 FROM enrolled))
    RETURNING r.id_scope, r.registration_key, r.assigned_hub, r.device_id, r.target_hub, r.target_device_id),
     idle AS (
    DELETE FROM idscope.job j
     USING gone
     WHERE j.id_scope = $1 AND j.kind = 'assign' AND j.subject = gone.registration_key),
     removal AS (
    INSERT INTO idscope.job (id_scope, kind, subject, hub, payload, due_at)
    SELECT id_scope, 'hub_remove', target_device_id, lower(target_hub COLLATE "C"), jsonb_build_array(registration_key),
           now() + $8::bigint * interval '1 millisecond'
      FROM gone
     WHERE target_hub IS NOT NULL
       AND (lower(target_hub COLLATE "C"), target_device_id) IS DISTINCT FROM (lower(assigned_hub COLLATE "C"), device_id)
        ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE
       SET due_at = excluded.due_at, fence = job.fence + (job.fence > 0)::int, attempt = 0, last_error = NULL,
           payload = idscope.keys_joined(job.payload, excluded.payload)),
     noted AS (
    SELECT idscope.note('registration', id_scope || '/' || registration_key, jsonb_build_object('change', 'deleted')) FROM gone WHERE NOT $4)
SELECT EXISTS (SELECT 1 FROM live) AS live, EXISTS (SELECT 1 FROM gone) AND (SELECT count(*) FROM noted) <= 1 AS gone;

-- name: registration_member -> registration_member
-- $1 ID scope, $2 registration key: a device that registered, and the enrollment that admits it.
SELECT r.registration_id, e.id_scope, e.key, e.of_group, e.attestation_type, e.attestation_sealed, r.derived_from, r.evidence
  FROM idscope.registration r
  LEFT JOIN LATERAL idscope.enrolled(r.id_scope, r.registration_key, lower(r.enrollment_group)) e ON true
 WHERE r.id_scope = $1 AND r.registration_key = $2;

-- name: registration_block -> block_outcome as actor
-- $1 ID scope, $2 its version, $3 registration key, $4 blocked from now on, or no more; $5 the registration id of a group's device and $6 the sealed
-- keys of the enrollment that is added for it, or NULL. The enrollment says so at once; the job takes it to the identities that the device has or that
-- are being made for it. An assignment that runs begins again, so that none that began before ends behind this.
WITH live AS (
    SELECT id_scope, gen_random_uuid() AS etag, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS version
      FROM idscope.scope
     WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     before AS (
    SELECT by_block AND NOT $4::boolean AS goes, now() AS moment, e AS was
      FROM idscope.enrollment e
     WHERE id_scope = $1 AND NOT of_group AND registration_key = $3
       FOR UPDATE),
     written AS (
    UPDATE idscope.enrollment e
       SET enabled = NOT $4::boolean, etag = live.etag, version = e.version + 1, updated_at = before.moment
      FROM live, before
     WHERE e.id_scope = $1 AND NOT e.of_group AND e.registration_key = $3 AND NOT before.goes
    RETURNING e.id_scope, e.registration_key, e AS becomes),
     removed AS (
    DELETE FROM idscope.enrollment e
     USING live, before
     WHERE e.id_scope = $1 AND NOT e.of_group AND e.registration_key = $3 AND before.goes
    RETURNING e.id_scope, e.registration_key),
     added AS (
    INSERT INTO idscope.enrollment AS e (id_scope, registration_key, registration_id, attestation_type, attestation_sealed, enabled, by_block, etag, version, inputs_version)
    SELECT id_scope, $3, $5, 'symmetricKey', $6, false, true, etag, version, version
      FROM live
     WHERE $6::bytea IS NOT NULL AND NOT EXISTS (SELECT 1 FROM before)
        ON CONFLICT (id_scope, of_group, registration_key) DO NOTHING
    RETURNING e.id_scope, e.registration_key, e AS becomes),
     changed AS (
    SELECT id_scope, registration_key, to_jsonb(was) AS was, to_jsonb(becomes) AS becomes FROM written, before
     UNION ALL
    SELECT id_scope, registration_key, to_jsonb(was), NULL FROM removed, before
     UNION ALL
    SELECT id_scope, registration_key, NULL, to_jsonb(becomes) FROM added),
     halted AS (
    UPDATE idscope.registration r
       SET revision = r.revision + 1
      FROM changed c
     WHERE r.id_scope = c.id_scope AND r.registration_key = c.registration_key AND r.status = 'assigning' AND $4
    RETURNING r.id_scope, r.registration_key),
     begun AS (
    INSERT INTO idscope.job AS j (id_scope, kind, subject, due_at)
    SELECT id_scope, 'assign', registration_key, now() FROM halted
        ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE SET due_at = excluded.due_at, fence = j.fence + 1, attempt = 0),
     told AS (
    INSERT INTO idscope.job (id_scope, kind, subject, hub, payload, due_at)
    SELECT DISTINCT w.id_scope, 'hub_status', i.device_id, lower(i.host COLLATE "C"), jsonb_build_array(w.registration_key), now()
      FROM changed w
     CROSS JOIN LATERAL (
            SELECT assigned_hub, device_id, target_hub, target_device_id
              FROM idscope.registration
             WHERE id_scope = w.id_scope AND registration_key = w.registration_key
             LIMIT 1) r
     CROSS JOIN LATERAL (VALUES (r.assigned_hub, r.device_id), (r.target_hub, r.target_device_id)) AS i (host, device_id)
     WHERE i.host IS NOT NULL
        ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE
       SET due_at = excluded.due_at, fence = job.fence + 1, attempt = 0, last_error = NULL, payload = excluded.payload),
     noted AS (
    SELECT idscope.note('enrollment', id_scope || '/' || registration_key, jsonb_build_object('change', CASE WHEN $4 THEN 'blocked' ELSE 'unblocked' END), was, becomes)
      FROM changed)
SELECT EXISTS (SELECT 1 FROM live) AS live, EXISTS (SELECT 1 FROM before) AS found, (SELECT count(*) FROM noted) > 0 AS written;

-- name: registration_input -> registration_input
-- $1 ID scope, $2 registration key: the inputs of the last choice
SELECT r.registration_id, r.alloc_input AS hash, i.input
  FROM idscope.registration r
  LEFT JOIN idscope.alloc_input i ON i.id_scope = r.id_scope AND i.hash = r.alloc_input
 WHERE r.id_scope = $1 AND r.registration_key = $2;
