-- tenancy.sql: who acts and until when, the end of a transaction, and the subscriptions of a tenant.

-- name: act
-- $1 tenant, $2 and $3 kind and id of who acts, $4 tracking id of the request, $5 operation, $6 the client's address, $7 the management resource that
-- the request is about (NULL: none). Sent before statements that are marked
-- `as actor`, in their transaction (db/run.c); row-level security and idscope.note() read it.
SELECT set_config('idscope.tenant', $1::uuid::text, true), set_config('idscope.actor_kind', $2, true),
       set_config('idscope.actor_id', $3, true), set_config('idscope.tracking_id', $4, true), set_config('idscope.operation', $5, true),
       set_config('idscope.client_address', $6, true), set_config('idscope.resource_id', $7, true);

-- name: in_time
-- $1 when the time of the call is over, in microseconds since 1970 as this server counts. Fails when it is.
SELECT idscope.in_time($1::bigint);

-- name: commit
-- The end of a transaction of several calls (db_tx).
COMMIT;

-- name: subscription_find -> subscription as actor
-- $1 tenant, $2 one subscription (NULL: all), $3 the last one of the page before (NULL: the first page), $4 rows wanted, $5 some of them (NULL: any)
SELECT subscription_id, display_name, disabled_at IS NOT NULL AS disabled, tags
  FROM idscope.subscription
 WHERE tenant_id = $1
   AND ($2::uuid IS NULL OR subscription_id = $2)
   AND ($3::uuid IS NULL OR subscription_id > $3)
   AND ($5::text[] IS NULL OR subscription_id::text = ANY ($5))
 ORDER BY subscription_id
 LIMIT $4;

-- name: subscription_retag as actor
-- $1 tenant, $2 subscription, $3 tags, $4 those that it must have
WITH old AS (
    SELECT s AS was FROM idscope.subscription s WHERE tenant_id = $1 AND subscription_id = $2 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.subscription s
       SET tags = $3
      FROM old
     WHERE s.tenant_id = $1 AND s.subscription_id = $2 AND s.tags::text = $4
    RETURNING s.*)
SELECT idscope.note('subscription', subscription_id::text, jsonb_build_object('change', 'updated'), to_jsonb(was), to_jsonb(written)) FROM written, old;
