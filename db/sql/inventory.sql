-- inventory.sql: what stands on linked hubs and is no registration's, as the worker lists it. A round has a beginning, of which each row that it sees
-- is told; when the hub has shown all, what bears an older one goes. A page that is taken twice changes nothing.
-- Rows of what was found are taken in the order of their keys, here and in assign.sql: who deletes locks them first.

-- Hubs whose turn it is: $1 milliseconds to the next turn, $2 at most.
-- name: inventory_schedule
WITH due AS MATERIALIZED (
        SELECT id_scope, host, now() + $1::bigint * interval '1 millisecond' AS next_at
          FROM idscope.inventory
         WHERE next_at <= now()
         ORDER BY next_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
), moved AS (
        UPDATE idscope.inventory i
           SET next_at = due.next_at
          FROM due
         WHERE i.id_scope = due.id_scope AND i.host = due.host)
INSERT INTO idscope.job (id_scope, kind, subject, hub, due_at)
SELECT id_scope, 'inventory', host, host, now() FROM due ORDER BY id_scope, host
    ON CONFLICT (id_scope, kind, subject, hub) DO NOTHING;

-- The last whole round of hub $2 of scope $1: how many devices it had then (-1: there was none that is younger than $3 milliseconds), and the time now,
-- which a round that begins bears; whether the round $4 (NULL: none) began longer ago than that.
-- name: inventory_find -> inventory
SELECT CASE WHEN taken_at > now() - $3::bigint * interval '1 millisecond' THEN devices ELSE -1 END AS devices, now()::text AS moment,
       coalesce($4::text::timestamptz <= now() - $3::bigint * interval '1 millisecond', false) AS round_is_old
  FROM idscope.inventory
 WHERE id_scope = $1 AND host = $2;

-- A page of hub $2: ids $4, seen in the round $3. Left out is what a registration stands on, or is about to; its key is the device id, or the enrollment
-- that names it; and what is to be taken off the hub. So what is kept is nothing that this instance made, or that it gave back. What was kept before
-- stays until a registration stands on it: that one is about to, or was, makes it nothing of ours.
-- The inventory is held meanwhile, so that nothing is kept of a hub that is linked no more, nor of an instance that was purged.
-- name: inventory_page
INSERT INTO idscope.found_identity AS f (id_scope, device_id, host, seen_at)
SELECT $1, u.device_id, $2, $3::text::timestamptz
  FROM (SELECT host FROM idscope.inventory WHERE id_scope = $1 AND host = $2 LIMIT 1 FOR KEY SHARE) inventory
 CROSS JOIN (SELECT DISTINCT device_id FROM unnest($4::text[]) AS n (device_id)) u
  LEFT JOIN LATERAL (
        SELECT registration_key
          FROM idscope.enrollment
         WHERE id_scope = $1 AND lower(device_id COLLATE "C") = lower(u.device_id COLLATE "C") AND device_id = u.device_id
         LIMIT 1) e ON true
  LEFT JOIN LATERAL (
        SELECT coalesce(device_id = u.device_id AND lower(assigned_hub COLLATE "C") = $2, false) AS stands
          FROM idscope.registration
         WHERE id_scope = $1 AND registration_key = coalesce(e.registration_key, lower(u.device_id COLLATE "C"))
           AND ((device_id = u.device_id AND lower(assigned_hub COLLATE "C") = $2)
             OR (target_device_id = u.device_id AND lower(target_hub COLLATE "C") = $2))
         LIMIT 1) r ON true
  LEFT JOIN LATERAL (
        SELECT subject
          FROM idscope.job
         WHERE id_scope = $1 AND kind = 'hub_remove' AND subject = u.device_id AND hub = $2
         LIMIT 1) removal ON true
  LEFT JOIN LATERAL (
        SELECT device_id
          FROM idscope.found_identity
         WHERE id_scope = $1 AND device_id = u.device_id AND host = $2
         LIMIT 1) kept ON true
 WHERE r.stands IS NOT TRUE AND (kept.device_id IS NOT NULL OR (r.stands IS NULL AND removal.subject IS NULL))
 ORDER BY u.device_id
    ON CONFLICT (id_scope, device_id, host) DO UPDATE
   SET seen_at = greatest(f.seen_at, excluded.seen_at);

-- What hub $2 has no more: rows of it that are older than $3, of the next $5 rows of the scope behind the device id $4. Tells where the next bite begins
-- (NULL: there is none).
-- name: inventory_clear -> came_to
WITH bite AS MATERIALIZED (
        SELECT id_scope, device_id, host, seen_at
          FROM idscope.found_identity
         WHERE id_scope = $1 AND device_id > $4
         ORDER BY device_id
         FETCH FIRST ($5) ROWS WITH TIES
), old AS MATERIALIZED (
        SELECT f.id_scope, f.device_id, f.host, f.seen_at
          FROM bite b
          JOIN idscope.found_identity f ON f.id_scope = ANY (ARRAY[b.id_scope]) AND f.device_id = b.device_id AND f.host = b.host
         WHERE b.host = $2 AND b.seen_at < $3::text::timestamptz AND f.seen_at = b.seen_at
         ORDER BY f.device_id, f.host
           FOR UPDATE OF f
), gone AS (
        DELETE FROM idscope.found_identity f
         USING old o
         WHERE f.id_scope = ANY (ARRAY[o.id_scope]) AND f.device_id = o.device_id AND f.host = o.host AND f.seen_at = o.seen_at)
SELECT CASE WHEN count(*) >= $5 THEN max(device_id) END AS came_to FROM bite;

-- The round $3 of hub $2 is whole; it had $4 devices. The next look is not before rounds take a part of the time alone: $5 times as long as this one
-- lasted, and $6 milliseconds at most.
-- name: inventory_taken
WITH clock AS MATERIALIZED (
        SELECT $3::text::timestamptz AS began, now() + least((now() - $3::text::timestamptz) * $5::bigint, $6::bigint * interval '1 millisecond') AS rested_at)
UPDATE idscope.inventory i
   SET taken_at = clock.began, devices = $4, next_at = greatest(i.next_at, clock.rested_at)
  FROM clock
 WHERE i.id_scope = $1 AND i.host = $2;

-- The hub is linked no more.
-- name: inventory_drop
DELETE FROM idscope.inventory WHERE id_scope = $1 AND host = $2;
