-- What the statements of a register hold themselves to: whose enrollment a device has, and that nothing is written which was decided on a world
-- that is gone.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.registration;
DELETE FROM idscope.job;
DELETE FROM idscope.enrollment;

SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name IN ('register_lookup', 'poll_lookup', 'register_write') \gexec
-- Two enrollment groups, and one that another scope has; their versions tell them apart.
SELECT t.put('enrollment', '{"of_group": true, "registration_key": "hall", "registration_id": "Hall", "version": 7}');
SELECT t.put('enrollment', '{"of_group": true, "registration_key": "yard", "registration_id": "yard", "version": 9}');
SELECT t.put('enrollment', '{"of_group": true, "registration_key": "far", "registration_id": "far", "version": 11}', 'b');

-- Whose is it: "group version"; a registration that remembers `remembered`, and an enrollment of its own where `own` says so.
CREATE FUNCTION pg_temp.stands(remembered text, own boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM idscope.registration;
    DELETE FROM idscope.enrollment WHERE NOT of_group;
    IF remembered IS NOT NULL THEN
        PERFORM t.put('registration', jsonb_build_object('enrollment_group', nullif(remembered, ''), 'derived_from', CASE remembered WHEN '' THEN NULL ELSE 'device-x' END));
    END IF;
    IF own THEN
        PERFORM t.put('enrollment', '{"version": 5}');
    END IF;
END
$$;
CREATE FUNCTION pg_temp.whose(remembered text, own boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    one record;
    polled record;
BEGIN
    PERFORM pg_temp.stands(remembered, own);
    EXECUTE format('EXECUTE register_lookup (ARRAY[%L], ARRAY[''device-x''], ''local'')', t.scope('a')) INTO one;
    EXECUTE format('EXECUTE poll_lookup (ARRAY[%L], ARRAY[''device-x''])', t.scope('a')) INTO polled;
    IF (one.group_key, one.attestation_sealed) IS DISTINCT FROM (polled.group_key, polled.attestation_sealed) THEN
        RETURN 'another for a poll';
    END IF;
    RETURN concat_ws(' ', coalesce(one.group_key, 'own'), one.enrollment_version, one.attestation_sealed);
END
$$;
SELECT is(pg_temp.whose(NULL, true), 'own 5 \x01', 'an enrollment of its own is found');
SELECT is(pg_temp.whose(NULL, false), 'own', 'a stranger has none');
SELECT is(pg_temp.whose('', false), 'own', 'nor has one whose enrollment is gone');
SELECT is(pg_temp.whose('HALL', false), 'hall 7 \x01', 'that of the group which is remembered is found, however it is spelled');
SELECT is(pg_temp.whose('Hall', true), 'own 5 \x01', 'its own comes before any group''s');
SELECT is(pg_temp.whose('gone', false), 'own', 'a group that is gone has none');
SELECT is(pg_temp.whose('far', false), 'own', 'nor has a group of another scope');

-- What comes of a register that was decided on the enrollment of that version (of that group), on an instance of that version: "rows jobs".
CREATE FUNCTION pg_temp.writes(by_group text, enrollment_version bigint, enabled boolean DEFAULT true, scope_version bigint DEFAULT 1) RETURNS text
    LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM idscope.registration;
    DELETE FROM idscope.job;
    EXECUTE format($f$EXECUTE register_write (ARRAY[%L], ARRAY['device-x'], ARRAY['Device-x'], ARRAY[%s]::bigint[], ARRAY[%s]::bigint[], ARRAY[%L]::boolean[],
        ARRAY[NULL]::uuid[], ARRAY[0]::bigint[], ARRAY[gen_random_uuid()], ARRAY['assigning'], ARRAY['local'], ARRAY[true], ARRAY[NULL]::bytea[],
        ARRAY[%L]::text[], ARRAY[%L]::text[])$f$, t.scope('a'), scope_version, enrollment_version, enabled, by_group, CASE WHEN by_group IS NOT NULL THEN 'device-x' END);
    RETURN format('%s %s', (SELECT count(*) FROM idscope.registration), (SELECT count(*) FROM idscope.job));
END
$$;
-- By whose distances its hub was chosen.
CREATE FUNCTION pg_temp.in_region(registered text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    PERFORM pg_temp.stands('', true);
    UPDATE idscope.registration SET region = registered WHERE registration_key = 'device-x';
    EXECUTE format('EXECUTE register_lookup (ARRAY[%L], ARRAY[''device-x''], ''local'')', t.scope('a')) INTO one;
    RETURN one.same_region;
END
$$;
SELECT is(pg_temp.in_region('local'), true, 'a hub that was chosen in the same region');
SELECT is(pg_temp.in_region('west'), false, 'in another one');
SELECT is(pg_temp.in_region(NULL), true, 'and one of which nobody knows where: it was imported');
SELECT pg_temp.stands(NULL, true);
SELECT is(pg_temp.writes(NULL, 5), '1 1', 'a register is written, and its job');
SELECT is(pg_temp.writes(NULL, 4), '0 0', 'not one that was checked against an enrollment of before');
SELECT is(pg_temp.writes(NULL, 5, false), '0 0', 'nor one that took it for disabled');
SELECT is(pg_temp.writes(NULL, 5, true, 2), '0 0', 'nor one of an instance of another version');
SELECT is(pg_temp.writes('Hall', 7), '0 0', 'nor one by a group when it got an enrollment of its own meanwhile');
SELECT is(pg_temp.writes('Hall', 5), '0 0', '… whatever its version');
SELECT pg_temp.stands(NULL, false);
SELECT is(pg_temp.writes('HALL', 7), '1 1', 'a group''s device is written');
SELECT is(pg_temp.writes('Hall', 9), '0 0', 'not by a group of another version');
SELECT is(pg_temp.writes('gone', 7), '0 0', 'nor by one that is gone');
SELECT is(pg_temp.writes('far', 11), '0 0', 'nor by one of another scope');
SELECT is(pg_temp.writes(NULL, 7), '0 0', 'nor by none');
UPDATE idscope.scope SET retired_at = now() WHERE id_scope = t.scope('a');
SELECT is(pg_temp.writes('Hall', 7), '0 0', 'nor in a scope that was retired');

SELECT * FROM finish();
ROLLBACK;
