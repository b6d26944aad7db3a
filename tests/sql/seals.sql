-- Sealed values are sealed anew by their columns: every column with such values is known, whatever was written meanwhile stays, and nobody is waited for.
-- That the identities are right, which only a key can tell, is held by tests/flow/suites/reseal.js.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

SELECT set_eq('SELECT tab || ''.'' || col FROM idscope.sealed_column',
              $$SELECT relname || '.' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped AND attname LIKE '%\_sealed'$$,
              'every column with sealed values is sealed anew, and nothing else is');
SELECT set_eq($$SELECT relname || '.' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped AND atttypid = 'bytea'::regtype AND attname !~ '_sealed$'$$,
              $$VALUES ('service_principal.secret_sha256'), ('service_principal.secret_before_sha256'), ('challenge.device'), ('challenge.met_root'), ('certificate.der'), ('hub_certificate.der'), ('certificate.crl'), ('issuer_key.public_key'), ('audit_block.digests'), ('audit_block.hash'), ('audit_block.previous'), ('audit_chain.hash'), ('audit_chain.cut_hash'), ('import.digest'), ('alloc_input.hash')$$,
              'no bytes but these stand in a column whose name does not say that they are sealed');

-- One value under key 1 in each column, of tenant a's rows and b's.
CREATE TEMP TABLE heads AS SELECT '\x0100000001'::bytea AS old, '\x0100000002'::bytea AS new;
DO $$
DECLARE
    c record;
BEGIN
    UPDATE idscope.linked_hub SET hub_key = NULL, secondary_key_name = 'second', primary_sealed = '', secondary_sealed = '';
    UPDATE idscope.challenge SET open_until = now(), met_until = now(), open_sealed = '', met_sealed = '';
    FOR c IN SELECT * FROM idscope.sealed_column LOOP
        EXECUTE format('UPDATE idscope.%I SET %I = (SELECT old || decode(md5(random()::text), ''hex'') FROM heads)', c.tab, c.col);
    END LOOP;
END $$;

-- What the operator's command does, by its own statements: a page behind a place, in which each value gets another head.
CREATE FUNCTION pg_temp.step(tab text, col text, after text, looked bigint, at_most bigint, OUT seen bigint, OUT written bigint, OUT came_to text) LANGUAGE plpgsql AS $$
DECLARE
    places text[];
    olds bytea[];
BEGIN
    SET LOCAL ROLE idscope_admin;
    SELECT array_agg(place ORDER BY n), array_agg(sealed ORDER BY n) INTO places, olds
      FROM idscope.sealed_page(tab, col, '\x0100000002', after, looked, at_most) WITH ORDINALITY AS p (place, kind, owner, name, part, sealed, n);
    seen := coalesce(cardinality(places), 0);
    came_to := places[seen];
    written := idscope.sealed_write(tab, col, places, olds, ARRAY(SELECT '\x0100000002'::bytea || substr(o, 6) FROM unnest(olds) WITH ORDINALITY AS u (o, n) ORDER BY n));
    RESET ROLE;
END $$;
-- A page of one, the rest, and what is behind it.
CREATE TEMP TABLE moved AS
SELECT tab, col, ARRAY[one.seen, one.written, rest.seen, rest.written, none.seen] AS one_by_one
  FROM idscope.sealed_column, LATERAL pg_temp.step(tab, col, NULL, 10, 1) AS one, LATERAL pg_temp.step(tab, col, one.came_to, 10, 10) AS rest,
       LATERAL pg_temp.step(tab, col, rest.came_to, 10, 10) AS none;
SELECT is(one_by_one, '{1,1,1,1,0}', format('%s.%s: a page of one, and the rest', tab, col)) FROM moved;
SELECT is((pg_temp.step(tab, col, NULL, 10, 10)).seen, 0::bigint, format('%s.%s: nothing is under the old key any more', tab, col)) FROM idscope.sealed_column;
SET LOCAL ROLE idscope_admin;
SELECT results_eq($$SELECT place, sealed IS NULL FROM idscope.sealed_page('token_key', 'private_sealed', '\x0100000002', NULL, 1, 10)$$, $$VALUES ('["kid-a"]', true)$$, 'a page that looks at one row says which');
SELECT results_eq($$SELECT place, kind, owner, name, part, sealed FROM idscope.sealed_page('token_key', 'private_sealed', '\x0100000003', '["kid-a"]', 1, 10)$$,
                  $$SELECT '["kid-b"]', 'token_key', 'kid-b', '', 'private', private_sealed FROM idscope.token_key WHERE kid = 'kid-b'$$, 'and what stands there');
RESET ROLE;
SELECT is((SELECT array_agg(xmin::text <> '0' AND etag = '11111111-0000-4000-8000-000000000000') FROM idscope.enrollment), '{t,t}', 'no etag changes');
SELECT is((SELECT sum(version) FROM idscope.scope) + (SELECT sum(version) FROM idscope.hub_registry), 4::numeric, 'nor does a version');

-- What somebody has written meanwhile stays.
SELECT is(idscope.sealed_write('token_key', 'private_sealed', ARRAY['["kid-a"]', '["kid-none"]', '["kid-b"]'],
                               ARRAY['\x01000000015a'::bytea, '\x01000000015a', (SELECT private_sealed FROM idscope.token_key WHERE kid = 'kid-b')],
                               ARRAY['\x01'::bytea, '\x02', '\x03']), 1::bigint, 'where something else stands by now, or no row, nothing is written');
SELECT is((SELECT private_sealed FROM idscope.token_key WHERE kid = 'kid-b'), '\x03'::bytea, 'where it stands still, it is');
SELECT throws_ok('SELECT * FROM idscope.sealed_page(''token_key'', ''kid'', '''', NULL, 1, 1)', 'P0002', NULL, 'a column that is not listed is not read');
SELECT throws_ok('SELECT idscope.sealed_write(''instance'', ''name'', ''{}'', ''{}'', ''{}'')', 'P0002', NULL, 'nor written');

SELECT * FROM finish();
ROLLBACK;
