-- admin.sql: what an operator's one-shot commands ask (idscope-admin, role idscope_admin): tenants, subscriptions, service principals and
-- the keys that sign access tokens. Inserts and look-ups only; nothing here touches instances, hubs or devices.

-- name: admin_tenant_by_name -> tenant
SELECT tenant_id FROM idscope.tenant WHERE name = $1;

-- name: admin_tenant_insert as actor
WITH written AS (
    INSERT INTO idscope.tenant (tenant_id, name) VALUES ($1, $2) RETURNING tenant_id)
SELECT idscope.note('tenant', tenant_id::text, jsonb_build_object('change', 'created')) FROM written;

-- name: admin_subscription_insert as actor
WITH written AS (
    INSERT INTO idscope.subscription (tenant_id, subscription_id, display_name)
    SELECT tenant_id, $2, $3 FROM idscope.tenant WHERE tenant_id = $1
    RETURNING subscription_id)
SELECT idscope.note('subscription', subscription_id::text, jsonb_build_object('change', 'created')) FROM written;

-- name: admin_service_principal_insert as actor
WITH written AS (
    INSERT INTO idscope.service_principal (tenant_id, client_id, display_name, role, secret_sha256)
    SELECT tenant_id, $2, $3, $4, $5 FROM idscope.tenant WHERE tenant_id = $1
    RETURNING client_id, role)
SELECT idscope.note('servicePrincipal', client_id::text, jsonb_build_object('change', 'created', 'role', role)) FROM written;

-- name: admin_token_key_insert as actor
WITH written AS (
    INSERT INTO idscope.token_key (kid, private_sealed, created_at) VALUES ($1, $2, clock_timestamp()) RETURNING kid)
SELECT idscope.note('tokenKey', kid, jsonb_build_object('change', 'created')) FROM written;

-- name: admin_token_key_prune
DELETE FROM idscope.token_key
 WHERE kid NOT IN (SELECT kid FROM idscope.token_key ORDER BY created_at DESC, kid DESC LIMIT 2);
