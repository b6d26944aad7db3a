-- Registrations are counted in rounds of bites: what is asked is the last whole round, whatever the one that runs has counted.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.count_round; DELETE FROM idscope.registration_count; DELETE FROM idscope.registration;

CREATE FUNCTION pg_temp.count_bite(at_most int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    more text;
BEGIN
    EXECUTE replace((SELECT text FROM t.statement WHERE name = 'sweep_count_registrations'), '$1', at_most::text) INTO more;
    RETURN more;
END
$$;
CREATE FUNCTION pg_temp.round() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE pg_temp.count_bite(3) = 'true' LOOP
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.told(who text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    told text[];
BEGIN
    EXECUTE format('SELECT array_agg(concat_ws('' '', status, hub, enrollment_group, registrations) ORDER BY status, hub, enrollment_group) FROM (%s) q',
                   replace((SELECT text FROM t.statement WHERE name = 'registration_counts'), '$1', quote_literal(t.scope(who)))) INTO told;
    RETURN told;
END
$$;

SELECT t.put('registration', jsonb_build_object('registration_key', 'd-' || n, 'registration_id', 'D-' || n, 'status', 'assigned', 'substatus', 'initialAssignment',
             'assigned_hub', CASE WHEN n < 6 THEN 'One.example' ELSE 'two.example' END, 'device_id', 'd')
             || CASE WHEN n > 7 THEN '{"enrollment_group": "Hall", "derived_from": "x"}'::jsonb || jsonb_build_object('derived_from', 'd-' || n) ELSE '{}' END, who)
  FROM generate_series(1, 10) n, unnest(ARRAY['a', 'b']) who;
SELECT t.put('registration', '{"registration_key": "f", "registration_id": "f", "status": "failed", "error_code": 400208}');

SELECT is(pg_temp.count_bite(3), NULL, 'nobody counts yet');
INSERT INTO idscope.count_round (name) VALUES ('registrations');
SELECT is(pg_temp.told('a'), NULL, 'so there is nothing to tell');
SELECT is(pg_temp.count_bite(3), 'true', 'a bite');
SELECT is(pg_temp.told('a'), NULL, '… is no round');
SELECT pg_temp.round();
SELECT is(pg_temp.told('a'), ARRAY['assigned 10', 'failed 1', 'one.example 5', 'two.example 5', 'hall 3', '11'], 'a round is told');
SELECT is(pg_temp.told('b'), ARRAY['assigned 10', 'one.example 5', 'two.example 5', 'hall 3', '10'], '… of each scope its own');
SELECT is(pg_temp.told('c'), ARRAY['0'], '… of one without registrations that there are none');
UPDATE idscope.registration SET assigned_hub = 'two.example' WHERE registration_key = 'd-1';
DELETE FROM idscope.registration WHERE registration_key = 'f';
SELECT pg_temp.count_bite(3), pg_temp.count_bite(3);
SELECT is(pg_temp.told('a'), ARRAY['assigned 10', 'failed 1', 'one.example 5', 'two.example 5', 'hall 3', '11'], 'while the next one runs, the last one stands');
SELECT pg_temp.round();
SELECT is(pg_temp.told('a'), ARRAY['assigned 10', 'one.example 4', 'two.example 6', 'hall 3', '10'], '… until it is whole: what is gone counts no more');
SELECT pg_temp.round(), pg_temp.round();
SELECT is(pg_temp.told('a'), ARRAY['assigned 10', 'one.example 4', 'two.example 6', 'hall 3', '10'], 'round after round the same');
SELECT ok((SELECT counted_at <= now() FROM idscope.count_round), 'with the time of the last one');

SELECT * FROM finish();
ROLLBACK;
