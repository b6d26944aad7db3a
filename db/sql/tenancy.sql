-- tenancy.sql: the tenant of a transaction, and the subscriptions of a tenant.

-- name: tenant_set
-- $1 tenant. The first statement of a pipeline that touches tables with row-level security.
SELECT set_config('idscope.tenant', $1::uuid::text, true);

-- name: subscription_find
-- $1 tenant, $2 one subscription (NULL: all), $3 the last one of the page before (NULL: the first page), $4 rows wanted
SELECT subscription_id, display_name
  FROM idscope.subscription
 WHERE tenant_id = $1
   AND ($2::uuid IS NULL OR subscription_id = $2)
   AND ($3::uuid IS NULL OR subscription_id > $3)
 ORDER BY subscription_id
 LIMIT $4;
