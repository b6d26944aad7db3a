-- sweep.sql: what is due by the calendar: turns of links that become jobs, and what is dead and goes. Every statement is a bounded bite, whatever
-- the tables hold; who is told that there was one asks for the next.

-- Schedules: what is due at links becomes a job, and the link's next turn moves forward. $1 milliseconds to the next turn, $2 at most.
-- name: sweep_link_validate
WITH due AS MATERIALIZED (
        SELECT id_scope, host, now() + $1::bigint * interval '1 millisecond' AS next_at
          FROM idscope.linked_hub
         WHERE next_check_at <= now()
         ORDER BY next_check_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
), moved AS (
        UPDATE idscope.linked_hub l
           SET next_check_at = due.next_at
          FROM due
         WHERE l.id_scope = due.id_scope AND l.host = due.host)
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT id_scope, 'link_validate', host, now() FROM due ORDER BY id_scope, host
    ON CONFLICT (id_scope, kind, subject, hub) DO NOTHING;

-- Hosts that do not answer are not timed.
-- name: sweep_latency_measure
WITH due AS MATERIALIZED (
        SELECT id_scope, host, now() + $1::bigint * interval '1 millisecond' AS next_at
          FROM idscope.linked_hub
         WHERE next_latency_at <= now() AND state <> 'unreachable'
         ORDER BY next_latency_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
), moved AS (
        UPDATE idscope.linked_hub l
           SET next_latency_at = due.next_at
          FROM due
         WHERE l.id_scope = due.id_scope AND l.host = due.host)
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT id_scope, 'latency_measure', host, now() FROM due ORDER BY id_scope, host
    ON CONFLICT (id_scope, kind, subject, hub) DO NOTHING;

-- Outside issuers whose keys are due.
-- name: sweep_issuers
WITH due AS MATERIALIZED (
        SELECT issuer, now() AS moment, now() + $1::bigint * interval '1 millisecond' AS next_at
          FROM idscope.trusted_issuer
         WHERE next_fetch_at <= now()
         ORDER BY next_fetch_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
), moved AS (
        UPDATE idscope.trusted_issuer i
           SET asked_at = due.moment, next_fetch_at = due.next_at
          FROM due
         WHERE i.issuer = due.issuer)
INSERT INTO idscope.tenant_job (tenant_id, kind, subject, due_at)
SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'issuer_fetch', issuer, now() FROM due ORDER BY issuer
    ON CONFLICT (tenant_id, kind, subject, hub) DO NOTHING;

-- Bites out of what deleted instances and deleted hubs left behind, at most $1 rows of a table.
-- name: sweep_retired_scopes -> gone
SELECT idscope.purge_retired_scopes($1) AS gone;

-- name: sweep_retired_hubs -> gone
SELECT idscope.purge_retired_hubs($1) AS gone;

-- Stored inputs that no registration names any more go in rounds over the scopes that have old ones. No index leads from an input to its
-- registrations (it would make every assignment dearer), so a round walks the registrations of a scope and marks what they name.

-- The next scope behind $1 that has inputs older than $3 milliseconds; or the last one that was looked at, when $2 were: each is one look-up.
-- name: sweep_inputs_scope -> inputs_scope
WITH RECURSIVE walk AS (
    (SELECT id_scope, created_at, 1 AS n FROM idscope.alloc_input WHERE id_scope > $1 ORDER BY id_scope, created_at LIMIT 1)
    UNION ALL
    SELECT next.id_scope, next.created_at, w.n + 1
      FROM walk w
     CROSS JOIN LATERAL (
            SELECT id_scope, created_at FROM idscope.alloc_input WHERE id_scope > w.id_scope ORDER BY id_scope, created_at LIMIT 1) next
     WHERE w.created_at >= now() - $3::bigint * interval '1 millisecond' AND w.n < $2)
SELECT id_scope, created_at < now() - $3 * interval '1 millisecond' AS old, now()::text AS began FROM walk ORDER BY id_scope DESC LIMIT 1;

-- Marks the inputs that the next $3 registrations of scope $1 behind key $2 name, as of the round that began at $4; answers how far it came
-- (NULL: there were none).
-- name: sweep_inputs_mark -> came_to
WITH bite AS MATERIALIZED (
        SELECT registration_key, alloc_input
          FROM idscope.registration
         WHERE id_scope = $1 AND registration_key > $2
         ORDER BY registration_key
         LIMIT $3
), named AS MATERIALIZED (
        SELECT DISTINCT $1::text AS id_scope, alloc_input FROM bite WHERE alloc_input IS NOT NULL
), marked AS (
        UPDATE idscope.alloc_input i
           SET named_at = $4::text::timestamptz
          FROM named n
         WHERE i.id_scope = n.id_scope AND i.hash = n.alloc_input AND i.named_at IS DISTINCT FROM $4::text::timestamptz)
SELECT max(registration_key) AS came_to FROM bite;

-- Ends a round over scope $1 that began at $2: what was $4 milliseconds old then and was named by nobody goes, at most $3. (Who began to name it
-- since has made it young: assign_inputs_renew.)
-- name: sweep_inputs_clear
WITH dead AS MATERIALIZED (
        SELECT id_scope, hash
          FROM idscope.alloc_input
         WHERE id_scope = $1 AND created_at < $2::text::timestamptz - $4::bigint * interval '1 millisecond' AND named_at IS DISTINCT FROM $2::text::timestamptz
         LIMIT $3)
DELETE FROM idscope.alloc_input i
 USING dead
 WHERE i.id_scope = dead.id_scope AND i.hash = dead.hash AND i.created_at < $2::text::timestamptz - $4 * interval '1 millisecond';

-- Changes of a hub's counts become one row: of the hub behind $1 that has any, at most $2 of them. Answers the hub; no row: there is none.
-- name: sweep_hub_device_count -> hub_id
WITH next AS MATERIALIZED (
        SELECT hub_id FROM idscope.hub_device_count WHERE n > 0 AND hub_id > $1 ORDER BY hub_id LIMIT 1
), bite AS MATERIALIZED (
        SELECT c.hub_id, c.n
          FROM idscope.hub_device_count c
          JOIN next ON next.hub_id = c.hub_id
         WHERE c.n > 0
         LIMIT $2
           FOR UPDATE OF c SKIP LOCKED
), gone AS (
        DELETE FROM idscope.hub_device_count c
         USING bite
         WHERE c.hub_id = bite.hub_id AND c.n = bite.n
        RETURNING c.hub_id, c.devices, c.enabled
), folded AS (
        INSERT INTO idscope.hub_device_count AS c (hub_id, n, devices, enabled)
        SELECT hub_id, 0, sum(devices), sum(enabled) FROM gone GROUP BY hub_id
            ON CONFLICT (hub_id, n) DO UPDATE SET devices = c.devices + excluded.devices, enabled = c.enabled + excluded.enabled)
SELECT hub_id FROM next;

-- Names that have rested for $2 milliseconds, at most $1.
-- name: sweep_name_rests
DELETE FROM idscope.name_rest
 WHERE (kind, name_key) IN (SELECT kind, name_key FROM idscope.name_rest WHERE since <= now() - $2::bigint * interval '1 millisecond' ORDER BY since LIMIT $1);

-- Latency figures of hosts that nobody has measured for $2 milliseconds, at most $1.
-- name: sweep_latencies
WITH dead AS MATERIALIZED (
        SELECT region, host FROM idscope.link_latency WHERE measured_at < now() - $2::bigint * interval '1 millisecond' ORDER BY measured_at LIMIT $1)
DELETE FROM idscope.link_latency l
 USING dead
 WHERE l.region = dead.region AND l.host = dead.host AND l.measured_at < now() - $2 * interval '1 millisecond';

-- Challenges that are over, at most $1.
-- name: sweep_challenges
WITH dead AS MATERIALIZED (
        SELECT id_scope, registration_key FROM idscope.challenge WHERE ends_at < now() ORDER BY ends_at LIMIT $1)
DELETE FROM idscope.challenge c
 USING dead
 WHERE c.id_scope = dead.id_scope AND c.registration_key = dead.registration_key AND c.ends_at < now();

-- $1 kinds of which there is to be a job, for ever. The deployment is the last of all tenants: the one of ones.
-- name: sweep_begin
INSERT INTO idscope.tenant_job (tenant_id, kind, subject, due_at)
SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', kind, kind, now() FROM unnest($1::text[]) AS u (kind) ORDER BY kind
    ON CONFLICT (tenant_id, kind, subject, hub) DO NOTHING;

-- Counts the next $1 rows of the deployment for the round $2 that runs: registrations, or enrollments. Behind the last one that round is whole and the next
-- one begins. One statement, so that no row counts twice, whoever dies. Answers whether the round goes on; no row: nobody counts yet.
-- name: sweep_count -> count_more
WITH at AS MATERIALIZED (
        SELECT name, round, at_scope, at_group, at_key, begun_at, now() AS moment FROM idscope.count_round WHERE name = $2 FOR UPDATE
), bite AS MATERIALIZED (
        (SELECT id_scope, false AS of_group, registration_key, 'registrations' AS list, ARRAY['', 'status', 'assignedHub', 'enrollmentGroupId'] AS members,
                ARRAY['', status, lower(assigned_hub), lower(enrollment_group)] COLLATE "C" AS values
           FROM idscope.registration
          WHERE $2 = 'registrations' AND (id_scope, registration_key) > ((SELECT at_scope FROM at), (SELECT at_key FROM at))
          ORDER BY id_scope, registration_key
          LIMIT $1)
        UNION ALL
        (SELECT id_scope, of_group, registration_key, CASE WHEN of_group THEN 'enrollmentGroups' ELSE 'enrollments' END,
                ARRAY['', 'provisioningStatus', 'attestationType', 'allocationPolicy', 'iotHub'] || array_fill('iotHub'::text, ARRAY[coalesce(cardinality(iot_hubs), 0)]),
                ARRAY['', CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END, attestation_type, allocation_policy, lower(iot_hub_host_name)] COLLATE "C" || lower(iot_hubs::text)::text[]
           FROM idscope.enrollment
          WHERE $2 = 'enrollments' AND (id_scope, of_group, registration_key) > ((SELECT at_scope FROM at), (SELECT at_group FROM at), (SELECT at_key FROM at))
          ORDER BY id_scope, of_group, registration_key
          LIMIT $1)
), last AS (
        SELECT id_scope, of_group, registration_key FROM bite ORDER BY id_scope DESC, of_group DESC, registration_key DESC LIMIT 1
), kinds AS (
        SELECT id_scope, list, members, values, count(*) AS n FROM bite GROUP BY id_scope, list, members, values
), sums AS (
        SELECT k.id_scope, k.list, v.member, v.value, sum(k.n) AS n
          FROM kinds k
         CROSS JOIN LATERAL (SELECT DISTINCT member, value FROM unnest(k.members, k.values) AS u (member, value) WHERE value IS NOT NULL) v
         GROUP BY k.id_scope, k.list, v.member, v.value
), counted AS (
        INSERT INTO idscope.list_count AS c (id_scope, list, member, value, even_round, even_count, odd_round, odd_count)
        SELECT s.id_scope, s.list, s.member, s.value, CASE WHEN at.round % 2 = 0 THEN at.round ELSE 0 END, CASE WHEN at.round % 2 = 0 THEN s.n ELSE 0 END,
               CASE WHEN at.round % 2 = 1 THEN at.round ELSE 0 END, CASE WHEN at.round % 2 = 1 THEN s.n ELSE 0 END
          FROM sums s, at
            ON CONFLICT (id_scope, list, member, value) DO UPDATE
           SET even_round = greatest(c.even_round, excluded.even_round), odd_round = greatest(c.odd_round, excluded.odd_round),
               even_count = excluded.even_count + CASE WHEN excluded.even_round IN (0, c.even_round) THEN c.even_count ELSE 0 END,
               odd_count = excluded.odd_count + CASE WHEN excluded.odd_round IN (0, c.odd_round) THEN c.odd_count ELSE 0 END
)
UPDATE idscope.count_round r
   SET round = at.round + CASE WHEN last.id_scope IS NULL THEN 1 ELSE 0 END, at_scope = coalesce(last.id_scope, ''), at_group = coalesce(last.of_group, false),
       at_key = coalesce(last.registration_key, ''), begun_at = CASE WHEN last.id_scope IS NULL THEN at.moment ELSE at.begun_at END,
       counted_at = CASE WHEN last.id_scope IS NULL THEN at.begun_at ELSE r.counted_at END
  FROM at LEFT JOIN last ON true
 WHERE r.name = at.name
RETURNING r.at_scope <> '' AS more;

-- name: sweep_count_begin
INSERT INTO idscope.count_round (name) VALUES ($1) ON CONFLICT (name) DO NOTHING;
