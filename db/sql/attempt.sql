-- attempt.sql: the log of refused attempts: bounded rings of slots, written by the api beside the work of devices, read by tenants. It
-- belongs to no change of anybody, so nothing is noted.

-- Writes attempts into their rings, over the oldest ones. $1 ID scopes, $2 is the id enrolled, $3 times, $4 tracking ids, $5 and $6 registration keys
-- and ids, $7 error codes, $8 reasons, $9 addresses, $10 slots of a ring. Rings are taken in the order of their keys, so that two writers never wait for
-- each other in a ring.
-- name: attempt_write
WITH refused AS MATERIALIZED (
    SELECT u.*, row_number() OVER (PARTITION BY u.id_scope, u.enrolled ORDER BY u.n DESC) AS from_last
      FROM unnest($1::text[], $2::boolean[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[]) WITH ORDINALITY
           AS u (id_scope, enrolled, at, tracking_id, registration_key, registration_id, error_code, reason, address, n)
     CROSS JOIN LATERAL (SELECT 1 FROM idscope.scope WHERE id_scope = u.id_scope AND retired_at IS NULL LIMIT 1) s),
     ring AS (
    INSERT INTO idscope.attempt_ring AS r (id_scope, enrolled, written)
    SELECT id_scope, enrolled, count(*) FROM refused GROUP BY id_scope, enrolled ORDER BY id_scope, enrolled
        ON CONFLICT (id_scope, enrolled) DO UPDATE SET written = r.written + excluded.written
    RETURNING id_scope, enrolled, written)
INSERT INTO idscope.attempt (id_scope, enrolled, slot, at, tracking_id, registration_key, registration_id, error_code, reason, address)
SELECT id_scope, enrolled, (written - from_last) % $10::bigint, at, tracking_id, registration_key, registration_id, error_code, reason, address
  FROM refused JOIN ring USING (id_scope, enrolled)
 WHERE from_last <= $10::bigint
    ON CONFLICT (id_scope, enrolled, slot) DO UPDATE
   SET at = excluded.at, tracking_id = excluded.tracking_id, registration_key = excluded.registration_key,
       registration_id = excluded.registration_id, error_code = excluded.error_code, reason = excluded.reason, address = excluded.address;

-- The enrollment of an id and those on either side of it in the order of ids, which begin alike: $1 ID scope, $2 registration key, $3 how many on a side.
-- name: enrollment_near -> enrollment_near
SELECT id_scope, registration_key AS key, of_group, registration_id, attestation_type, attestation_sealed, enabled
  FROM ((SELECT * FROM idscope.enrollment WHERE id_scope = $1 AND NOT of_group AND registration_key <= $2 ORDER BY registration_key DESC LIMIT $3::bigint + 1)
        UNION ALL
        (SELECT * FROM idscope.enrollment WHERE id_scope = $1 AND NOT of_group AND registration_key > $2 ORDER BY registration_key LIMIT $3::bigint)) e;

-- Ids that have registered, on either side of one in the order of ids: $1 ID scope, $2 registration key, $3 how many on a side.
-- name: registration_near -> registrations_near
SELECT array(SELECT registration_id
               FROM ((SELECT registration_id FROM idscope.registration WHERE id_scope = $1 AND registration_key < $2 ORDER BY registration_key DESC LIMIT $3::bigint)
                     UNION ALL
                     (SELECT registration_id FROM idscope.registration WHERE id_scope = $1 AND registration_key > $2 ORDER BY registration_key LIMIT $3::bigint)) r) AS ids;

-- A page, newest first: $1 ID scope, $2 registration key and $3 tracking id (NULL: any), from $4 on and before $5, behind the attempt of time $6 and
-- tracking id $7 (NULL: from the first), $8 at most. All of a scope are looked at: they are few.
-- name: attempt_list -> attempt
SELECT enrolled, at, tracking_id, registration_id, error_code, reason, address
  FROM idscope.attempt
 WHERE id_scope = $1 AND ($2::text IS NULL OR registration_key = $2) AND ($3::uuid IS NULL OR tracking_id = $3)
   AND at >= $4::timestamptz AND at < $5::timestamptz
   AND ($7::uuid IS NULL OR (at, tracking_id) < ($6::timestamptz, $7::uuid))
 ORDER BY at DESC, tracking_id DESC
 LIMIT $8::bigint;
