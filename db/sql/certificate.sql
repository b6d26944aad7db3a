-- certificate.sql: CA certificates of an instance, as the management plane sees them and as devices are held against them, and those of a hub.
-- Writers hold the row of the instance (instance_lock) or hub (hub_lock).

-- name: certificate_find -> certificate as actor
-- $1 tenant, $2 subscription, $3 group, $4 instance, $5 certificate in lower case (NULL: all)
SELECT c.name, c.certificate, c.der, c.is_verified, c.code, c.code_until, c.crl, c.etag, c.created_at, c.updated_at
  FROM idscope.instance i
  JOIN idscope.certificate c ON c.tenant_id = i.tenant_id AND c.id_scope = i.id_scope
 WHERE i.tenant_id = $1 AND i.subscription_id = $2 AND i.resource_group_key = $3 AND i.name_key = $4
   AND ($5::text IS NULL OR c.name_key = $5)
 ORDER BY c.name_key;

-- name: certificate_lock -> certificate as actor
-- $1 tenant, $2 ID scope, $3 certificate in lower case. Until the transaction ends, nothing comes to name it: behind
-- enrollment_turn no import either.
SELECT name, certificate, der, is_verified, code, code_until, crl, etag, created_at, updated_at
  FROM idscope.certificate
 WHERE tenant_id = $1 AND id_scope = $2 AND name_key = $3
   FOR UPDATE;

-- name: certificate_named_by -> certificate_named_by
-- $1 ID scope, $2 certificate in lower case: an enrollment that names it. Asked behind certificate_lock, it sees whoever came first.
(SELECT registration_id, of_group FROM idscope.enrollment WHERE id_scope = $1 AND ca_primary = $2::text LIMIT 1)
 UNION ALL
(SELECT registration_id, of_group FROM idscope.enrollment WHERE id_scope = $1 AND ca_secondary = $2::text LIMIT 1)
 LIMIT 1;

-- What devices' certificates are held against, which name no tenant.
-- name: certificates_of -> certificate_found
-- $1 ID scopes
SELECT id_scope, name_key, is_verified, der, crl FROM idscope.certificates_of($1::text[]);

-- name: certificate_insert -> certificate as actor
-- $1 tenant, $2 ID scope, $3 name, $4 text, $5 DER, $6 whether somebody vouches for it, $7 how many an instance may have. No row: it has them.
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag),
     written AS (
    INSERT INTO idscope.certificate (tenant_id, id_scope, name_key, name, certificate, der, is_verified, etag)
    SELECT $1, $2, lower($3::text COLLATE "C"), $3, $4, $5, $6, etag
      FROM made
     WHERE (SELECT count(*) FROM idscope.certificate WHERE tenant_id = $1 AND id_scope = $2) < $7::bigint
    RETURNING id_scope, name_key, name, certificate, der, is_verified, code, code_until, crl, etag, created_at, updated_at),
     noted AS (
    SELECT idscope.note('certificate', id_scope || '/' || name_key, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written)
SELECT w.name, w.certificate, w.der, w.is_verified, w.code, w.code_until, w.crl, w.etag, w.created_at, w.updated_at
  FROM written w, noted;

-- name: certificate_update -> certificate as actor
-- $1 tenant, $2 ID scope, $3 certificate in lower case, $4 what is done to it, for the event (`unchanged`: it keeps its etag); $5 text, $6 DER, $7 verified, $8 code, $9 its end,
-- $10 CRL
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     old AS (
    SELECT c AS was FROM idscope.certificate c WHERE tenant_id = $1 AND id_scope = $2 AND name_key = $3 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.certificate c
       SET certificate = $5, der = $6, is_verified = $7, code = $8, code_until = $9, crl = $10,
           etag = CASE WHEN $4 = 'unchanged' THEN c.etag ELSE made.etag END,
           updated_at = CASE WHEN $4 = 'unchanged' THEN c.updated_at ELSE made.moment END
      FROM made, old
     WHERE c.tenant_id = $1 AND c.id_scope = $2 AND c.name_key = $3
    RETURNING c.id_scope, c.name_key, c.name, c.certificate, c.der, c.is_verified, c.code, c.code_until, c.crl, c.etag, c.created_at, c.updated_at),
     noted AS (
    SELECT idscope.note('certificate', id_scope || '/' || name_key, jsonb_build_object('change', $4::text), to_jsonb(was), to_jsonb(written)) FROM written, old)
SELECT w.name, w.certificate, w.der, w.is_verified, w.code, w.code_until, w.crl, w.etag, w.created_at, w.updated_at
  FROM written w, noted;

-- name: certificate_delete as actor
-- $1 tenant, $2 ID scope, $3 certificate in lower case
WITH written AS (
    DELETE FROM idscope.certificate
     WHERE tenant_id = $1 AND id_scope = $2 AND name_key = $3
    RETURNING *)
SELECT idscope.note('certificate', id_scope || '/' || name_key, jsonb_build_object('change', 'deleted'), to_jsonb(written), NULL) FROM written;

-- Those of a hub, by the same parameters, the hub in the place of the ID scope.
-- name: hub_certificate_find -> certificate as actor
-- $1 tenant, $2 subscription, $3 group, $4 hub, $5 certificate in lower case (NULL: all)
SELECT c.name, c.certificate, c.der, c.is_verified, c.code, c.code_until, NULL::bytea AS crl, c.etag, c.created_at, c.updated_at
  FROM idscope.hub h
  JOIN idscope.hub_certificate c ON c.tenant_id = h.tenant_id AND c.hub_key = h.hub_key
 WHERE h.tenant_id = $1 AND h.subscription_id = $2 AND h.resource_group_key = $3 AND h.hub_key = $4
   AND ($5::text IS NULL OR c.name_key = $5)
 ORDER BY c.name_key;

-- name: hub_certificate_lock -> certificate as actor
-- $1 tenant, $2 hub, $3 certificate in lower case
SELECT name, certificate, der, is_verified, code, code_until, NULL::bytea AS crl, etag, created_at, updated_at
  FROM idscope.hub_certificate
 WHERE tenant_id = $1 AND hub_key = $2 AND name_key = $3
   FOR UPDATE;

-- name: hub_certificate_insert -> certificate as actor
-- $1 tenant, $2 hub, $3 name, $4 text, $5 DER, $6 whether somebody vouches for it, $7 how many a hub may have. No row: it has them.
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag),
     written AS (
    INSERT INTO idscope.hub_certificate (tenant_id, hub_key, name_key, name, certificate, der, is_verified, etag)
    SELECT $1, $2, lower($3::text COLLATE "C"), $3, $4, $5, $6, etag
      FROM made
     WHERE (SELECT count(*) FROM idscope.hub_certificate WHERE tenant_id = $1 AND hub_key = $2) < $7::bigint
    RETURNING hub_key, name_key, name, certificate, der, is_verified, code, code_until, etag, created_at, updated_at),
     noted AS (
    SELECT idscope.note('hub_certificate', hub_key || '/' || name_key, jsonb_build_object('change', 'created'), NULL, to_jsonb(written)) FROM written)
SELECT w.name, w.certificate, w.der, w.is_verified, w.code, w.code_until, NULL::bytea AS crl, w.etag, w.created_at, w.updated_at
  FROM written w, noted;

-- name: hub_certificate_update -> certificate as actor
-- $1 tenant, $2 hub, $3 certificate in lower case, $4 what is done to it, $5 text, $6 DER, $7 verified, $8 code, $9 its end, $10 no CRL
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS etag, now() AS moment),
     old AS (
    SELECT c AS was FROM idscope.hub_certificate c WHERE tenant_id = $1 AND hub_key = $2 AND name_key = $3 FOR NO KEY UPDATE),
     written AS (
    UPDATE idscope.hub_certificate c
       SET certificate = $5, der = $6, is_verified = $7, code = $8, code_until = $9,
           etag = CASE WHEN $4 = 'unchanged' THEN c.etag ELSE made.etag END,
           updated_at = CASE WHEN $4 = 'unchanged' THEN c.updated_at ELSE made.moment END
      FROM made, old
     WHERE c.tenant_id = $1 AND c.hub_key = $2 AND c.name_key = $3 AND $10::bytea IS NULL
    RETURNING c.hub_key, c.name_key, c.name, c.certificate, c.der, c.is_verified, c.code, c.code_until, c.etag, c.created_at, c.updated_at),
     noted AS (
    SELECT idscope.note('hub_certificate', hub_key || '/' || name_key, jsonb_build_object('change', $4::text), to_jsonb(was), to_jsonb(written)) FROM written, old)
SELECT w.name, w.certificate, w.der, w.is_verified, w.code, w.code_until, NULL::bytea AS crl, w.etag, w.created_at, w.updated_at
  FROM written w, noted;

-- name: hub_certificate_delete as actor
-- $1 tenant, $2 hub, $3 certificate in lower case
WITH written AS (
    DELETE FROM idscope.hub_certificate
     WHERE tenant_id = $1 AND hub_key = $2 AND name_key = $3
    RETURNING *)
SELECT idscope.note('hub_certificate', hub_key || '/' || name_key, jsonb_build_object('change', 'deleted'), to_jsonb(written), NULL) FROM written;
