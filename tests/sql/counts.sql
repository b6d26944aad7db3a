-- Enrollments and registrations are counted in rounds of bites: what is asked is the last whole round, whatever the one that runs has counted.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.count_round; DELETE FROM idscope.list_count; DELETE FROM idscope.registration; DELETE FROM idscope.enrollment;

CREATE FUNCTION pg_temp.count_bite(at_most int, round text = 'registrations') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    more text;
BEGIN
    EXECUTE replace(replace((SELECT text FROM t.statement WHERE name = 'sweep_count'), '$1', at_most::text), '$2', quote_literal(round)) INTO more;
    RETURN more;
END
$$;
CREATE FUNCTION pg_temp.round(round text = 'registrations') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE pg_temp.count_bite(3, round) = 'true' LOOP
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.told(who text, list text = 'registrations', round text = 'registrations') RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    told text[];
BEGIN
    EXECUTE format('SELECT array_agg(concat_ws('' '', nullif(value, ''''), entries) ORDER BY member, value) FROM (%s) q',
                   replace(replace(replace((SELECT text FROM t.statement WHERE name = 'list_counts'), '$1', quote_literal(t.scope(who))), '$2', quote_literal(list)), '$3', quote_literal(round))) INTO told;
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
SELECT is(pg_temp.told('a'), ARRAY['11', 'one.example 5', 'two.example 5', 'hall 3', 'assigned 10', 'failed 1'], 'a round is told');
SELECT is(pg_temp.told('b'), ARRAY['10', 'one.example 5', 'two.example 5', 'hall 3', 'assigned 10'], '… of each scope its own');
SELECT is(pg_temp.told('c'), ARRAY['0'], '… of one without registrations that there are none');
UPDATE idscope.registration SET assigned_hub = 'two.example' WHERE registration_key = 'd-1';
DELETE FROM idscope.registration WHERE registration_key = 'f';
SELECT pg_temp.count_bite(3), pg_temp.count_bite(3);
SELECT is(pg_temp.told('a'), ARRAY['11', 'one.example 5', 'two.example 5', 'hall 3', 'assigned 10', 'failed 1'], 'while the next one runs, the last one stands');
SELECT pg_temp.round();
SELECT is(pg_temp.told('a'), ARRAY['10', 'one.example 4', 'two.example 6', 'hall 3', 'assigned 10'], '… until it is whole: what is gone counts no more');
SELECT pg_temp.round(), pg_temp.round();
SELECT is(pg_temp.told('a'), ARRAY['10', 'one.example 4', 'two.example 6', 'hall 3', 'assigned 10'], 'round after round the same');
SELECT ok((SELECT counted_at <= now() FROM idscope.count_round), 'with the time of the last one');

-- Of enrollments, single ones and groups in the same round.
SELECT t.put('enrollment', jsonb_build_object('registration_key', 'd-' || n, 'registration_id', 'd-' || n, 'enabled', n > 1, 'allocation_policy', CASE WHEN n < 3 THEN 'static' END,
             'iot_hub_host_name', CASE WHEN n < 3 THEN 'One.example' END, 'iot_hubs', CASE WHEN n < 5 THEN '{ONE.example,two.example}' END)) FROM generate_series(1, 8) n;
SELECT t.put('enrollment', jsonb_build_object('of_group', true, 'registration_key', 'g-' || n, 'registration_id', 'g-' || n, 'attestation_type', 'x509')) FROM generate_series(1, 4) n;
INSERT INTO idscope.count_round (name) VALUES ('enrollments');
SELECT pg_temp.round('enrollments');
SELECT is(pg_temp.told('a', 'enrollments', 'enrollments'), ARRAY['8', 'static 2', 'symmetricKey 8', 'one.example 4', 'two.example 4', 'disabled 1', 'enabled 7'],
          'enrollments by policy, attestation, hub (each once, however often an entry names it) and status');
SELECT is(pg_temp.told('a', 'enrollmentGroups', 'enrollments'), ARRAY['4', 'x509 4', 'enabled 4'], '… groups are a list of their own');
SELECT is(pg_temp.told('b', 'enrollments', 'enrollments'), ARRAY['0'], '… and those of another scope are its own');

SELECT * FROM finish();
ROLLBACK;
