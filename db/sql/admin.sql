-- admin.sql: what an operator's one-shot commands ask (idscope-admin, role idscope_admin): tenants, subscriptions, service principals and
-- the keys that sign access tokens. Inserts and look-ups only; nothing here touches instances, hubs or devices.

-- name: admin_tenant_by_name -> tenant
SELECT tenant_id FROM idscope.tenant WHERE name = $1;

-- name: admin_tenant_insert
INSERT INTO idscope.tenant (tenant_id, name) VALUES ($1, $2);

-- name: admin_subscription_insert
INSERT INTO idscope.subscription (tenant_id, subscription_id, display_name)
SELECT tenant_id, $2, $3 FROM idscope.tenant WHERE tenant_id = $1
RETURNING subscription_id;

-- name: admin_service_principal_insert
INSERT INTO idscope.service_principal (tenant_id, client_id, display_name, role, secret_sha256)
SELECT tenant_id, $2, $3, $4, $5 FROM idscope.tenant WHERE tenant_id = $1
RETURNING client_id;

-- name: admin_token_keys -> token_key
SELECT kid, private_sealed FROM idscope.token_key ORDER BY created_at DESC, kid DESC LIMIT 2;

-- name: admin_token_key_insert
INSERT INTO idscope.token_key (kid, private_sealed, created_at) VALUES ($1, $2, clock_timestamp());

-- name: admin_token_key_prune
DELETE FROM idscope.token_key
 WHERE kid NOT IN (SELECT kid FROM idscope.token_key ORDER BY created_at DESC, kid DESC LIMIT 2);
