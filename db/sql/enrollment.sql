-- enrollment.sql: individual enrollments. Every write joins the live scope row on the version that it was checked against, and tells
-- what it found, so that the caller knows why nothing was written.

-- name: enrollment_find
-- $1 ID scope, $2 registration key
SELECT e.registration_id, e.device_id, e.attestation_type, e.attestation_sealed, e.enabled, e.allocation_policy, e.iot_hubs IS NOT NULL,
       e.iot_hubs, e.iot_hub_host_name, e.update_hub_assignment, e.migrate_device_data, e.iot_edge, e.etag, e.created_at, e.updated_at,
       d.initial_twin, d.optional_device_information,
       r.registration_id, r.operation_id, r.revision, r.status, r.substatus, r.assigned_hub, r.device_id, r.error_code, r.error_message,
       r.waiting_for, r.created_at, r.updated_at
  FROM idscope.enrollment e
  LEFT JOIN idscope.enrollment_detail d ON d.id_scope = e.id_scope AND d.registration_key = e.registration_key
  LEFT JOIN idscope.registration r ON r.id_scope = e.id_scope AND r.registration_key = e.registration_key
 WHERE e.id_scope = $1 AND e.registration_key = $2;

-- name: enrollment_insert
-- $1 ID scope, $2 its version, $3 tenant, $4 registration key, $5 registration id, $6 device id, $7 type of attestation, $8 the sealed attestation, $9 enabled,
-- $10 policy, $11 hubs are named, $12 their names, $13 the same in lower case, $14 iotHubHostName, $15 update, $16 migrate, $17 edge,
-- $18 twin, $19 device information
WITH live AS (
    SELECT id_scope FROM idscope.scope WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     unlinked AS (
    SELECT host
      FROM unnest($13::text[]) WITH ORDINALITY AS w (host, position)
     WHERE NOT EXISTS (SELECT FROM idscope.linked_hub l WHERE l.tenant_id = $3 AND l.id_scope = $1 AND l.host = w.host)
     ORDER BY position
     LIMIT 1),
     written AS (
    INSERT INTO idscope.enrollment (id_scope, registration_key, registration_id, device_id, attestation_type, attestation_sealed,
                                    enabled, allocation_policy, iot_hubs, iot_hub_host_name, update_hub_assignment,
                                    migrate_device_data, iot_edge, etag)
    SELECT id_scope, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $11 THEN $12::text[] END, $14, $15, $16, $17,
           gen_random_uuid()
      FROM live
     WHERE NOT EXISTS (SELECT FROM unlinked)
        ON CONFLICT (id_scope, registration_key) DO NOTHING
    RETURNING id_scope, registration_key),
     detailed AS (
    INSERT INTO idscope.enrollment_detail (id_scope, registration_key, initial_twin, optional_device_information)
    SELECT id_scope, registration_key, $18::json, $19::json
      FROM written
     WHERE $18::json IS NOT NULL OR $19::json IS NOT NULL)
SELECT EXISTS (SELECT FROM live), (SELECT host FROM unlinked), EXISTS (SELECT FROM written),
       EXISTS (SELECT FROM idscope.enrollment WHERE id_scope = $1 AND registration_key = $4), true;

-- name: enrollment_update
-- As enrollment_insert, and $20 the etag that it must have (NULL: any). An attestation that is NULL stays as it is.
WITH live AS (
    SELECT id_scope FROM idscope.scope WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     unlinked AS (
    SELECT host
      FROM unnest($13::text[]) WITH ORDINALITY AS w (host, position)
     WHERE NOT EXISTS (SELECT FROM idscope.linked_hub l WHERE l.tenant_id = $3 AND l.id_scope = $1 AND l.host = w.host)
     ORDER BY position
     LIMIT 1),
     before AS (
    SELECT $20::uuid IS NULL OR etag = $20 AS matches
      FROM idscope.enrollment
     WHERE id_scope = $1 AND registration_key = $4
       FOR UPDATE),
     written AS (
    UPDATE idscope.enrollment e
       SET registration_id = $5, device_id = $6, attestation_type = $7,
           attestation_sealed = coalesce($8, e.attestation_sealed), enabled = $9, allocation_policy = $10,
           iot_hubs = CASE WHEN $11 THEN $12::text[] END, iot_hub_host_name = $14, update_hub_assignment = $15,
           migrate_device_data = $16, iot_edge = $17, etag = gen_random_uuid(), version = e.version + 1,
           inputs_version = e.inputs_version
                            + CASE WHEN (e.allocation_policy, e.iot_hubs, e.iot_hub_host_name)
                                        IS DISTINCT FROM ($10, CASE WHEN $11 THEN $12::text[] END, $14) THEN 1 ELSE 0 END,
           updated_at = now()
      FROM live, before
     WHERE e.id_scope = $1 AND e.registration_key = $4 AND before.matches AND NOT EXISTS (SELECT FROM unlinked)
    RETURNING e.id_scope, e.registration_key),
     bare AS (
    DELETE FROM idscope.enrollment_detail d
     USING written w
     WHERE d.id_scope = w.id_scope AND d.registration_key = w.registration_key AND $18::json IS NULL AND $19::json IS NULL),
     detailed AS (
    INSERT INTO idscope.enrollment_detail (id_scope, registration_key, initial_twin, optional_device_information)
    SELECT id_scope, registration_key, $18::json, $19::json
      FROM written
     WHERE $18::json IS NOT NULL OR $19::json IS NOT NULL
        ON CONFLICT (id_scope, registration_key) DO UPDATE
       SET initial_twin = excluded.initial_twin, optional_device_information = excluded.optional_device_information)
SELECT EXISTS (SELECT FROM live), (SELECT host FROM unlinked), EXISTS (SELECT FROM written), EXISTS (SELECT FROM before),
       coalesce((SELECT matches FROM before), false);

-- name: enrollment_delete
-- $1 ID scope, $2 its version, $3 registration key, $4 the etag that it must have (NULL: any). What became of the device was
-- forgotten by registration_delete before, in the same transaction.
WITH live AS (
    SELECT id_scope FROM idscope.scope WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     before AS (
    SELECT $4::uuid IS NULL OR etag = $4 AS matches
      FROM idscope.enrollment
     WHERE id_scope = $1 AND registration_key = $3
       FOR UPDATE),
     written AS (
    DELETE FROM idscope.enrollment e
     USING live, before
     WHERE e.id_scope = $1 AND e.registration_key = $3 AND before.matches
    RETURNING e.id_scope)
SELECT EXISTS (SELECT FROM live), NULL::text, EXISTS (SELECT FROM written), EXISTS (SELECT FROM before),
       coalesce((SELECT matches FROM before), false);
