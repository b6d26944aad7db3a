-- assign.sql: from `assigning` to a hub. The order is: claim (job_claim), look, choose and store the choice, commit; call the hubs; finish.
-- The first four are one transaction. Rows are written only while they are the ones that were looked at (operation and revision), and
-- a finish deletes its job in the same statement as its effect. Rows are taken in the order of their keys. Scope and kind are columns of
-- the rows that are joined (not constants), so that the one plan there is goes by the whole key, also when it was made for empty tables; `= ANY (ARRAY[…])`
-- is told in device.sql.

-- The scope while it is alive. Asked before the links: a version that is too old makes the next registration choose again, one that is too new
-- would hide a change.
-- name: assign_scope -> assign_scope
SELECT s.inputs_version, i.allocation_policy AS policy, i.existing_device, now()
  FROM idscope.scope s
  JOIN idscope.instance i ON i.id_scope = s.id_scope
 WHERE s.id_scope = $1 AND s.retired_at IS NULL;

-- Whose is the identity? Asked where it is not the registration id of an enrollment, which no other may name. Where does it stand already? Asked for
-- devices that never had a hub.
-- name: assign_look -> assign_found
SELECT u.n, r.registration_id, r.operation_id, r.revision, r.status, r.assigned_hub, r.device_id, r.target_hub, r.target_device_id,
       r.region, r.enrollment_version AS pushed_version, r.enrollment_inputs AS chosen_enrollment_inputs,
       r.scope_inputs AS chosen_scope_inputs, CASE WHEN e.of_group THEN r.derived_from END AS derived_from, r.evidence, e.*, d.initial_twin,
       CASE WHEN e.of_group OR lower(e.wanted_device_id COLLATE "C") <> u.registration_key
            THEN idscope.identity_taken($1, u.registration_key, coalesce(e.wanted_device_id, r.registration_id)) END AS taken_by,
       CASE WHEN r.registration_id IS NOT NULL AND r.assigned_hub IS NULL
            THEN ARRAY(SELECT host
                         FROM idscope.found_identity
                        WHERE id_scope = $1 AND device_id = coalesce(e.wanted_device_id, r.registration_id)
                        ORDER BY host) END AS stands_on
  FROM unnest($2::text[]) WITH ORDINALITY AS u (registration_key, n)
  LEFT JOIN LATERAL (
        SELECT registration_id, operation_id, revision, status, assigned_hub, device_id, target_hub, target_device_id, region,
               enrollment_group, derived_from, enrollment_version, enrollment_inputs, scope_inputs, evidence
          FROM idscope.registration
         WHERE id_scope = $1 AND registration_key = u.registration_key
         LIMIT 1) r ON true
  LEFT JOIN LATERAL idscope.enrolled($1, u.registration_key, lower(r.enrollment_group)) e ON true
  LEFT JOIN LATERAL (SELECT initial_twin FROM idscope.enrollment_detail WHERE id_scope = e.id_scope AND of_group = e.of_group AND registration_key = e.key LIMIT 1) d ON true;

-- Stored inputs that are $3 milliseconds old and used again are made young, so that the sweep leaves them alone.
-- name: assign_inputs_renew
DELETE FROM idscope.alloc_input
 WHERE id_scope = $1 AND hash = ANY ($2::bytea[]) AND created_at < now() - $3::bigint * interval '1 millisecond';

-- name: assign_inputs
INSERT INTO idscope.alloc_input (id_scope, hash, input)
SELECT $1, u.hash, u.input
  FROM unnest($2::bytea[], $3::text[]) AS u (hash, input)
 ORDER BY u.hash
    ON CONFLICT (id_scope, hash) DO NOTHING;

-- Stores the choice: $1 scope, then per row: key, operation, revision, target hub and device id, hash of the inputs (NULL: those of before),
-- versions of the inputs; $11 and $12 hub and device id of an earlier target that is to be removed, or NULL; $10 milliseconds until such a
-- removal may run: no worker that still believes in the earlier target has its lease by then.
-- Not written, and not answered, are rows that changed since they were looked at, and rows whose identity a removal may be deleting
-- at this moment: a removal that was claimed once must be over before the identity is made again. One that never ran (fence 0) is taken back.
-- Where a device that had a hub is to move, it takes what stands there: that is not kept as found any more, or what is made there now would be left.
-- name: assign_choose -> registration_key
WITH wanted AS MATERIALIZED (
        SELECT $1::text AS id_scope, 'hub_remove'::text AS removal_kind, u.*, lower(u.target_hub COLLATE "C") AS target_host,
               standing.subject IS NOT NULL AS removal_stands
          FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bytea[], $8::bigint[], $9::bigint[],
                      $11::text[], $12::text[])
               AS u (registration_key, operation_id, revision, target_hub, target_device_id, alloc_input, scope_inputs, enrollment_inputs,
                     earlier_hub, earlier_device_id)
          LEFT JOIN LATERAL (
                SELECT subject
                  FROM idscope.job
                 WHERE id_scope = $1 AND kind = 'hub_remove' AND subject = u.target_device_id AND hub = lower(u.target_hub COLLATE "C")
                 LIMIT 1) standing ON true
), taken_back AS (
        DELETE FROM idscope.job j
         USING wanted u
         WHERE u.removal_stands AND j.id_scope = ANY (ARRAY[u.id_scope]) AND j.kind = u.removal_kind AND j.subject = u.target_device_id
           AND j.hub = u.target_host AND (j.fence = 0 OR j.due_at = 'infinity')
        RETURNING j.subject, j.hub
), chosen AS (
        UPDATE idscope.registration r
           SET target_hub = u.target_hub, target_device_id = u.target_device_id, waiting_for = NULL,
               alloc_input = coalesce(u.alloc_input, r.alloc_input), scope_inputs = u.scope_inputs, enrollment_inputs = u.enrollment_inputs
          FROM wanted u
         WHERE r.id_scope = ANY (ARRAY[u.id_scope]) AND r.registration_key = u.registration_key AND r.operation_id = u.operation_id
           AND r.revision = u.revision AND r.status = 'assigning'
           AND (NOT u.removal_stands OR (u.target_device_id, u.target_host) IN (SELECT subject, hub FROM taken_back))
        RETURNING r.id_scope, r.registration_key, u.earlier_hub, u.earlier_device_id, u.target_host, u.target_device_id, r.assigned_hub
), taken_over AS MATERIALIZED (
        SELECT f.id_scope, f.device_id, f.host
          FROM chosen
          JOIN idscope.found_identity f
            ON f.id_scope = ANY (ARRAY[chosen.id_scope]) AND f.device_id = chosen.target_device_id AND f.host = chosen.target_host
         WHERE chosen.assigned_hub IS NOT NULL
         ORDER BY f.device_id, f.host
           FOR UPDATE OF f
), lost AS (
        DELETE FROM idscope.found_identity f
         USING taken_over t
         WHERE f.id_scope = ANY (ARRAY[t.id_scope]) AND f.device_id = t.device_id AND f.host = t.host
), removed AS (
        INSERT INTO idscope.job AS j (id_scope, kind, subject, hub, payload, due_at)
        SELECT $1, 'hub_remove', earlier_device_id, lower(earlier_hub COLLATE "C"), jsonb_agg(registration_key),
               now() + $10::bigint * interval '1 millisecond'
          FROM chosen
         WHERE earlier_hub IS NOT NULL
         GROUP BY 3, 4
         ORDER BY 3, 4
            ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE
           SET due_at = excluded.due_at, fence = j.fence + (j.fence > 0)::int, attempt = 0,
               payload = idscope.keys_joined(j.payload, excluded.payload))
SELECT registration_key FROM chosen;

-- Stays assigning: $1 scope, then per row: key, fence, milliseconds, whether it counts as an attempt, what it waits for (for people), hash
-- of the inputs by which no hub could be chosen (NULL: there was no new choice), whether the identity that it was to adopt is not there (then nothing
-- is to be done at that target, and it is looked for no more). $9 and $10: keys with the hubs whose return ends their wait.
-- name: assign_wait
WITH u AS MATERIALIZED (
        SELECT $1::text AS id_scope, 'assign'::text AS kind, n.*, now() + n.delay_ms * interval '1 millisecond' AS due_at
          FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::boolean[], $6::text[], $7::bytea[], $8::boolean[])
               AS n (subject, fence, delay_ms, failed, waiting_for, alloc_input, missing)
), back AS (
        UPDATE idscope.job j
           SET due_at = u.due_at, attempt = j.attempt + u.failed::int,
               last_error = coalesce(left(u.waiting_for, 300), j.last_error),
               waits_for = (SELECT array_agg(w.host) FROM unnest($9::text[], $10::text[]) AS w (subject, host) WHERE w.subject = u.subject)
          FROM u
         WHERE j.id_scope = ANY (ARRAY[u.id_scope]) AND j.kind = u.kind AND j.subject = u.subject AND j.fence = u.fence
        RETURNING j.id_scope, j.subject, u.waiting_for, u.alloc_input, u.missing
), missing AS MATERIALIZED (
        SELECT f.id_scope, f.device_id, f.host
          FROM back
          JOIN idscope.registration r ON r.id_scope = ANY (ARRAY[back.id_scope]) AND r.registration_key = back.subject
          JOIN idscope.found_identity f
            ON f.id_scope = ANY (ARRAY[r.id_scope]) AND f.device_id = r.target_device_id AND f.host = lower(r.target_hub COLLATE "C")
         WHERE back.missing
         ORDER BY f.device_id, f.host
           FOR UPDATE OF f
), forgotten AS (
        DELETE FROM idscope.found_identity f
         USING missing m
         WHERE f.id_scope = ANY (ARRAY[m.id_scope]) AND f.device_id = m.device_id AND f.host = m.host)
UPDATE idscope.registration r
   SET waiting_for = back.waiting_for, alloc_input = coalesce(back.alloc_input, r.alloc_input),
       target_hub = CASE WHEN NOT back.missing THEN r.target_hub END, target_device_id = CASE WHEN NOT back.missing THEN r.target_device_id END
  FROM back
 WHERE r.id_scope = ANY (ARRAY[back.id_scope]) AND r.registration_key = back.subject AND r.status = 'assigning'
   AND (back.missing OR (back.waiting_for IS NOT NULL
   AND (r.waiting_for IS DISTINCT FROM back.waiting_for OR r.alloc_input IS DISTINCT FROM coalesce(back.alloc_input, r.alloc_input))));

-- Ends assignments: $1 scope, then per row: key, fence, operation, revision, status (`assigned`, `failed`, `disabled`; NULL: the job had nothing to
-- do), hub and device id, enrollment version that the hub confirmed (0: the hub was not asked), error code (0: none) and message, whether data
-- moves with the device, hash of the inputs by which no hub could be chosen (NULL: those of before stay); $14 and $15 hub and device id that
-- are left behind, $16 and $17 those of the target, to be removed when the registration is no longer the one that it was made for; $18
-- whether the hub is to be chosen anew the next time, $19 whether the identity stood there; $20 milliseconds until removals of targets may run.
-- What a device that had a hub leaves behind there goes, also when it was found there once.
-- name: assign_finish -> registration_key
WITH u AS MATERIALIZED (
        SELECT $1::text AS id_scope, 'assign'::text AS kind, n.*, now() AS moment
          FROM unnest($2::text[], $3::bigint[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::int[],
                      $11::text[], $12::boolean[], $13::bytea[], $14::text[], $15::text[], $16::text[], $17::text[], $18::boolean[], $19::boolean[])
               AS n (registration_key, fence, operation_id, revision, status, hub, device_id, pushed_version, error_code, error_message,
                     migrate, alloc_input, left_hub, left_device_id, orphan_hub, orphan_device_id, again, adopted)
), mine AS (
        DELETE FROM idscope.job j
         USING u
         WHERE j.id_scope = ANY (ARRAY[u.id_scope]) AND j.kind = u.kind AND j.subject = u.registration_key AND j.fence = u.fence
        RETURNING u.*
), written AS (
        UPDATE idscope.registration r
           SET status = u.status, revision = r.revision + 1, updated_at = u.moment,
               substatus = CASE WHEN u.status <> 'assigned' THEN NULL
                                WHEN r.assigned_hub IS NULL THEN 'initialAssignment'
                                WHEN lower(r.assigned_hub COLLATE "C") = lower(u.hub COLLATE "C") THEN 'reprovisionedToInitialAssignment'
                                WHEN u.migrate THEN 'deviceDataMigrated'
                                ELSE 'deviceDataReset' END,
               assigned_hub = CASE WHEN u.status = 'assigned' THEN u.hub ELSE r.assigned_hub END,
               device_id = CASE WHEN u.status = 'assigned' THEN u.device_id ELSE r.device_id END,
               target_hub = NULL, target_device_id = NULL, waiting_for = NULL,
               error_code = nullif(u.error_code, 0), error_message = u.error_message,
               checked_at = CASE WHEN u.pushed_version > 0 THEN u.moment ELSE r.checked_at END,
               enrollment_version = CASE WHEN u.pushed_version > 0 THEN u.pushed_version ELSE r.enrollment_version END,
               alloc_input = coalesce(u.alloc_input, r.alloc_input),
               scope_inputs = CASE WHEN u.status = 'assigned' AND NOT u.again THEN r.scope_inputs END
          FROM mine u
         WHERE r.id_scope = ANY (ARRAY[u.id_scope]) AND r.registration_key = u.registration_key AND r.operation_id = u.operation_id
           AND r.revision = u.revision AND r.status = 'assigning' AND u.status IS NOT NULL
        RETURNING r.registration_key
), leaving AS (
        SELECT left_device_id AS device_id, left_hub AS hub, registration_key, now() AS due_at
          FROM mine
         WHERE left_hub IS NOT NULL AND registration_key IN (SELECT registration_key FROM written)
         UNION ALL
        SELECT orphan_device_id, orphan_hub, registration_key, now() + $20::bigint * interval '1 millisecond'
          FROM mine
         WHERE orphan_hub IS NOT NULL AND registration_key NOT IN (SELECT registration_key FROM written)
), removed AS (
        INSERT INTO idscope.job AS j (id_scope, kind, subject, hub, payload, due_at)
        SELECT $1, 'hub_remove', device_id, lower(hub COLLATE "C"), jsonb_agg(registration_key), max(due_at)
          FROM leaving
         GROUP BY 3, 4
         ORDER BY 3, 4
            ON CONFLICT (id_scope, kind, subject, hub) DO UPDATE
           SET due_at = excluded.due_at, fence = j.fence + (j.fence > 0)::int, attempt = 0,
               payload = idscope.keys_joined(j.payload, excluded.payload)
), left_there AS MATERIALIZED (
        SELECT f.id_scope, f.device_id, f.host
          FROM mine
          JOIN idscope.found_identity f
            ON f.id_scope = ANY (ARRAY[mine.id_scope]) AND f.device_id = mine.left_device_id AND f.host = lower(mine.left_hub COLLATE "C")
         WHERE mine.left_hub IS NOT NULL AND mine.status = 'assigned' AND NOT mine.again AND mine.registration_key IN (SELECT registration_key FROM written)
         ORDER BY f.device_id, f.host
           FOR UPDATE OF f
), lost AS (
        DELETE FROM idscope.found_identity f
         USING left_there l
         WHERE f.id_scope = ANY (ARRAY[l.id_scope]) AND f.device_id = l.device_id AND f.host = l.host
), noted AS (
        SELECT idscope.note_adopted(id_scope, registration_key, jsonb_strip_nulls(jsonb_build_object('hub', hub, 'deviceId', device_id,
                   'alsoOn', (SELECT array_agg(f.host ORDER BY f.host) FROM idscope.found_identity f
                               WHERE f.id_scope = mine.id_scope AND f.device_id = mine.device_id AND f.host <> lower(mine.hub COLLATE "C")))))
          FROM mine
         WHERE adopted AND status = 'assigned' AND registration_key IN (SELECT registration_key FROM written))
SELECT registration_key FROM written WHERE (SELECT count(*) FROM noted) >= 0;

-- May the identity not be taken off: does a registration still stand on it, or did it stand there before one was about to? $1 scope, $2 keys of the registrations that may, $3 host in lower case, $4 device id.
-- name: remove_is_named -> yes_or_no
SELECT EXISTS (
        SELECT 1
          FROM unnest($2::text[]) AS u (registration_key)
         CROSS JOIN LATERAL (
                SELECT lower(assigned_hub COLLATE "C") AS assigned, device_id, lower(target_hub COLLATE "C") AS target, target_device_id
                  FROM idscope.registration
                 WHERE id_scope = $1 AND registration_key = u.registration_key
                 LIMIT 1) r
         WHERE (r.assigned = $3 AND r.device_id = $4) OR (r.target = $3 AND r.target_device_id = $4))
    OR EXISTS (
        SELECT 1
          FROM idscope.found_identity
         WHERE id_scope = $1 AND device_id = $4 AND host = $3) AS yes;
