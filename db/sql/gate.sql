-- gate.sql: what the checks before an operation need to know, read once a second per process and key (api/gate.c).
-- Reads only; the first four come through SECURITY DEFINER functions, because the tenant is not known before they have
-- answered.

-- The last parameter: the deployment has a limit of registrations.
-- name: gate_instance -> gate_instance
SELECT id_scope, id_scope_text, version, inputs_version, tenant_id, name, role_scope, limit_names, limits,
       CASE WHEN $3 OR 'registrations' = ANY (limit_names) THEN idscope.counted(id_scope, 'registrations') ELSE 0 END AS registrations,
       network::text, key_names, rights, primary_sealed, secondary_sealed
  FROM idscope.gate_instance($1::text, $2::text);

-- The same for many scopes in one round trip: a batch of devices comes from many.
-- name: gate_instances -> gate_instances
SELECT id_scope, id_scope_text, version, inputs_version, tenant_id, name, limit_names, limits,
       CASE WHEN $2 OR 'registrations' = ANY (limit_names) THEN idscope.counted(id_scope, 'registrations') ELSE 0 END AS registrations,
       network::text, key_names, rights, primary_sealed, secondary_sealed, n
  FROM idscope.gate_instances($1::text[]);

-- name: gate_hub -> gate_hub
SELECT hub_id, version, tenant_id, name, network::text, key_names, rights, primary_sealed, secondary_sealed, created_at
  FROM idscope.gate_hub($1::text);

-- name: gate_client -> gate_client
SELECT $1::uuid AS client_id, tenant_id, roles, scopes, secret_sha256, secret_before_sha256, disabled_subscriptions
  FROM idscope.gate_client($1::uuid);

-- name: gate_token_keys -> token_key
SELECT kid, private_sealed
  FROM idscope.token_key
 ORDER BY created_at DESC, kid DESC
 LIMIT 2;

-- The server tells every role which applications are connected (of other roles no more than that).
-- name: gate_processes -> gate_processes
SELECT greatest(1, count(*)) AS processes
  FROM pg_catalog.pg_stat_activity
 WHERE datname = current_database() AND application_name = $1::text;

-- name: gate_ping
SELECT 1;

-- Outside issuers with their keys, those of fetches older than $1 milliseconds left out.
-- name: gate_issuers -> gate_issuer
SELECT issuer, audience, subject_claim, tenant_claim, kids, algorithms, public_keys
  FROM idscope.gate_issuers($1::bigint);

-- The client that subject $2 of issuer $1 is, whose token says tenant $3 (NULL: none).
-- name: gate_federated -> federated
SELECT client_id
  FROM idscope.gate_federated($1::text, $2::text, $3::text);

-- A token named a key of issuer $1 that is not known here: its keys are due, if the last fetch is $2 milliseconds old.
-- name: gate_issuer_wanted
SELECT idscope.issuer_wanted($1::text, $2::bigint);
