-- tenant_job.sql: the statements of job.sql for the table tenant_job, whose owner is a tenant (all ones: the deployment). Made from it: make
-- tenant-jobs.

-- name: tenant_job_due -> due_scope
WITH RECURSIVE walk AS (
    (SELECT tenant_id, due_at
       FROM idscope.tenant_job
      WHERE kind = $1 AND tenant_id > $2 AND due_at < 'infinity'
      ORDER BY tenant_id, due_at
      LIMIT 1)
    UNION ALL
    SELECT n.tenant_id, n.due_at
      FROM walk w
     CROSS JOIN LATERAL (SELECT tenant_id, due_at
                           FROM idscope.tenant_job
                          WHERE kind = $1 AND tenant_id > w.tenant_id AND due_at < 'infinity'
                          ORDER BY tenant_id, due_at
                          LIMIT 1) n)
SELECT w.tenant_id::text AS id_scope, w.tenant_id AS tenant, w.due_at <= now() AS due, w.due_at
  FROM (SELECT tenant_id, due_at FROM walk LIMIT $3) w
 ORDER BY w.tenant_id;

-- name: tenant_job_claim -> job
WITH due AS MATERIALIZED (
        SELECT tenant_id, kind, subject, hub, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS moment,
               now() + $4::bigint * interval '1 millisecond' AS lease_end
          FROM idscope.tenant_job
         WHERE tenant_id = $1 AND kind = $2 AND due_at <= now() AND due_at < 'infinity'
         ORDER BY due_at
         LIMIT $3
           FOR UPDATE SKIP LOCKED)
UPDATE idscope.tenant_job j
   SET due_at = due.lease_end, waits_for = NULL, fence = greatest(j.fence + 1, due.moment)
  FROM due
 WHERE j.tenant_id = ANY (ARRAY[due.tenant_id]) AND j.kind = due.kind AND j.subject = due.subject AND j.hub = due.hub
RETURNING j.subject, j.hub, j.payload::text AS payload, j.fence, j.attempt;

-- name: tenant_job_done
WITH u AS MATERIALIZED (
        SELECT $1::uuid AS tenant_id, $2::text AS kind, n.* FROM unnest($3::text[], $4::text[], $5::bigint[]) AS n (subject, hub, fence))
DELETE FROM idscope.tenant_job j
 USING u
 WHERE j.tenant_id = ANY (ARRAY[u.tenant_id]) AND j.kind = u.kind AND j.subject = u.subject AND j.hub = u.hub AND j.fence = u.fence;

-- name: tenant_job_put_back
WITH u AS MATERIALIZED (
        SELECT $1::uuid AS tenant_id, $2::text AS kind, n.*,
               CASE WHEN n.delay_ms < 0 THEN 'infinity' ELSE now() + n.delay_ms * interval '1 millisecond' END AS due_at
          FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::text[])
               AS n (subject, hub, fence, delay_ms, failed, error))
UPDATE idscope.tenant_job j
   SET due_at = u.due_at, attempt = j.attempt + u.failed::int, last_error = coalesce(left(u.error, 300), j.last_error)
  FROM u
 WHERE j.tenant_id = ANY (ARRAY[u.tenant_id]) AND j.kind = u.kind AND j.subject = u.subject AND j.hub = u.hub AND j.fence = u.fence;

-- name: tenant_job_go_on
WITH clock AS MATERIALIZED (
        SELECT now() + $6::bigint * interval '1 millisecond' AS due_at)
UPDATE idscope.tenant_job j
   SET due_at = clock.due_at, attempt = 0, last_error = NULL, payload = $7::text::jsonb
  FROM clock
 WHERE j.tenant_id = $1 AND j.kind = $2 AND j.subject = $3 AND j.hub = $4 AND j.fence = $5;
