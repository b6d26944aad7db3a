-- job.sql: the queue. A job is claimed from one scope at a time (equality on id_scope: what a claim with SKIP LOCKED needs on a distributed
-- table, and what keeps tenants from starving each other). Every change of a claimed job names the fence of its claim; where the fence has
-- risen, somebody else has the job or its cause came anew, and nothing happens.

-- The next scopes behind $2 with living jobs of kind $1, in order, at most $3: with the tenant, whether work is due, and since when. Each costs
-- one look-up in the index of living jobs, however many jobs of a scope back off; who has got $3 rows goes on behind the last of them.
-- name: job_due_scopes
WITH RECURSIVE walk AS (
    (SELECT id_scope, due_at
       FROM idscope.job
      WHERE kind = $1 AND id_scope > $2 AND due_at < 'infinity'
      ORDER BY id_scope, due_at
      LIMIT 1)
    UNION ALL
    SELECT n.id_scope, n.due_at
      FROM walk w
     CROSS JOIN LATERAL (SELECT id_scope, due_at
                           FROM idscope.job
                          WHERE kind = $1 AND id_scope > w.id_scope AND due_at < 'infinity'
                          ORDER BY id_scope, due_at
                          LIMIT 1) n)
SELECT w.id_scope, s.issued_to, w.due_at <= now(), w.due_at
  FROM (SELECT id_scope, due_at FROM walk LIMIT $3) w
  LEFT JOIN idscope.scope s ON s.id_scope = w.id_scope
 ORDER BY w.id_scope;

-- $1 scope, $2 kind, $3 at most, $4 lease in milliseconds. The new fence is the time, so that it never repeats: a job that ended and came
-- anew begins at 0 again, and a worker that outlived its lease must not take the new one for its own.
-- name: job_claim
WITH due AS MATERIALIZED (
        SELECT id_scope, kind, subject, hub
          FROM idscope.job
         WHERE id_scope = $1 AND kind = $2 AND due_at <= now() AND due_at < 'infinity'
         ORDER BY due_at
         LIMIT $3
           FOR UPDATE SKIP LOCKED)
UPDATE idscope.job j
   SET due_at = now() + $4::bigint * interval '1 millisecond', waits_for = NULL,
       fence = greatest(j.fence + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
  FROM due
 WHERE j.id_scope = due.id_scope AND j.kind = due.kind AND j.subject = due.subject AND j.hub = due.hub
RETURNING j.subject, j.hub, j.payload::text AS payload, j.fence, j.attempt;

-- $1 scope, $2 kind, subjects with hubs and fences.
-- name: job_done
WITH u AS MATERIALIZED (
        SELECT $1::text AS id_scope, $2::text AS kind, n.* FROM unnest($3::text[], $4::text[], $5::bigint[]) AS n (subject, hub, fence))
DELETE FROM idscope.job j
 USING u
 WHERE j.id_scope = u.id_scope AND j.kind = u.kind AND j.subject = u.subject AND j.hub = u.hub AND j.fence = u.fence;

-- Gives claimed jobs back: $6 in so many milliseconds (negative: dead, until a person sets it due), $7 whether that counts as a failed
-- attempt, $8 why.
-- name: job_put_back
WITH u AS MATERIALIZED (
        SELECT $1::text AS id_scope, $2::text AS kind, n.*
          FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::text[])
               AS n (subject, hub, fence, delay_ms, failed, error))
UPDATE idscope.job j
   SET due_at = CASE WHEN u.delay_ms < 0 THEN 'infinity' ELSE now() + u.delay_ms * interval '1 millisecond' END,
       attempt = j.attempt + u.failed::int, last_error = coalesce(left(u.error, 300), j.last_error)
  FROM u
 WHERE j.id_scope = u.id_scope AND j.kind = u.kind AND j.subject = u.subject AND j.hub = u.hub AND j.fence = u.fence;

-- Schedules: what is due at links becomes a job, and the link's next turn moves forward. $1 milliseconds to the next turn, $2 at most.
-- name: sweep_link_validate
WITH due AS MATERIALIZED (
        SELECT id_scope, host
          FROM idscope.linked_hub
         WHERE next_check_at <= now()
         ORDER BY next_check_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
), moved AS (
        UPDATE idscope.linked_hub l
           SET next_check_at = now() + $1::bigint * interval '1 millisecond'
          FROM due
         WHERE l.id_scope = due.id_scope AND l.host = due.host)
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT id_scope, 'link_validate', host, now() FROM due ORDER BY id_scope, host
    ON CONFLICT (id_scope, kind, subject, hub) DO NOTHING;

-- Hosts that do not answer are not timed.
-- name: sweep_latency_measure
WITH due AS MATERIALIZED (
        SELECT id_scope, host
          FROM idscope.linked_hub
         WHERE next_latency_at <= now() AND state <> 'unreachable'
         ORDER BY next_latency_at
         LIMIT $2
           FOR UPDATE SKIP LOCKED
), moved AS (
        UPDATE idscope.linked_hub l
           SET next_latency_at = now() + $1::bigint * interval '1 millisecond'
          FROM due
         WHERE l.id_scope = due.id_scope AND l.host = due.host)
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT id_scope, 'latency_measure', host, now() FROM due ORDER BY id_scope, host
    ON CONFLICT (id_scope, kind, subject, hub) DO NOTHING;

-- A retired scope that still has rows.
-- name: sweep_retired_scope
SELECT id_scope FROM idscope.scope WHERE retired_at IS NOT NULL AND purged_at IS NULL ORDER BY id_scope LIMIT 1;

-- Each of the four takes a bounded bite from the lower end: $1 scope, $2 at most.
-- name: sweep_purge_job
WITH dead AS MATERIALIZED (
        SELECT id_scope, kind, subject, hub FROM idscope.job WHERE id_scope = $1 ORDER BY kind, subject, hub LIMIT $2)
DELETE FROM idscope.job j
 USING dead
 WHERE j.id_scope = dead.id_scope AND j.kind = dead.kind AND j.subject = dead.subject AND j.hub = dead.hub;

-- name: sweep_purge_registration
DELETE FROM idscope.registration
 WHERE id_scope = $1
   AND registration_key <= (SELECT max(registration_key)
                              FROM (SELECT registration_key FROM idscope.registration WHERE id_scope = $1 ORDER BY registration_key LIMIT $2) bite);

-- name: sweep_purge_enrollment
DELETE FROM idscope.enrollment
 WHERE id_scope = $1
   AND registration_key <= (SELECT max(registration_key)
                              FROM (SELECT registration_key FROM idscope.enrollment WHERE id_scope = $1 ORDER BY registration_key LIMIT $2) bite);

-- name: sweep_purge_alloc_input
DELETE FROM idscope.alloc_input
 WHERE id_scope = $1
   AND hash <= (SELECT hash FROM (SELECT hash FROM idscope.alloc_input WHERE id_scope = $1 ORDER BY hash LIMIT $2) bite ORDER BY hash DESC LIMIT 1);

-- name: sweep_scope_purged
UPDATE idscope.scope SET purged_at = now() WHERE id_scope = $1 AND retired_at IS NOT NULL;

-- name: sweep_retired_hubs
SELECT idscope.purge_retired_hubs($1);

-- The next scope behind $1 that has stored inputs of choices older than a day.
-- name: sweep_alloc_input_scope
SELECT id_scope
  FROM idscope.alloc_input
 WHERE id_scope > $1 AND created_at < now() - interval '1 day'
 ORDER BY id_scope
 LIMIT 1;

-- Old inputs that no registration names any more: $1 scope, $2 at most. (assign_inputs makes a row that is used again young first.)
-- name: sweep_alloc_input
WITH used AS MATERIALIZED (
        SELECT DISTINCT alloc_input FROM idscope.registration WHERE id_scope = $1 AND alloc_input IS NOT NULL
), old AS MATERIALIZED (
        SELECT id_scope, hash
          FROM idscope.alloc_input
         WHERE id_scope = $1 AND created_at < now() - interval '1 day' AND hash NOT IN (SELECT alloc_input FROM used)
         LIMIT $2)
DELETE FROM idscope.alloc_input i
 USING old
 WHERE i.id_scope = old.id_scope AND i.hash = old.hash AND i.created_at < now() - interval '1 day';

-- Changes of a hub's counts become one row: of the hub behind $1 that has any, at most $2 of them. Answers the hub; no row: there is none.
-- name: sweep_hub_device_count
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

-- Latency figures of hosts that nobody measures any more.
-- name: sweep_latency
DELETE FROM idscope.link_latency WHERE measured_at < now() - interval '7 days';
