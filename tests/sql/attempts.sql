-- The log of refused attempts: rings of slots, so that a flood makes no more rows than there are, pushes out nothing of the other ring or of another
-- scope, and leaves the newest. The statements are those of db/sql, run as the api runs them.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.attempt;
DELETE FROM idscope.attempt_ring;

-- Writes attempts numbered `first` to `last` in one call; 5 slots.
CREATE FUNCTION pg_temp.note(scope text, enrolled boolean, first int, last int) RETURNS void LANGUAGE sql AS $$
    SELECT t.run('attempt_write', format('%L, %L, %L, %L, %L, %L, %L, %L, %L, 5', array_agg(scope), array_agg(enrolled), array_agg('2026-01-01'::timestamptz + n * interval '1 second'),
                 array_agg(md5(n::text)::uuid), array_agg('device-' || n), array_agg('Device-' || n), array_agg(401002), array_agg('reason ' || n), array_agg(text '192.0.2.1')))
      FROM generate_series(first, last) n
$$;
-- What stands in the ring, oldest first.
CREATE FUNCTION pg_temp.ring(scope text, ring boolean) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(split_part(reason, ' ', 2), ' ' ORDER BY at) FROM idscope.attempt WHERE id_scope = scope AND enrolled = ring
$$;

SELECT pg_temp.note(t.scope('a'), true, 1, 3);
SELECT is(pg_temp.ring(t.scope('a'), true), '1 2 3', 'a ring begins');
SELECT pg_temp.note(t.scope('b'), true, 1, 1);
SELECT pg_temp.note(t.scope('a'), false, 1, 4);
SELECT pg_temp.note(t.scope('a'), false, 5, 11);
SELECT pg_temp.note(t.scope('a'), false, 12, 200);
SELECT is(pg_temp.ring(t.scope('a'), false), '196 197 198 199 200', 'a flood leaves its newest attempts, as many as there are slots');
SELECT is(pg_temp.ring(t.scope('a'), true), '1 2 3', 'and pushes out none of enrolled devices');
SELECT is(pg_temp.ring(t.scope('b'), true), '1', 'nor of another scope');
SELECT pg_temp.note(t.scope('a'), true, 4, 6);
SELECT is(pg_temp.ring(t.scope('a'), true), '2 3 4 5 6', 'a ring goes on over its oldest');
SELECT is((SELECT count(*) FROM idscope.attempt), 11::bigint, 'there are no other rows');
SELECT results_eq(format($$SELECT registration_key, registration_id, tracking_id, error_code, address FROM idscope.attempt WHERE id_scope = %L AND reason = 'reason 6'$$, t.scope('a')),
                  $$VALUES ('device-6' COLLATE "C", 'Device-6', md5('6')::uuid, 401002, '192.0.2.1')$$, 'what is written over is written whole');

UPDATE idscope.scope SET retired_at = now() WHERE id_scope = t.scope('b');
SELECT pg_temp.note(t.scope('b'), true, 2, 2);
SELECT is(pg_temp.ring(t.scope('b'), true), '1', 'nothing is written for an ID scope that is retired');

-- Pages.
CREATE FUNCTION pg_temp.page(params text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    all_of text := (SELECT text FROM t.statement WHERE name = 'attempt_list');
    found text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'page') THEN
        EXECUTE 'PREPARE page AS SELECT string_agg(split_part(reason, '' '', 2), '' '') FROM (' || all_of || ') page';
    END IF;
    EXECUTE format('EXECUTE page (%L, %s)', t.scope('a'), params) INTO found;
    RETURN found;
END
$$;
SELECT is(pg_temp.page($$NULL, NULL, '-infinity', 'infinity', NULL, NULL, 4$$), '200 199 198 197', 'newest first, of both rings');
SELECT is(pg_temp.page(format($$NULL, NULL, '-infinity', 'infinity', '2026-01-01 00:03:17', %L, 100$$, md5('197')::uuid)), '196 6 5 4 3 2', 'behind a place');
SELECT is(pg_temp.page($$'device-5', NULL, '-infinity', 'infinity', NULL, NULL, 100$$), '5', 'by registration id');
SELECT is(pg_temp.page(format($$NULL, %L, '-infinity', 'infinity', NULL, NULL, 100$$, md5('199')::uuid)), '199', 'by tracking id');
SELECT is(pg_temp.page($$NULL, NULL, '2026-01-01 00:00:05', '2026-01-01 00:03:17', NULL, NULL, 100$$), '196 6 5', 'from a time on and before another');

SELECT * FROM finish();
ROLLBACK;
