-- link.sql: linked hubs as the worker sees them: with their credentials (sealed), states and latencies. Only probes change a state, and
-- only when the credential that they tried is still the link's.

-- The links of a scope ($2 NULL: all, else that host), with the keys: of the policy for a link by resource id, else its own. The policy
-- must belong to the link's tenant: a name that was freed may be another tenant's hub by now. Last column: the hub of a link by
-- resource id is there and its policy is not.
-- name: link_find -> link
SELECT l.host, l.host_name, l.hub_key, l.key_name, coalesce(p.primary_sealed, l.primary_sealed) AS primary_sealed,
       l.secondary_key_name, l.secondary_sealed, coalesce(l.allocation_weight, 1) AS weight,
       coalesce(l.apply_allocation_policy, true) AS apply,
       l.state, l.reason, l.state_since, l.slow_until, l.credential_version,
       l.hub_key IS NOT NULL AND p.hub_key IS NULL
       AND EXISTS (SELECT 1 FROM idscope.hub_policy o WHERE o.hub_key = l.hub_key AND o.tenant_id = l.tenant_id) AS only_policy_gone
  FROM idscope.linked_hub l
  LEFT JOIN idscope.hub_policy p
    ON p.hub_key = l.hub_key AND p.key_name_key = lower(l.key_name COLLATE "C") AND p.tenant_id = l.tenant_id
 WHERE l.id_scope = $1 AND ($2::text IS NULL OR l.host = $2)
 ORDER BY l.host;

-- Ends a validation: $1 scope, $2 host, $3 fence, $4 credential version that was tried, $5 state, $6 reason, $7 whether a credential was
-- good, $8 milliseconds to the next one. A credential that changed meanwhile is to be tried at once. A hub that was found well has an inventory from then on.
-- name: link_validated -> link_taken
WITH mine AS (
        DELETE FROM idscope.job
         WHERE id_scope = $1 AND kind = 'link_validate' AND subject = $2 AND fence = $3
        RETURNING id_scope, subject
), clock AS MATERIALIZED (
        SELECT now() AS moment, now() + $8::bigint * interval '1 millisecond' AS next_check_at
), written AS (
        UPDATE idscope.linked_hub l
           SET state = CASE WHEN l.credential_version = $4 THEN $5 ELSE l.state END,
               reason = CASE WHEN l.credential_version = $4 THEN $6 ELSE l.reason END,
               state_since = CASE WHEN l.credential_version = $4 AND l.state <> $5 THEN clock.moment ELSE l.state_since END,
               last_good_at = CASE WHEN l.credential_version = $4 AND $7 THEN clock.moment ELSE l.last_good_at END,
               slow_until = CASE WHEN l.credential_version = $4 AND $7 THEN NULL ELSE l.slow_until END,
               next_check_at = CASE WHEN l.credential_version = $4 THEN clock.next_check_at ELSE clock.moment END
          FROM mine, clock
         WHERE l.id_scope = mine.id_scope AND l.host = mine.subject
        RETURNING l.id_scope, l.host, l.credential_version = $4 AS taken
), listed AS (
        INSERT INTO idscope.inventory (id_scope, host, next_at)
        SELECT written.id_scope, written.host, clock.moment
          FROM written, clock
         WHERE written.taken AND $7
            ON CONFLICT (id_scope, host) DO NOTHING)
SELECT taken FROM written;

-- What work on a hub found: hold calls back for $3 milliseconds (0: no need) and, $4, have the link validated soon.
-- name: link_trouble
WITH clock AS MATERIALIZED (
        SELECT now() AS moment, now() + $3::bigint * interval '1 millisecond' AS held_until)
UPDATE idscope.linked_hub l
   SET slow_until = CASE WHEN $3 > 0 THEN clock.held_until ELSE l.slow_until END,
       next_check_at = CASE WHEN $4 THEN least(l.next_check_at, clock.moment) ELSE l.next_check_at END
  FROM clock
 WHERE id_scope = $1 AND host = $2;

-- Assignments of scope $1 that wait for one of the hubs $2 that is usable now are tried again at once. Asked behind a commit by both sides: who
-- has written that a hub is usable, and who has written that assignments wait for one that was not. So neither waits for the other, and who comes
-- last sees what the other wrote. (A job that is running waits for nothing: its claim said so.) A bite looks at the next $4 that are not due, behind
-- those that are due at $3 (NULL: at the beginning), whatever they wait for; it tells where the next one begins (NULL: there is none).
-- name: link_wake_assign -> came_to
WITH usable AS MATERIALIZED (
        SELECT array_agg(host) AS hosts
          FROM idscope.linked_hub
         WHERE id_scope = $1 AND host = ANY ($2::text[]) AND state IN ('valid', 'degraded')
        HAVING count(*) > 0
), bite AS MATERIALIZED (
        SELECT j.*, j.waits_for && usable.hosts AS returned
          FROM usable
         CROSS JOIN LATERAL (
                SELECT id_scope, kind, subject, hub, due_at, waits_for
                  FROM idscope.job
                 WHERE id_scope = $1 AND kind = 'assign' AND due_at > coalesce($3::text::timestamptz, now()) AND due_at < 'infinity'
                 ORDER BY due_at
                 FETCH FIRST ($4) ROWS WITH TIES) j
), woken AS MATERIALIZED (
        SELECT j.id_scope, j.kind, j.subject, j.hub, now() AS moment
          FROM bite b
          JOIN idscope.job j ON j.id_scope = b.id_scope AND j.kind = b.kind AND j.subject = b.subject AND j.hub = b.hub
         WHERE b.returned AND j.waits_for = b.waits_for
           FOR UPDATE OF j SKIP LOCKED
), wake AS (
        UPDATE idscope.job j
           SET due_at = woken.moment
          FROM woken
         WHERE j.id_scope = woken.id_scope AND j.kind = woken.kind AND j.subject = woken.subject AND j.hub = woken.hub)
SELECT CASE WHEN count(*) >= $4 THEN max(due_at)::text END AS came_to FROM bite;

-- name: latency_find -> latency_found
SELECT samples_us, measured_at > now() - $3::bigint * interval '1 millisecond' AS young
  FROM idscope.link_latency
 WHERE region = $1 AND host = $2;

-- name: latency_write
INSERT INTO idscope.link_latency AS l (region, host, samples_us, tcp_p50_us, tcp_p95_us, tls_us, http_us, count, measured_at)
VALUES ($1, $2, $3::bigint[]::int[], $4, $5, nullif($6, 0), nullif($7, 0), 1, now())
    ON CONFLICT (region, host) DO UPDATE
   SET samples_us = excluded.samples_us, tcp_p50_us = excluded.tcp_p50_us, tcp_p95_us = excluded.tcp_p95_us, tls_us = excluded.tls_us,
       http_us = excluded.http_us, count = l.count + 1, measured_at = excluded.measured_at;

-- The fresh figures of a region for the links of a scope: $1 scope, $2 region, $3 age in seconds.
-- name: latency_of_scope -> latency_of
SELECT l.host, t.tcp_p50_us AS p50_us
  FROM idscope.linked_hub l
  JOIN idscope.link_latency t ON t.region = $2 AND t.host = l.host AND t.measured_at > now() - $3::bigint * interval '1 second'
 WHERE l.id_scope = $1;
