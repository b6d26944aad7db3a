-- admin.sql: what an operator's one-shot commands ask (idscope-admin, role idscope_admin): tenants, subscriptions, service principals, the
-- keys that sign access tokens, instances on an ID scope that devices already carry, and deleted ones that come back. Nothing here touches hubs or devices, and nothing is
-- deleted but old token keys and outside issuers.

-- name: admin_tenant_by_name -> tenant
SELECT tenant_id FROM idscope.tenant WHERE name = $1;

-- name: admin_tenant_insert as actor
WITH written AS (
    INSERT INTO idscope.tenant (tenant_id, name) VALUES ($1, $2) RETURNING *)
SELECT idscope.note('tenant', tenant_id::text, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written;

-- name: admin_subscription_insert as actor
WITH written AS (
    INSERT INTO idscope.subscription (tenant_id, subscription_id, display_name)
    SELECT tenant_id, $2, $3 FROM idscope.tenant WHERE tenant_id = $1
    RETURNING *)
SELECT idscope.note('subscription', subscription_id::text, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written;

-- name: admin_service_principal_insert as actor
WITH written AS (
    INSERT INTO idscope.service_principal (tenant_id, client_id, display_name, secret_sha256)
    SELECT tenant_id, $2, $3, $4 FROM idscope.tenant WHERE tenant_id = $1
    RETURNING *)
SELECT idscope.note('servicePrincipal', client_id::text, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written;

-- Who may use the deployment, by id: $1 a tenant, $2 one id (NULL: all of either), $3 the id behind which it begins (NULL: the first), $4 how many at most.
-- name: admin_tenants -> admitted
SELECT tenant_id AS id, tenant_id, name, false AS two_secrets, created_at, disabled_at
  FROM idscope.tenant
 WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR tenant_id = $2) AND ($3::uuid IS NULL OR tenant_id > $3)
 ORDER BY tenant_id
 LIMIT $4;

-- name: admin_subscriptions -> admitted
SELECT subscription_id AS id, tenant_id, display_name AS name, false AS two_secrets, created_at, disabled_at
  FROM idscope.subscription
 WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR subscription_id = $2) AND ($3::uuid IS NULL OR subscription_id > $3)
 ORDER BY subscription_id
 LIMIT $4;

-- name: admin_service_principals -> admitted
SELECT client_id AS id, tenant_id, display_name AS name, secret_before_sha256 IS NOT NULL AS two_secrets, created_at, disabled_at
  FROM idscope.service_principal
 WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR client_id = $2) AND ($3::uuid IS NULL OR client_id > $3)
 ORDER BY client_id
 LIMIT $4;

-- Who has which role, by assignment: $1 a tenant, $2 a client, $3 one assignment (NULL: all of either), $4 the id behind which it begins (NULL:
-- the first), $5 how many at most.
-- name: admin_roles -> assigned
SELECT assignment_id, tenant_id, client_id, role, scope_key, scope, description, created_by, created_at
  FROM idscope.role_assignment
 WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR client_id = $2) AND ($3::uuid IS NULL OR assignment_id = $3)
   AND ($4::uuid IS NULL OR assignment_id > $4)
 ORDER BY assignment_id
 LIMIT $5;

-- Enables ($2) or disables $1, unless it is so already.
-- name: admin_tenant_able as actor
WITH made AS MATERIALIZED (
    SELECT now() AS moment),
     old AS (
    SELECT t AS was FROM idscope.tenant t WHERE tenant_id = $1 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.tenant t
       SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE made.moment END
      FROM made, old
     WHERE t.tenant_id = $1 AND (t.disabled_at IS NULL) <> $2
    RETURNING t.*)
SELECT idscope.note('tenant', tenant_id::text, jsonb_build_object('change', CASE WHEN $2 THEN 'enabled' ELSE 'disabled' END), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: admin_subscription_able as actor
WITH made AS MATERIALIZED (
    SELECT now() AS moment),
     old AS (
    SELECT s AS was FROM idscope.subscription s WHERE subscription_id = $1 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.subscription s
       SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE made.moment END
      FROM made, old
     WHERE s.subscription_id = $1 AND (s.disabled_at IS NULL) <> $2
    RETURNING s.*)
SELECT idscope.note('subscription', subscription_id::text, jsonb_build_object('change', CASE WHEN $2 THEN 'enabled' ELSE 'disabled' END), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: admin_service_principal_able as actor
WITH made AS MATERIALIZED (
    SELECT now() AS moment),
     old AS (
    SELECT p AS was FROM idscope.service_principal p WHERE client_id = $1 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.service_principal p
       SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE made.moment END
      FROM made, old
     WHERE p.client_id = $1 AND (p.disabled_at IS NULL) <> $2
    RETURNING p.*)
SELECT idscope.note('servicePrincipal', client_id::text, jsonb_build_object('change', CASE WHEN $2 THEN 'enabled' ELSE 'disabled' END), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: admin_secret_renew as actor
-- $1 client, $2 hash of the new secret, $3 whether the one that it replaces stays good beside it
WITH old AS (
    SELECT p AS was FROM idscope.service_principal p WHERE client_id = $1 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.service_principal p
       SET secret_before_sha256 = CASE WHEN $3::boolean THEN p.secret_sha256 END, secret_sha256 = $2
      FROM old
     WHERE p.client_id = $1
    RETURNING p.*)
SELECT idscope.note('servicePrincipal', client_id::text, jsonb_build_object('change', 'secretRenewed', 'secretBefore', CASE WHEN $3 THEN 'kept' ELSE 'revoked' END),
                    to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: admin_instance_insert as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance, $5 name, $6 ID scope, $7 its text, $8 location; its first policy: $9 name, $10 rights,
-- $11 and $12 sealed keys. No row: the ID scope was issued before, to whomever. A group that goes meanwhile is a foreign key that fails.
WITH issued AS (
    INSERT INTO idscope.scope (id_scope, issued_to) VALUES ($6, $1) ON CONFLICT (id_scope) DO NOTHING RETURNING id_scope, issued_to),
     written AS (
    INSERT INTO idscope.instance (tenant_id, subscription_id, resource_group_key, name_key, name, id_scope, id_scope_text, location,
                                  allocation_policy, etag)
    SELECT issued_to, $2, $3, $4, $5, id_scope, $7, $8, 'hashed', gen_random_uuid()
      FROM issued),
     policy AS (
    INSERT INTO idscope.instance_policy (tenant_id, id_scope, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position)
    SELECT issued_to, id_scope, lower($9 COLLATE "C"), $9, $10, $11, $12, 1
      FROM issued),
     noted AS (
    SELECT id_scope, idscope.note('instance', id_scope, jsonb_build_object('change', 'created', 'idScope', 'takenOver')) FROM issued)
SELECT id_scope
  FROM noted;

-- name: admin_deleted -> deleted as actor
-- $1 tenant, $2 the ID scope behind which it begins, $3 how many at most: deleted instances that can be undeleted
SELECT i.tenant_id, i.subscription_id, i.deleted_from AS "group", i.name_key, i.id_scope, i.id_scope_text, i.name, s.retired_at AS deleted_at,
       s.undelete_until, true AS in_time
  FROM idscope.instance i
  JOIN idscope.scope s ON s.id_scope = i.id_scope AND s.undelete_until > now()
 WHERE i.tenant_id = $1 AND i.deleted_from IS NOT NULL AND i.id_scope > $2
 ORDER BY i.id_scope
 LIMIT $3;

-- name: admin_scope_tenant -> tenant
SELECT issued_to AS tenant_id FROM idscope.scope WHERE id_scope = $1;

-- name: admin_scope_lock -> retired
SELECT retired_at IS NOT NULL AS retired FROM idscope.scope WHERE id_scope = $1 FOR UPDATE;

-- name: admin_deleted_find -> deleted as actor
-- $1 tenant, $2 ID scope. No row: its instance is there, or was purged.
SELECT i.tenant_id, i.subscription_id, i.deleted_from AS "group", i.name_key, i.id_scope, i.id_scope_text, i.name, s.retired_at AS deleted_at,
       s.undelete_until, coalesce(s.undelete_until > now(), false) AS in_time
  FROM idscope.instance i
  JOIN idscope.scope s ON s.id_scope = i.id_scope
 WHERE i.tenant_id = $1 AND i.id_scope = $2 AND i.deleted_from IS NOT NULL;

-- name: admin_undelete as actor
-- $1 tenant, $2 ID scope. Its work goes on where it stood; what depends on the scope is looked at anew.
WITH back AS (
    UPDATE idscope.instance
       SET resource_group_key = deleted_from, deleted_from = NULL
     WHERE tenant_id = $1 AND id_scope = $2 AND deleted_from IS NOT NULL
    RETURNING id_scope),
     alive AS (
    UPDATE idscope.scope s
       SET retired_at = NULL, undelete_until = NULL, version = s.version + 1, inputs_version = s.inputs_version + 1
      FROM back
     WHERE s.id_scope = back.id_scope)
SELECT idscope.note('instance', id_scope, jsonb_build_object('change', 'undeleted')) FROM back;

-- name: admin_hubs_gone -> host_name as actor
-- $1 tenant, $2 ID scope
SELECT host_name FROM idscope.linked_hub WHERE tenant_id = $1 AND id_scope = $2 AND reason = 'hub_deleted' ORDER BY position;

-- name: admin_token_key_insert as actor
WITH written AS (
    INSERT INTO idscope.token_key (kid, private_sealed, created_at) VALUES ($1, $2, clock_timestamp()) RETURNING kid)
SELECT idscope.note('tokenKey', kid, jsonb_build_object('change', 'created')) FROM written;

-- name: admin_token_key_prune
DELETE FROM idscope.token_key
 WHERE kid NOT IN (SELECT kid FROM idscope.token_key ORDER BY created_at DESC, kid DESC LIMIT 2);

-- name: admin_issuer_insert as actor
-- $1 issuer, $2 audience, $3 and $4 claims, $5 the only tenant, $6 where its keys are found, $7 the URL; no row: there is no such tenant
WITH written AS (
    INSERT INTO idscope.trusted_issuer (issuer, audience, subject_claim, tenant_claim, tenant_id, keys_from, keys_url, next_fetch_at)
    SELECT $1, $2, $3, $4, $5::uuid, $6::text, $7, CASE WHEN $6 = 'file' THEN 'infinity' ELSE now() END
     WHERE $5 IS NULL OR EXISTS (SELECT 1 FROM idscope.tenant WHERE tenant_id = $5)
    RETURNING *)
SELECT idscope.note('issuer', issuer, jsonb_build_object('change', 'created', 'keysFrom', keys_from, 'keysUrl', keys_url), NULL, to_jsonb(written)) FROM written;

-- name: admin_issuer_key_insert
-- $1 issuer, $2 to $4 its keys
INSERT INTO idscope.issuer_key (issuer, kid, algorithm, public_key)
SELECT $1::text, u.kid, u.algorithm, u.public_key FROM unnest($2::text[], $3::text[], $4::bytea[]) AS u (kid, algorithm, public_key);

-- All of them, or (not NULL) issuer $1.
-- name: admin_issuers -> admin_issuer
SELECT issuer, audience, subject_claim, tenant_claim, tenant_id, keys_from, keys_url, failure, created_at, disabled_at, fetched_at,
       (SELECT count(*) FROM idscope.federated_subject f WHERE f.issuer = i.issuer) AS subjects
  FROM idscope.trusted_issuer i
 WHERE $1::text IS NULL OR issuer = $1
 ORDER BY issuer;

-- name: admin_issuer_able as actor
WITH made AS MATERIALIZED (
    SELECT now() AS moment),
     old AS (
    SELECT i AS was FROM idscope.trusted_issuer i WHERE issuer = $1 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.trusted_issuer i
       SET disabled_at = CASE WHEN $2::boolean THEN NULL ELSE made.moment END
      FROM made, old
     WHERE i.issuer = $1 AND (i.disabled_at IS NULL) <> $2
    RETURNING i.*)
SELECT idscope.note('issuer', issuer, jsonb_build_object('change', CASE WHEN $2 THEN 'enabled' ELSE 'disabled' END), to_jsonb(was), to_jsonb(written)) FROM written, old;

-- name: admin_issuer_delete as actor
WITH gone AS (
    DELETE FROM idscope.trusted_issuer WHERE issuer = $1 RETURNING *)
SELECT idscope.note('issuer', issuer, jsonb_build_object('change', 'deleted'), to_jsonb(gone), NULL) FROM gone;

-- Subject $2 of issuer $1 is client $4 of tenant $3.
-- name: admin_federated_insert as actor
WITH written AS (
    INSERT INTO idscope.federated_subject (issuer, subject, tenant_id, client_id)
    SELECT issuer, $2, $3, $4 FROM idscope.trusted_issuer WHERE issuer = $1 AND (tenant_id IS NULL OR tenant_id = $3)
    RETURNING issuer, subject AS named, client_id)
SELECT idscope.note('servicePrincipal', client_id::text, jsonb_build_object('change', 'subjectAdded', 'issuer', issuer, 'named', named)) FROM written;

-- Token keys, newest first.
-- name: admin_token_keys -> admin_token_key
SELECT kid, created_at FROM idscope.token_key ORDER BY created_at DESC, kid DESC;

-- Only one that does not sign goes: a newer one stands.
-- name: admin_token_key_delete as actor
WITH gone AS (
    DELETE FROM idscope.token_key k WHERE kid = $1 AND EXISTS (SELECT 1 FROM idscope.token_key n WHERE (n.created_at, n.kid) > (k.created_at, k.kid)) RETURNING kid)
SELECT idscope.note('tokenKey', kid, jsonb_build_object('change', 'deleted')) FROM gone;
