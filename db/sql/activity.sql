-- activity.sql: audit events as their tenant reads them, newest first.

-- Events, behind one of them. What else is asked of them is asked of each that is read: a page looks at so many.
-- name: activity_events -> audit_event as actor
-- $1 tenant, from time $2 to $3, behind the event of time $4 and id $5 (NULL: from the newest), $6 at most
SELECT id, tenant_id, event_id, at, actor_kind, actor_id, client_address, tracking_id, operation, kind, key, resource_id, detail::text AS detail
  FROM idscope.audit_event
 WHERE tenant_id = $1 AND at >= $2::timestamptz AND at <= $3::timestamptz AND ($5::uuid IS NULL OR (at, event_id) < ($4::timestamptz, $5::uuid))
 ORDER BY at DESC, event_id DESC
 LIMIT $6::bigint;
