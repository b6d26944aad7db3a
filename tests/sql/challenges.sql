-- What the statements of challenges do: one open nonce for each device, which nobody takes from it; met once; over when its time is; of one device.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.challenge;

-- Each for one device of scope a (or the one that is named), with what has to be said of it.
CREATE FUNCTION pg_temp.opens(device text, sealed text, scope_version bigint DEFAULT 1, scope text DEFAULT '0ne0000000a') RETURNS void LANGUAGE sql AS $$
    SELECT t.run('challenge_open', format('ARRAY[%L], ARRAY[''d''], ARRAY[%s]::bigint[], ARRAY[%L]::bytea[], ARRAY[%L]::bytea[], 600000, 300000',
                                          scope, scope_version, '\x' || repeat(device, 64), sealed), 'idscope_api')
$$;
CREATE FUNCTION pg_temp.meets(sealed text, root text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    SELECT t.run('challenge_meet', format('ARRAY[%L], ARRAY[''d''], ARRAY[%L]::bytea[], ARRAY[%L]::bytea[], 3600000', t.scope('a'), sealed, root), 'idscope_api')
$$;
SELECT format('PREPARE look AS %s', text) FROM t.statement WHERE name = 'challenge_look' \gexec
CREATE FUNCTION pg_temp.standing() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s open %s met %s root %s', left(encode(device, 'hex'), 1), open_sealed, met_sealed, met_root) FROM idscope.challenge
$$;

SELECT pg_temp.opens('a', '\x01');
SELECT is(pg_temp.standing(), 'a open \x01 met  root ', 'a challenge is opened');
SELECT pg_temp.opens('a', '\x02');
SELECT is(pg_temp.standing(), 'a open \x01 met  root ', 'and nobody who asks for another takes it away');
SELECT results_eq(format('EXECUTE look (ARRAY[%L, %1$L], ARRAY[''none'', ''d''], 300000)', t.scope('a')),
                  $$VALUES (2::bigint, '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea, '\x01'::bytea, true, NULL::bytea, NULL::bytea)$$, 'it is found');
UPDATE idscope.challenge SET open_until = now() + interval '4 minutes';
SELECT results_eq(format('EXECUTE look (ARRAY[%L], ARRAY[''d''], 300000)', t.scope('a')),
                  $$VALUES (1::bigint, '\xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'::bytea, '\x01'::bytea, false, NULL::bytea, NULL::bytea)$$, 'one that is over soon is good, and not told again');
SELECT pg_temp.opens('a', '\x03');
SELECT is(pg_temp.standing(), 'a open \x03 met  root ', 'for that there is a new one');
SELECT is((SELECT row(open_until, ends_at) FROM idscope.challenge), row(now() + interval '10 minutes', now() + interval '10 minutes'), 'which lives for ten minutes');

SELECT pg_temp.meets('\x01');
SELECT is(pg_temp.standing(), 'a open \x03 met  root ', 'what is not open is not met');
SELECT pg_temp.meets('\x03', '\x77');
SELECT is(pg_temp.standing(), 'a open  met \x03 root \x77', 'what is open is met, with what was shown');
SELECT is((SELECT ends_at FROM idscope.challenge), now() + interval '1 hour', 'and good for polls for an hour');
SELECT pg_temp.meets('\x03', '\x88');
SELECT is(pg_temp.standing(), 'a open  met \x03 root \x77', 'once');
SELECT pg_temp.opens('a', '\x04');
SELECT is(pg_temp.standing(), 'a open \x04 met \x03 root \x77', 'the next one is open beside it');
SELECT is((SELECT ends_at FROM idscope.challenge), now() + interval '1 hour', 'and shortens no life');
UPDATE idscope.challenge SET open_until = now();
SELECT pg_temp.meets('\x04');
SELECT is(pg_temp.standing(), 'a open \x04 met \x03 root \x77', 'one that is over is not met');
SELECT is_empty(format('SELECT FROM (%s) found WHERE open_sealed IS NOT NULL', (SELECT replace(replace(replace(text, '$1', quote_literal(ARRAY[t.scope('a')])), '$2', '''{d}'''), '$3', '0') FROM t.statement WHERE name = 'challenge_look')),
                'and not found');
SELECT pg_temp.opens('b', '\x05');
SELECT is(pg_temp.standing(), 'b open \x05 met  root ', 'another device of the enrollment has none of the first one''s');
SELECT pg_temp.opens('a', '\x06', 2);
SELECT is(pg_temp.standing(), 'b open \x05 met  root ', 'an instance that changed opens none');
UPDATE idscope.scope SET retired_at = now() WHERE id_scope = t.scope('b');
SELECT pg_temp.opens('b', '\x07', 1, t.scope('b'));
SELECT is((SELECT count(*) FROM idscope.challenge), 1::bigint, 'and one that was deleted neither');

-- The sweep.
SELECT t.put('challenge', jsonb_build_object('ends_at', now() - interval '1 second', 'registration_key', 'over'));
SELECT t.run('sweep_challenges', '1000', 'idscope_worker');
SELECT results_eq('SELECT registration_key FROM idscope.challenge', $$VALUES ('d' COLLATE "C")$$, 'what is over goes, and nothing else');

SELECT * FROM finish();
ROLLBACK;
