-- challenge.sql: challenges of devices that are handed keys, one row for each device: a nonce that is open, and the one that its last register
-- met. Each statement serves a batch, as those of device.sql do, in the order of keys. Times are the database's.

-- $3 milliseconds that an open one must live, to be told again.
-- name: challenge_look -> challenge_found
SELECT u.n, c.device, CASE WHEN c.open_until > now() THEN c.open_sealed END AS open_sealed,
       coalesce(c.open_until > now() + $3::bigint * interval '1 millisecond', false) AS lasts,
       CASE WHEN c.met_until > now() THEN c.met_sealed END AS met_sealed, c.met_root
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (id_scope, registration_key, n)
 CROSS JOIN LATERAL (
        SELECT device, open_sealed, open_until, met_sealed, met_root, met_until
          FROM idscope.challenge
         WHERE id_scope = u.id_scope AND registration_key = u.registration_key
         LIMIT 1) c;

-- Opens challenges for $6 milliseconds where none is open that lives for $7 more: nobody who asks for one may take another's from it. Those
-- that are answered were opened; who is missing lost against another, or its instance changed.
-- name: challenge_open -> device
WITH fresh AS MATERIALIZED (
        SELECT u.*, now() + $6::bigint * interval '1 millisecond' AS open_until, now() + $7::bigint * interval '1 millisecond' AS least
          FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[])
               AS u (id_scope, registration_key, scope_version, device, sealed)
         CROSS JOIN LATERAL (
                SELECT 1 FROM idscope.scope
                 WHERE id_scope = u.id_scope AND version = u.scope_version AND retired_at IS NULL
                 LIMIT 1) s
), updated AS (
        UPDATE idscope.challenge c
           SET device = u.device, open_sealed = u.sealed, open_until = u.open_until,
               met_sealed = CASE WHEN c.device = u.device THEN c.met_sealed END,
               met_root = CASE WHEN c.device = u.device THEN c.met_root END,
               met_until = CASE WHEN c.device = u.device THEN c.met_until END,
               ends_at = greatest(u.open_until, c.met_until)
          FROM fresh u
         WHERE c.id_scope = ANY (ARRAY[u.id_scope]) AND c.registration_key = u.registration_key
           AND (c.device <> u.device OR c.open_until IS NULL OR c.open_until <= u.least)
        RETURNING c.id_scope, c.registration_key
), inserted AS (
        INSERT INTO idscope.challenge (id_scope, registration_key, device, open_sealed, open_until, ends_at)
        SELECT id_scope, registration_key, device, sealed, open_until, open_until FROM fresh
            ON CONFLICT (id_scope, registration_key) DO NOTHING
        RETURNING id_scope, registration_key
)
SELECT id_scope, registration_key FROM updated
 UNION ALL
SELECT id_scope, registration_key FROM inserted;

-- A nonce is met once: the one that is open becomes the one that polls are checked with, for $5 milliseconds. Who is missing came too late.
-- name: challenge_meet -> device
WITH proof AS MATERIALIZED (
        SELECT u.*, now() AS moment, now() + $5::bigint * interval '1 millisecond' AS met_until
          FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS u (id_scope, registration_key, sealed, root)
)
UPDATE idscope.challenge c
   SET open_sealed = NULL, open_until = NULL, met_sealed = u.sealed, met_root = u.root, met_until = u.met_until, ends_at = u.met_until
  FROM proof u
 WHERE c.id_scope = ANY (ARRAY[u.id_scope]) AND c.registration_key = u.registration_key AND c.open_sealed = u.sealed AND c.open_until > u.moment
RETURNING c.id_scope, c.registration_key;
