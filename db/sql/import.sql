-- import.sql: lists on their way in. The api stages rows, piece by piece as they come; the worker takes the import further, step by step
-- (idscope.import_step). Every step joins or locks the import's row, so that a cancelled one goes no further.

-- name: import_begin -> import_begun as actor
-- $1 ID scope, $2 its version, $3 import, $4 kind, $5 all or nothing, $6 only checked, $7 how many entries its list may have (0: as many as come), $8 how many
-- imports an instance may have, $9 milliseconds after which one whose body does not go on is over. The job is due by then, or when the body is whole.
WITH live AS (
    SELECT id_scope, now() + $9::bigint * interval '1 millisecond' AS due_at, current_setting('idscope.actor_kind') AS actor_kind,
           current_setting('idscope.actor_id') AS actor_id, current_setting('idscope.operation') AS operation,
           nullif(current_setting('idscope.client_address', true), '') AS client_address
      FROM idscope.scope
     WHERE id_scope = $1 AND version = $2 AND retired_at IS NULL),
     room AS (
    SELECT (SELECT count(*) FROM idscope.import WHERE id_scope = $1) < $8::bigint AS is_left,
           CASE WHEN $7::bigint > 0 THEN greatest(0, $7 - idscope.counted($1, CASE $4::text WHEN 'registration' THEN 'registrations' ELSE 'enrollments' END)) END AS entries),
     begun AS (
    INSERT INTO idscope.import (id_scope, import_id, kind, whole, dry, room, actor_kind, actor_id, operation, client_address)
    SELECT id_scope, $3, $4, $5, $6, entries, actor_kind, actor_id, operation, client_address
      FROM live, room
     WHERE room.is_left
    RETURNING id_scope, import_id),
     timed AS (
    INSERT INTO idscope.job (id_scope, kind, subject, due_at)
    SELECT b.id_scope, 'import', b.import_id::text, live.due_at FROM begun b, live),
     noted AS (
    SELECT idscope.note('import', id_scope || '/' || import_id::text, jsonb_build_object('change', 'begun')) FROM begun)
SELECT EXISTS (SELECT 1 FROM live) AS live, EXISTS (SELECT 1 FROM noted) AS begun;

-- Rows that were checked and sealed.
-- name: import_enrollment_rows copy
COPY idscope.import_enrollment (id_scope, import_id, line, of_group, registration_key, registration_id, device_id, attestation_type, attestation_sealed,
                                provisioning_status, allocation_policy, iot_hubs, iot_hub_host_name, update_hub_assignment, migrate_device_data,
                                iot_edge, initial_twin, optional_device_information, webhook_sealed, ca_primary, ca_secondary)
FROM STDIN (FORMAT binary);

-- name: import_registration_rows copy
COPY idscope.import_registration (id_scope, import_id, line, registration_key, registration_id, assigned_hub, device_id, enrollment_group, substatus,
                                  created_at, updated_at)
FROM STDIN (FORMAT binary);

-- name: import_refuse
-- $1 ID scope, $2 import, lines with ids, codes and words; $7 how many are kept.
INSERT INTO idscope.import_error (id_scope, import_id, line, id, code, message)
SELECT $1, $2, u.line, u.id, u.code, left(u.message, 400)
  FROM unnest($3::bigint[], $4::text[], $5::int[], $6::text[]) AS u (line, id, code, message)
 LIMIT greatest(0, $7::bigint - (SELECT count(*) FROM idscope.import_error WHERE id_scope = $1 AND import_id = $2));

-- name: import_receive -> import_alive
-- $3 rows came, $4 of them were refused, $5 and were the last: the worker may begin. No row: the import was cancelled, or has not the $6 rows that came
-- before. Since that is asked, no piece but the last has to be on the disk when its transaction ends: what a crash of the server takes is missed.
WITH clock AS (
    SELECT now() AS moment, set_config('synchronous_commit', CASE WHEN $5::boolean THEN current_setting('synchronous_commit') ELSE 'off' END, true) AS flush),
     received AS (
    UPDATE idscope.import i
       SET received = i.received + $3, refused = i.refused + $4, state = CASE WHEN $5 THEN 'running' ELSE i.state END, updated_at = clock.moment
      FROM clock
     WHERE i.id_scope = $1 AND i.import_id = $2 AND i.state = 'receiving' AND i.received = $6 AND clock.flush IS NOT NULL
    RETURNING i.id_scope, i.import_id),
     told AS (
    UPDATE idscope.job j
       SET due_at = clock.moment, fence = j.fence + 1
      FROM clock, received r
     WHERE $5 AND j.id_scope = r.id_scope AND j.kind = 'import' AND j.subject = $2::uuid::text)
SELECT true AS alive FROM received;

-- name: import_find -> import
SELECT import_id, kind, whole, dry, state, received, looked, written, refused, message, created_at, updated_at
  FROM idscope.import
 WHERE id_scope = $1 AND import_id = $2;

-- name: import_errors -> import_error
SELECT line, id, code, message FROM idscope.import_error WHERE id_scope = $1 AND import_id = $2 ORDER BY line LIMIT $3;

-- name: import_cancel -> import_alive as actor
-- What was written stays, and is told by this event.
WITH clock AS (
    SELECT now() AS moment),
     cancelled AS (
    UPDATE idscope.import i
       SET state = 'cancelled', updated_at = clock.moment
      FROM clock
     WHERE i.id_scope = $1 AND i.import_id = $2 AND i.state IN ('receiving', 'running')
    RETURNING i.id_scope, i.import_id, i),
     told AS (
    UPDATE idscope.job j
       SET due_at = clock.moment, fence = j.fence + 1
      FROM clock, cancelled c
     WHERE j.id_scope = c.id_scope AND j.kind = 'import' AND j.subject = $2::uuid::text),
     noted AS (
    SELECT idscope.note('import', id_scope || '/' || import_id::text, idscope.import_told(i, 'cancelled')) FROM cancelled)
SELECT count(*) = 1 AS alive FROM noted;
