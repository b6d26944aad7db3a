-- issuer.sql: the keys of outside issuers, as the worker fetches them. What fails leaves the keys that were there.

-- Where the keys of issuer $1 are found; no row: it is not trusted any more, or they are not to be fetched.
-- name: issuer_find -> issuer
SELECT issuer, keys_url FROM idscope.trusted_issuer WHERE issuer = $1 AND disabled_at IS NULL AND keys_from <> 'file';

-- Issuer $1 has the keys $2, which check by the algorithms $3, and no others.
-- name: issuer_keys_put
WITH known AS MATERIALIZED (
        SELECT issuer FROM idscope.trusted_issuer WHERE issuer = $1 AND keys_from <> 'file'
), made AS MATERIALIZED (
        SELECT now() AS moment
), gone AS (
        DELETE FROM idscope.issuer_key k USING known WHERE k.issuer = known.issuer AND k.kid <> ALL ($2::text[])
), put AS (
        INSERT INTO idscope.issuer_key (issuer, kid, algorithm, public_key)
        SELECT known.issuer, u.kid, u.algorithm, u.public_key
          FROM known CROSS JOIN unnest($2::text[], $3::text[], $4::bytea[]) AS u (kid, algorithm, public_key)
            ON CONFLICT (issuer, kid) DO UPDATE SET algorithm = excluded.algorithm, public_key = excluded.public_key)
UPDATE idscope.trusted_issuer i
   SET fetched_at = made.moment, failure = NULL
  FROM known, made
 WHERE i.issuer = known.issuer;

-- name: issuer_failed
UPDATE idscope.trusted_issuer SET failure = left($2::text, 300) WHERE issuer = $1;
