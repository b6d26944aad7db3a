-- enrollment.sql: the enrollment list, of devices and of groups. Every write joins the live scope row on the version that it was checked against, and tells
-- what it found, so that the caller knows why nothing was written.

-- name: enrollment_find -> enrollment
-- $1 ID scope, $2 key, $3 whether it is a group
SELECT * FROM idscope.enrollment_shown WHERE id_scope = $1 AND of_group = $3 AND key = $2;

-- name: enrollment_names_lock
-- $1 ID scope, $2 device ids that enrollments are to have, in lower case, or /groups. Who writes one of them goes after the other, to the end of the transaction, and
-- the next one sees what this one wrote. To be taken before anything is written.
SELECT pg_advisory_xact_lock(hashtextextended($1::text || '/' || name, 0))
  FROM (SELECT DISTINCT name FROM unnest($2::text[]) AS u (name) ORDER BY name) n;

-- What an import writes at once, single writes wait for, $2 milliseconds at most, and go before it in turn: to be taken before the names. For a list that is
-- all or nothing they do not wait, since that may take minutes in which they would keep the callers of other tenants waiting.
-- name: enrollment_turn
SELECT set_config('lock_timeout', CASE WHEN EXISTS (SELECT 1 FROM idscope.import WHERE id_scope = $1 AND state = 'writing') THEN '1' ELSE $2::bigint::text END, true), pg_advisory_xact_lock_shared(hashtextextended($1::text || '/', 0)), set_config('lock_timeout', '0', true);

-- name: enrollment_certificates_lock as actor
-- $1 tenant, $2 ID scope, $3 CA certificates that enrollments are to name: they stay as they are to the end of the transaction, and who deletes or changes one of
-- them just now is waited for.
SELECT 1 FROM idscope.certificate WHERE tenant_id = $1 AND id_scope = $2 AND name_key = ANY ($3::text[]) ORDER BY name_key FOR KEY SHARE;

-- name: enrollment_insert -> enrollment_outcome as actor
-- $1 ID scope, $2 its version, $3 registration key, $4 registration id, $5 device id, $6 type of attestation, $7 the sealed attestation,
-- $8 provisioning status, $9 policy, $10 names of hubs (NULL: none are named), $11 iotHubHostName, $12 update, $13 migrate, $14 edge, $15 twin,
-- $16 device information, $17 the sealed webhook, $18 whether it is a group, $19 how many of them an instance may have (groups: of one type of attestation; devices, as they
-- were counted last: 0: as many as one likes), $20 and
-- $21 the CA certificates that it names.
-- Within a transaction that has locked the device id, or the groups, and those certificates.
-- An entry that is made anew has no version that one of its id had before: registrations of a group outlive it.
WITH live AS (
    SELECT id_scope, gen_random_uuid() AS etag, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS version
      FROM idscope.scope
     WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     unlinked AS (SELECT host FROM idscope.hub_unlinked($1, array_append($10::text[], $11::text)) AS u (host)),
     taken AS MATERIALIZED (SELECT CASE WHEN NOT $18::boolean THEN idscope.device_id_taken($1, $3, $5) END AS taken_by),
     unproved AS (SELECT name FROM idscope.certificate_unproved($1, ARRAY[$20::text, $21::text]) AS u (name)),
     room AS (
    SELECT CASE WHEN $18::boolean THEN (SELECT count(*) FROM idscope.enrollment WHERE id_scope = $1 AND of_group AND attestation_type = $6) < $19::bigint
                ELSE $19 = 0 OR idscope.counted($1, 'enrollments') < $19 END AS is_left),
     written AS (
    INSERT INTO idscope.enrollment (id_scope, of_group, registration_key, registration_id, device_id, attestation_type,
                                    attestation_sealed, enabled, allocation_policy, iot_hubs, iot_hub_host_name,
                                    update_hub_assignment, migrate_device_data, iot_edge, etag, version, inputs_version, ca_primary, ca_secondary)
    SELECT id_scope, $18, $3, $4, $5, $6, $7, $8::text = 'enabled', $9, $10, $11, $12, $13, $14, etag, version, version, $20, $21
      FROM live, room
     WHERE room.is_left AND NOT EXISTS (SELECT 1 FROM unlinked) AND (SELECT taken_by FROM taken) IS NULL AND NOT EXISTS (SELECT 1 FROM unproved)
        ON CONFLICT (id_scope, of_group, registration_key) DO NOTHING
    RETURNING *),
     detailed AS (
    INSERT INTO idscope.enrollment_detail (id_scope, of_group, registration_key, initial_twin, optional_device_information, webhook_sealed)
    SELECT id_scope, of_group, registration_key, $15::json, $16::json, $17::bytea
      FROM written
     WHERE num_nonnulls($15::json, $16::json, $17::bytea) > 0),
     noted AS (
    SELECT idscope.note(CASE WHEN of_group THEN 'enrollment_group' ELSE 'enrollment' END, id_scope || '/' || registration_key, jsonb_build_object('change', 'created'), NULL,
                        to_jsonb(written) || jsonb_build_object('initial_twin', $15::json, 'optional_device_information', $16::json, 'webhook_sealed', $17::bytea))
      FROM written)
SELECT EXISTS (SELECT 1 FROM live) AS live, (SELECT host FROM unlinked) AS unlinked, (SELECT taken_by FROM taken) AS taken_by, (SELECT name FROM unproved) AS unproved, EXISTS (SELECT 1 FROM noted) AS written,
       EXISTS (SELECT 1 FROM idscope.enrollment WHERE id_scope = $1 AND of_group = $18 AND registration_key = $3) AS found, true AS matches, false AS retyped,
       NOT is_left AS crowded
  FROM room;

-- name: enrollment_update -> enrollment_outcome as actor
-- As enrollment_insert, but $19 the etag that it must have (NULL: any). An attestation that is NULL stays as it is, when it
-- is of the type.
WITH live AS (
    SELECT id_scope FROM idscope.scope WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     unlinked AS (SELECT host FROM idscope.hub_unlinked($1, array_append($10::text[], $11::text)) AS u (host)),
     taken AS MATERIALIZED (SELECT CASE WHEN NOT $18::boolean THEN idscope.device_id_taken($1, $3, $5) END AS taken_by),
     unproved AS (SELECT name FROM idscope.certificate_unproved($1, ARRAY[$20::text, $21::text]) AS u (name)),
     before AS (
    SELECT $19::uuid IS NULL OR etag = $19 AS matches, $7::bytea IS NULL AND attestation_type <> $6 AS retyped, gen_random_uuid() AS new_etag, now() AS moment, e AS was
      FROM idscope.enrollment e
     WHERE id_scope = $1 AND of_group = $18::boolean AND registration_key = $3
       FOR UPDATE),
     details AS MATERIALIZED (SELECT idscope.enrollment_details($1, $18, $3) AS were FROM before),
     written AS (
    UPDATE idscope.enrollment e
       SET registration_id = $4, device_id = $5, attestation_type = $6,
           attestation_sealed = coalesce($7, e.attestation_sealed), enabled = $8::text = 'enabled', allocation_policy = $9,
           iot_hubs = $10, iot_hub_host_name = $11, update_hub_assignment = $12, migrate_device_data = $13, iot_edge = $14,
           by_block = false, etag = before.new_etag, version = e.version + 1,
           inputs_version = e.inputs_version
                            + CASE WHEN (e.allocation_policy, e.iot_hubs, e.iot_hub_host_name) IS DISTINCT FROM ($9, $10, $11)
                                   THEN 1 ELSE 0 END,
           updated_at = before.moment,
           ca_primary = CASE WHEN $7::bytea IS NULL THEN e.ca_primary ELSE $20 END, ca_secondary = CASE WHEN $7::bytea IS NULL THEN e.ca_secondary ELSE $21 END
      FROM live, before, details
     WHERE e.id_scope = $1 AND e.of_group = $18 AND e.registration_key = $3 AND before.matches AND NOT before.retyped AND NOT EXISTS (SELECT 1 FROM unlinked)
       AND (SELECT taken_by FROM taken) IS NULL AND NOT EXISTS (SELECT 1 FROM unproved)
    RETURNING e.*),
     bare AS (
    DELETE FROM idscope.enrollment_detail d
     USING written w
     WHERE d.id_scope = w.id_scope AND d.of_group = w.of_group AND d.registration_key = w.registration_key AND num_nonnulls($15::json, $16::json, $17::bytea) = 0),
     detailed AS (
    INSERT INTO idscope.enrollment_detail (id_scope, of_group, registration_key, initial_twin, optional_device_information, webhook_sealed)
    SELECT id_scope, of_group, registration_key, $15::json, $16::json, $17::bytea
      FROM written
     WHERE num_nonnulls($15::json, $16::json, $17::bytea) > 0
        ON CONFLICT (id_scope, of_group, registration_key) DO UPDATE
       SET initial_twin = excluded.initial_twin, optional_device_information = excluded.optional_device_information,
           webhook_sealed = excluded.webhook_sealed),
     noted AS (
    SELECT idscope.note(CASE WHEN of_group THEN 'enrollment_group' ELSE 'enrollment' END, id_scope || '/' || registration_key, jsonb_build_object('change', 'updated'),
                        to_jsonb(before.was) || details.were,
                        to_jsonb(written) || jsonb_build_object('initial_twin', $15::json, 'optional_device_information', $16::json, 'webhook_sealed', $17::bytea))
      FROM written, before, details)
SELECT EXISTS (SELECT 1 FROM live) AS live, (SELECT host FROM unlinked) AS unlinked, (SELECT taken_by FROM taken) AS taken_by, (SELECT name FROM unproved) AS unproved, EXISTS (SELECT 1 FROM noted) AS written,
       EXISTS (SELECT 1 FROM before) AS found, coalesce((SELECT matches FROM before), false) AS matches,
       coalesce((SELECT retyped FROM before), false) AS retyped, false AS crowded;

-- name: enrollment_delete -> enrollment_outcome as actor
-- $1 ID scope, $2 its version, $3 key, $4 the etag that it must have (NULL: any), $5 whether it is a group. What became of a device was
-- forgotten by registration_delete before, in the same transaction; what became of a group's devices stays.
WITH live AS (
    SELECT id_scope FROM idscope.scope WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     before AS (
    SELECT $4::uuid IS NULL OR etag = $4 AS matches
      FROM idscope.enrollment
     WHERE id_scope = $1 AND of_group = $5::boolean AND registration_key = $3
       FOR UPDATE),
     details AS MATERIALIZED (SELECT idscope.enrollment_details($1, $5, $3) AS were FROM before),
     written AS (
    DELETE FROM idscope.enrollment e
     USING live, before, details
     WHERE e.id_scope = $1 AND e.of_group = $5 AND e.registration_key = $3 AND before.matches
    RETURNING e.*, details.were),
     noted AS (
    SELECT idscope.note(CASE WHEN of_group THEN 'enrollment_group' ELSE 'enrollment' END, id_scope || '/' || registration_key, jsonb_build_object('change', 'deleted'), to_jsonb(written) - 'were' || were)
      FROM written)
SELECT EXISTS (SELECT 1 FROM live) AS live, NULL::text AS unlinked, NULL::text AS taken_by, NULL::text AS unproved, EXISTS (SELECT 1 FROM noted) AS written,
       EXISTS (SELECT 1 FROM before) AS found, coalesce((SELECT matches FROM before), false) AS matches, false AS retyped, false AS crowded;

-- Lists (core/query): the enrollments of a span of one member's values, in the order of that member and then of the key, from behind a
-- place on: $1 ID scope, $2 and $3 the place, a value and a key, $4 the last value, $5 how many at most, $6 whether groups. An index serves each.

-- name: enrollment_list_by_id -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (key, key) > ($2, $3) AND key <= $4
 ORDER BY key
 LIMIT $5;

-- name: enrollment_list_by_id_down -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (key, key) < ($2, $3) AND key >= $4
 ORDER BY key DESC
 LIMIT $5;

-- name: enrollment_list_by_created -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (created_at, key) > ($2, $3) AND created_at <= $4
 ORDER BY created_at, key
 LIMIT $5;

-- name: enrollment_list_by_created_down -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (created_at, key) < ($2, $3) AND created_at >= $4
 ORDER BY created_at DESC, key DESC
 LIMIT $5;

-- name: enrollment_list_by_updated -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (updated_at, key) > ($2, $3) AND updated_at <= $4
 ORDER BY updated_at, key
 LIMIT $5;

-- name: enrollment_list_by_updated_down -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (updated_at, key) < ($2, $3) AND updated_at >= $4
 ORDER BY updated_at DESC, key DESC
 LIMIT $5;

-- name: enrollment_list_by_device -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (device_id, key) > ($2, $3) AND device_id <= $4
 ORDER BY device_id, key
 LIMIT $5;

-- name: enrollment_list_by_status -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (provisioning_status, key) > ($2, $3) AND provisioning_status <= $4
 ORDER BY provisioning_status, key
 LIMIT $5;

-- name: enrollment_list_by_policy -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (allocation_policy, key) > ($2, $3) AND allocation_policy <= $4
 ORDER BY allocation_policy, key
 LIMIT $5;

-- name: enrollment_list_by_attestation -> enrollment
SELECT * FROM idscope.enrollment_shown
 WHERE id_scope = $1 AND of_group = $6 AND (attestation_type, key) > ($2, $3) AND attestation_type <= $4
 ORDER BY attestation_type, key
 LIMIT $5;
