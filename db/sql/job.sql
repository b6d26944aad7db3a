-- job.sql: the queue. A job is claimed from one scope at a time (equality on id_scope: what a claim with SKIP LOCKED needs on a distributed
-- table, and what keeps tenants from starving each other). Every change of a claimed job names the fence of its claim; where the fence has
-- risen, somebody else has the job or its cause came anew, and nothing happens (`= ANY (ARRAY[…])`: device.sql). tenant_job.sql is made from this file (make tenant-jobs).

-- The next scopes behind $2 with living jobs of kind $1, in order, at most $3: with the tenant, whether work is due, and since when. Each costs
-- one look-up in the index of living jobs, however many jobs of a scope back off; who has got $3 rows goes on behind the last of them. Work of a
-- deleted instance is never due: it stands until that is undeleted or purged.
-- name: job_due_scopes -> due_scope
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
SELECT w.id_scope, s.issued_to AS tenant, w.due_at <= now() AND s.retired_at IS NULL AS due, w.due_at
  FROM (SELECT id_scope, due_at FROM walk LIMIT $3) w
  LEFT JOIN LATERAL (SELECT issued_to, retired_at FROM idscope.scope WHERE id_scope = w.id_scope LIMIT 1) s ON true
 ORDER BY w.id_scope;

-- $1 scope, $2 kind, $3 at most, $4 lease in milliseconds. The new fence is the time, so that it never repeats: a job that ended and came
-- anew begins at 0 again, and a worker that outlived its lease must not take the new one for its own.
-- name: job_claim -> job
WITH due AS MATERIALIZED (
        SELECT id_scope, kind, subject, hub, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS moment,
               now() + $4::bigint * interval '1 millisecond' AS lease_end
          FROM idscope.job
         WHERE id_scope = $1 AND kind = $2 AND due_at <= now() AND due_at < 'infinity'
         ORDER BY due_at
         LIMIT $3
           FOR UPDATE SKIP LOCKED)
UPDATE idscope.job j
   SET due_at = due.lease_end, waits_for = NULL, fence = greatest(j.fence + 1, due.moment)
  FROM due
 WHERE j.id_scope = ANY (ARRAY[due.id_scope]) AND j.kind = due.kind AND j.subject = due.subject AND j.hub = due.hub
RETURNING j.subject, j.hub, j.payload::text AS payload, j.fence, j.attempt;

-- $1 scope, $2 kind, subjects with hubs and fences.
-- name: job_done
WITH u AS MATERIALIZED (
        SELECT $1::text AS id_scope, $2::text AS kind, n.* FROM unnest($3::text[], $4::text[], $5::bigint[]) AS n (subject, hub, fence))
DELETE FROM idscope.job j
 USING u
 WHERE j.id_scope = ANY (ARRAY[u.id_scope]) AND j.kind = u.kind AND j.subject = u.subject AND j.hub = u.hub AND j.fence = u.fence;

-- Gives claimed jobs back: $6 in so many milliseconds (negative: dead, until a person sets it due), $7 whether that counts as a failed
-- attempt, $8 why.
-- name: job_put_back
WITH u AS MATERIALIZED (
        SELECT $1::text AS id_scope, $2::text AS kind, n.*,
               CASE WHEN n.delay_ms < 0 THEN 'infinity' ELSE now() + n.delay_ms * interval '1 millisecond' END AS due_at
          FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::text[])
               AS n (subject, hub, fence, delay_ms, failed, error))
UPDATE idscope.job j
   SET due_at = u.due_at, attempt = j.attempt + u.failed::int, last_error = coalesce(left(u.error, 300), j.last_error)
  FROM u
 WHERE j.id_scope = ANY (ARRAY[u.id_scope]) AND j.kind = u.kind AND j.subject = u.subject AND j.hub = u.hub AND j.fence = u.fence;

-- Gives back a claimed job that went well and has more to do: $3 subject, $4 hub, $5 fence, due in $6 milliseconds, $7 how far it has come.
-- name: job_go_on
WITH clock AS MATERIALIZED (
        SELECT now() + $6::bigint * interval '1 millisecond' AS due_at)
UPDATE idscope.job j
   SET due_at = clock.due_at, attempt = 0, last_error = NULL, payload = $7::text::jsonb
  FROM clock
 WHERE j.id_scope = $1 AND j.kind = $2 AND j.subject = $3 AND j.hub = $4 AND j.fence = $5;
