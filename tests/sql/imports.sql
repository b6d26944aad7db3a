-- Lists on their way in: which rows a step writes and which it refuses and why, by the rules of single writes; all or nothing; what is only
-- looked at; what is cancelled, abandoned, cleared away. The steps are run as the worker runs them, the rest as the api does.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.import; DELETE FROM idscope.import_enrollment; DELETE FROM idscope.import_registration; DELETE FROM idscope.import_error;

CREATE FUNCTION pg_temp.id(name text) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(name)::uuid $$;
CREATE FUNCTION pg_temp.begin(name text, kind text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
    SELECT t.put('import', jsonb_build_object('import_id', pg_temp.id(name), 'kind', kind, 'state', 'running') || more) $$;
CREATE FUNCTION pg_temp.stage(name text, line int, id text, more jsonb DEFAULT '{}', tab text DEFAULT 'import_enrollment') RETURNS void LANGUAGE sql AS $$
    SELECT t.put(tab, jsonb_build_object('import_id', pg_temp.id(name), 'line', line, 'registration_key', lower(id), 'registration_id', id) || more) $$;
CREATE FUNCTION pg_temp.step(name text, at_most int DEFAULT 100, keep_ms bigint DEFAULT 1000000) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    next_ms bigint;
BEGIN
    SET LOCAL ROLE idscope_worker;
    next_ms := idscope.import_step(t.scope('a'), pg_temp.id(name), at_most, 3, 10, 60000, keep_ms, 700);
    RESET ROLE;
    RETURN next_ms;
END
$$;
-- Looks to the end; what the last step answered.
CREATE FUNCTION pg_temp.look(name text, at_most int DEFAULT 100) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    next_ms bigint;
BEGIN
    LOOP
        next_ms := pg_temp.step(name, at_most);
        EXIT WHEN (SELECT state FROM idscope.import WHERE import_id = pg_temp.id(name)) <> 'running';
    END LOOP;
    RETURN next_ms;
END
$$;
-- Writes as a whole; how many rows before the first bite in which one is refused.
CREATE FUNCTION pg_temp.write(name text, at_most int DEFAULT 100) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    b record;
    key text := '';
    line bigint := 0;
    digest bytea := '';
    done bigint := 0;
BEGIN
    SET LOCAL ROLE idscope_worker;
    LOOP
        SELECT * INTO b FROM idscope.import_write(t.scope('a'), pg_temp.id(name), key, line, digest, at_most, 3);
        EXIT WHEN coalesce(b.looked, 0) = 0 OR b.refused > 0;
        done := done + b.looked;
        key := b.to_key;
        line := b.to_line;
        digest := b.digest;
    END LOOP;
    RESET ROLE;
    PERFORM set_config('t.digest', digest::text, true);
    RETURN done;
END
$$;
CREATE FUNCTION pg_temp.move(name text, state text, rows bigint, fence bigint DEFAULT 7) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    held boolean;
BEGIN
    SET LOCAL ROLE idscope_worker;
    held := idscope.import_move(t.scope('a'), pg_temp.id(name), fence, state, rows, coalesce(current_setting('t.digest', true), '')::bytea, 1000);
    RESET ROLE;
    RETURN held;
END
$$;
CREATE FUNCTION pg_temp.job(name text) RETURNS void LANGUAGE sql AS $$
    SELECT t.put('job', jsonb_build_object('kind', 'import', 'subject', pg_temp.id(name)::text, 'fence', 7, 'attempt', 3)) $$;
CREATE FUNCTION pg_temp.says(name text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s/%s/%s', state, looked, written, refused) FROM idscope.import WHERE import_id = pg_temp.id(name) $$;
CREATE FUNCTION pg_temp.errors(name text) RETURNS text[] LANGUAGE sql AS $$
    SELECT array(SELECT format('%s %s %s', line, code, message) FROM idscope.import_error WHERE import_id = pg_temp.id(name) ORDER BY line) $$;
CREATE FUNCTION pg_temp.there(of text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM idscope.enrollment WHERE id_scope = t.scope('a') AND registration_key ~ of $$;

-- Row by row: the rules of single writes.
SELECT pg_temp.begin('rows', 'enrollment');
SELECT pg_temp.stage('rows', 1, 'New-1', '{"device_id": "Pump", "initial_twin": {"tags": {"a": 0.10}}, "iot_hubs": ["A.hub.example"]}'),
       pg_temp.stage('rows', 2, 'new-1'), pg_temp.stage('rows', 3, 'DEVICE-A'), pg_temp.stage('rows', 4, 'new-4', '{"iot_hubs": ["a.hub.example", "None.example"]}'),
       pg_temp.stage('rows', 5, 'new-5', '{"iot_hub_host_name": "none.example"}'), pg_temp.stage('rows', 6, 'new-6', '{"device_id": "device-a"}'),
       pg_temp.stage('rows', 7, 'a-7', '{"device_id": "Pump"}'), pg_temp.stage('rows', 8, 'new-8', '{"device_id": "pump", "provisioning_status": "disabled"}');
SELECT is(pg_temp.step('rows', 3), 0::bigint, 'there is more to do');
SELECT is(current_setting('synchronous_commit'), 'off', '… and before the last step none waits for the disk');
SET LOCAL synchronous_commit = on;
SELECT is(pg_temp.says('rows'), 'running 3/1/2', 'a bite was looked at');
SELECT is(pg_temp.step('rows'), 0::bigint);
SET LOCAL synchronous_commit = on;
SELECT is(pg_temp.step('rows'), 0::bigint);
SELECT is(current_setting('synchronous_commit'), 'on', 'the last one does');
SELECT is(pg_temp.says('rows'), 'succeeded 8/2/6', 'row by row: those that are good are there');
SELECT is(pg_temp.errors('rows'), ARRAY['2 400004 registrationId: line 1 has it already.', '3 409001 registrationId: there is one of this id.',
    '4 400004 iotHubs: none.example is not a linked hub of this instance.', '5 400004 iotHubHostName: none.example is not a linked hub of this instance.',
    '6 400004 deviceId: device-a is the device id of the enrollment Device-a.', '7 400004 deviceId: Pump is the device id of line 1.'], 'the others, by line, each with its field and its rule');
SELECT is((SELECT array_agg(format('%s %s %s %s', registration_id, device_id, enabled, inputs_version = version) ORDER BY registration_key) FROM idscope.enrollment WHERE registration_key ~ '^new'),
          ARRAY['New-1 Pump t t', 'new-8 pump f t'], 'what was written is what was staged');
SELECT is((SELECT initial_twin::text FROM idscope.enrollment_detail WHERE registration_key = 'new-1'), '{"tags": {"a": 0.10}}', 'with its details');
-- The digest as whoever has the list computes it, of these of its lines.
CREATE FUNCTION pg_temp.digest(name text, keys text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    digest bytea := '';
    one jsonb;
BEGIN
    FOR one IN SELECT to_jsonb(e) - '{id_scope,import_id,line,attestation_sealed,webhook_sealed}'::text[] FROM idscope.import_enrollment e
                WHERE import_id = pg_temp.id(name) AND registration_key = ANY (keys) AND line = (SELECT min(line) FROM idscope.import_enrollment o WHERE o.import_id = e.import_id AND o.registration_key = e.registration_key)
                ORDER BY registration_key, e.line LOOP
        digest := sha256(digest || convert_to(one::text, 'UTF8'));
    END LOOP;
    RETURN encode(digest, 'hex');
END
$$;
-- What is noted of an import that has ended, and by whom.
CREATE FUNCTION pg_temp.noted(name text) RETURNS text[] LANGUAGE sql AS $$
    SELECT array(SELECT format('%s %s %s %s: %s %s %s of %s, %s refused, %s', actor_kind, actor_id, operation, kind, detail ->> 'change', detail ->> 'state', detail ->> 'count', detail ->> 'received', detail ->> 'refused', detail ->> 'sha256')
                   FROM idscope.audit_event WHERE key = t.scope('a') || '/' || pg_temp.id(name)::text ORDER BY id) $$;
SELECT is(pg_temp.noted('rows'), ARRAY['client x enrollment_import import: imported succeeded 2 of 0, 6 refused, ' || pg_temp.digest('rows', '{new-1,new-8}')], 'one event says how many were written, with their digest, on behalf of who sent the list');
SELECT is((SELECT count(*) FROM idscope.audit_event WHERE kind = 'enrollment'), 0::bigint, 'and no row has one of its own');

-- All or nothing: all is looked at, step by step, before the first row is written.
SELECT pg_temp.begin('whole', 'enrollment', '{"whole": true}');
SELECT pg_temp.stage('whole', 1, 'whole-1'), pg_temp.stage('whole', 2, 'whole-2'), pg_temp.stage('whole', 3, 'device-a');
SELECT pg_temp.step('whole', 1);
SELECT is(pg_temp.says('whole'), 'running 1/0/1', 'all or nothing is looked at in steps');
SELECT is(pg_temp.look('whole', 1), 0::bigint);
SELECT is(pg_temp.says('whole'), 'failed 3/0/1', '… one was refused');
SELECT is(pg_temp.there('^whole'), 0::bigint, '… so none is there');
SELECT pg_temp.begin('parsed', 'enrollment', '{"whole": true, "refused": 1}');
SELECT pg_temp.stage('parsed', 1, 'parsed-1');
SELECT pg_temp.look('parsed');
SELECT is(pg_temp.says('parsed') || pg_temp.there('^parsed'), 'failed 1/0/10', 'nor is any when one was refused as it came');
SELECT pg_temp.begin('tried', 'enrollment', '{"whole": true, "dry": true}');
SELECT pg_temp.stage('tried', 1, 'tried-1');
SELECT pg_temp.look('tried');
SELECT is(pg_temp.says('tried'), 'succeeded 1/0/0', 'nor when it is only tried');
SELECT pg_temp.begin('good', 'enrollment', '{"whole": true}');
SELECT pg_temp.stage('good', n, 'whole-' || n) FROM generate_series(1, 20) n;
SELECT pg_temp.job('good');
SELECT is(pg_temp.look('good', 6), 700::bigint, 'one that is good is written once what began before has ended');
SELECT is(pg_temp.says('good') || pg_temp.there('^whole'), 'writing 20/0/00', '… and nothing is there before');
SELECT is(pg_temp.step('good'), -2::bigint, '… which is no matter of steps');
SELECT t.run('import_cancel', format('%L, %L', t.scope('a'), pg_temp.id('good')));
SELECT is(pg_temp.says('good'), 'writing 20/0/0', 'it cannot be cancelled any more');
SELECT is(pg_temp.move('good', 'writing', 5), true, 'how far it is …');
SELECT is((SELECT format('%s %s', i.written, extract(epoch FROM j.due_at - clock_timestamp()) BETWEEN 0.5 AND 1) FROM idscope.import i JOIN idscope.job j ON j.subject = i.import_id::text WHERE i.import_id = pg_temp.id('good')),
          '5 t', '… is told beside it, and whose it is');
SELECT is(pg_temp.move('good', 'writing', 6, 6), false, 'but by nobody whose lease is over');
SELECT is(pg_temp.write('good', 6), 20::bigint);
SELECT is(pg_temp.there('^whole'), 20::bigint, 'all are written');
SELECT is(pg_temp.move('good', 'succeeded', 20), true);
SELECT is(pg_temp.says('good'), 'succeeded 20/20/0');
SELECT is(pg_temp.move('good', 'succeeded', 20), false, 'once');
SELECT is(pg_temp.noted('good'), ARRAY['client x enrollment_import import: imported succeeded 20 of 0, 0 refused, ' || pg_temp.digest('good', array(SELECT 'whole-' || n FROM generate_series(1, 20) n))],
          'one event, whatever the bites were');
SELECT is(pg_temp.noted('whole'), ARRAY['client x enrollment_import import: imported failed 0 of 0, 1 refused, '], 'one of which nothing was written has its event too');
-- What was good and is not any more.
SELECT pg_temp.begin('late', 'enrollment', '{"whole": true}');
SELECT pg_temp.stage('late', n, 'late-' || n) FROM generate_series(1, 9) n;
SELECT pg_temp.job('late');
SELECT pg_temp.look('late', 6);
SELECT t.put('enrollment', '{"registration_key": "late-8", "registration_id": "late-8"}');
SELECT is(pg_temp.write('late', 6), 6::bigint, 'a row that is refused while they are written ends that');
SELECT is(pg_temp.move('late', 'running', 0), true);
DELETE FROM idscope.enrollment WHERE registration_key ~ '^late' AND registration_key <> 'late-8';
SELECT is(pg_temp.says('late'), 'running 0/0/0', '… and all are looked at again');
SELECT pg_temp.look('late', 6);
SELECT is(pg_temp.says('late') || pg_temp.errors('late')::text, 'failed 9/0/1{"8 409001 registrationId: there is one of this id."}', '… so that its line is told');
-- An instance that is deleted meanwhile.
SELECT pg_temp.begin('orphan', 'enrollment', '{"whole": true}');
SELECT pg_temp.stage('orphan', 1, 'orphan-1');
SELECT pg_temp.job('orphan');
SELECT pg_temp.look('orphan');
SAVEPOINT retired;
UPDATE idscope.scope SET retired_at = now() WHERE id_scope = t.scope('a');
SELECT is(pg_temp.move('orphan', 'succeeded', 1), false, 'nothing is written into an instance that is deleted meanwhile');
ROLLBACK TO retired;
UPDATE idscope.import SET state = 'cancelled' WHERE import_id = pg_temp.id('orphan');
-- No bound: more rows than any step has.
INSERT INTO idscope.import_enrollment
SELECT e.id_scope, pg_temp.id('many'), n, e.of_group, 'many-' || n, 'Many-' || n, NULL, e.attestation_type, e.attestation_sealed, NULL, NULL, e.provisioning_status, NULL, NULL, NULL,
       e.update_hub_assignment, e.migrate_device_data, e.iot_edge, NULL, NULL, NULL
  FROM idscope.import_enrollment e, generate_series(1, 60000) n
 WHERE e.import_id = pg_temp.id('orphan');
SELECT pg_temp.begin('many', 'enrollment', '{"whole": true}');
SELECT pg_temp.job('many');
SELECT pg_temp.look('many', 20000);
SELECT is(pg_temp.write('many', 20000), 60000::bigint, '60,000 rows are written as one');
SELECT is(pg_temp.there('^many'), 60000::bigint);
SELECT pg_temp.move('many', 'succeeded', 60000);
SELECT is(pg_temp.says('many'), 'succeeded 60000/60000/0');
DELETE FROM idscope.enrollment WHERE registration_key ~ '^many';

-- Only looked at.
SELECT pg_temp.begin('dry', 'enrollment', '{"dry": true}');
SELECT pg_temp.stage('dry', 1, 'dry-1'), pg_temp.stage('dry', 2, 'dry-2', '{"device_id": "Pump"}');
SELECT pg_temp.step('dry'), pg_temp.step('dry');
SELECT is(pg_temp.says('dry') || pg_temp.there('^dry'), 'succeeded 2/0/10', 'a dry run finds what is wrong and writes nothing');
SELECT is(pg_temp.errors('dry'), ARRAY['2 400004 deviceId: Pump is the device id of the enrollment New-1.']);

-- Groups are as many as there may be.
SELECT pg_temp.begin('groups', 'enrollmentGroup');
SELECT pg_temp.stage('groups', n, 'hall-' || n, '{"of_group": true}') FROM generate_series(1, 5) n;
SELECT pg_temp.step('groups', 2), pg_temp.step('groups', 2), pg_temp.step('groups', 2);
SELECT is(pg_temp.says('groups'), 'running 5/3/2', 'no more groups than an instance may have');
SELECT is((SELECT count(*) FROM idscope.import_error WHERE import_id = pg_temp.id('groups') AND code = 403001), 2::bigint);
DELETE FROM idscope.enrollment WHERE of_group AND registration_key = (SELECT max(registration_key) FROM idscope.enrollment WHERE of_group AND registration_key LIKE 'hall-%');
SELECT pg_temp.begin('groups again', 'enrollmentGroup');
SELECT pg_temp.stage('groups again', n, 'hall-' || n, '{"of_group": true}') FROM unnest(ARRAY[1, 2, 9]) n;
SELECT pg_temp.step('groups again'), pg_temp.step('groups again');
SELECT is(pg_temp.errors('groups again'), ARRAY['1 409001 enrollmentGroupId: there is one of this id.', '2 409001 enrollmentGroupId: there is one of this id.'],
          'those that are there already take no room from one that is not');

-- Registrations: of devices that have a hub.
SELECT t.put('enrollment', '{"of_group": true, "registration_key": "hall", "registration_id": "Hall", "inputs_version": 7}');
SELECT t.put('enrollment', '{"registration_key": "own", "registration_id": "own", "inputs_version": 5}');
SELECT pg_temp.begin('states', 'registration');
SELECT pg_temp.stage('states', 1, 'Own', '{"enrollment_group": "Hall"}', 'import_registration'),
       pg_temp.stage('states', 2, 'of-group', '{"enrollment_group": "Hall", "created_at": "2025-01-01", "updated_at": "2025-02-01"}', 'import_registration'),
       pg_temp.stage('states', 3, 'stranger', '{}', 'import_registration'), pg_temp.stage('states', 4, 'lost', '{"enrollment_group": "none"}', 'import_registration'),
       pg_temp.stage('states', 5, 'own-too', '{"enrollment_group": "Hall", "assigned_hub": "none.example"}', 'import_registration'),
       pg_temp.stage('states', 6, 'device-a', '{}', 'import_registration'), pg_temp.stage('states', 7, 'own', '{}', 'import_registration');
SELECT pg_temp.step('states'), pg_temp.step('states');
SELECT is(pg_temp.says('states'), 'succeeded 7/2/5', 'registrations');
SELECT is(pg_temp.errors('states'), ARRAY['3 404201 registrationId: there is no enrollment of this id, and enrollmentGroupId names none.', '4 404201 enrollmentGroupId: there is no enrollment group none.',
    '5 400004 assignedHub: none.example is not a linked hub of this instance.', '6 409001 registrationId: there is a registration of this id.', '7 400004 registrationId: line 1 has it already.']);
SELECT results_eq($$SELECT registration_id, status::text, assigned_hub, region, enrollment_group::text, enrollment_inputs, scope_inputs, enrollment_version, created_at < '2025-01-02' FROM idscope.registration WHERE registration_key IN ('own', 'of-group') ORDER BY registration_key$$,
                  $$VALUES ('of-group', 'assigned', 'a.hub.example', NULL::text, 'Hall' COLLATE "C", 7::bigint, 1::bigint, NULL::bigint, true), ('Own', 'assigned', 'a.hub.example', NULL, NULL, 5, 1, NULL, false)$$,
                  'they stand where the list says, by the inputs of today, with credentials that no hub is known to hold');

-- Pieces: each says what came before it, so that none is taken when one is missing; the worker is told of the last.
SELECT pg_temp.begin('pieces', 'enrollment', '{"state": "receiving"}');
SELECT t.put('job', jsonb_build_object('kind', 'import', 'subject', pg_temp.id('pieces')::text, 'due_at', 'infinity'));
CREATE FUNCTION pg_temp.receive(rows int, before int, last boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM t.run('import_receive', format('%L, %L, %s, 0, %L, %s', t.scope('a'), pg_temp.id('pieces'), rows, last, before));
    RETURN (SELECT format('%s %s %s', state, received, EXISTS (SELECT 1 FROM idscope.job WHERE subject = import_id::text AND due_at <= now())) FROM idscope.import WHERE import_id = pg_temp.id('pieces'));
END
$$;
SELECT is(pg_temp.receive(700, 0, false), 'receiving 700 f', 'a piece');
SELECT is(pg_temp.receive(700, 1400, false), 'receiving 700 f', 'one behind a piece that is not there is not taken');
SELECT is(pg_temp.receive(5, 0, true), 'receiving 700 f', '… nor one that came before');
SELECT is(pg_temp.receive(300, 700, true), 'running 1000 t', 'the last one makes the job due');
SELECT is(pg_temp.receive(1, 1000, true), 'running 1000 t', 'behind the last comes nothing');

-- Cancelled, abandoned, cleared away.
SELECT pg_temp.begin('halt', 'enrollment');
SELECT pg_temp.stage('halt', 1, 'halt-1'), pg_temp.stage('halt', 2, 'halt-2');
SELECT pg_temp.step('halt', 1);
SELECT t.put('job', jsonb_build_object('kind', 'import', 'subject', pg_temp.id('halt')::text, 'due_at', 'infinity'));
SELECT t.run('import_cancel', format('%L, %L', t.scope('a'), pg_temp.id('halt')));
SELECT matches(array_to_string(pg_temp.noted('halt'), ' and '), '^[^:]* import: cancelled cancelled 1 of 0, 0 refused, ' || pg_temp.digest('halt', '{halt-1}') || '$', 'who cancels it ends it: their event says what was written');
SELECT is((SELECT due_at <= now() AND fence > 0 FROM idscope.job WHERE subject = pg_temp.id('halt')::text), true, '… and its job due, whoever has it');
SELECT pg_temp.step('halt', 1);
SELECT is(pg_temp.says('halt') || pg_temp.there('^halt'), 'cancelled 1/1/01', 'what was written stays, and nothing more is');
SELECT pg_temp.begin('gone', 'enrollment', jsonb_build_object('state', 'receiving', 'updated_at', now() - interval '2 minutes'));
SELECT is(pg_temp.step('gone'), 0::bigint);
SELECT is((SELECT state || ': ' || message FROM idscope.import WHERE import_id = pg_temp.id('gone')), 'failed: The body did not arrive whole.', 'a body that does not go on ends it');
SELECT is(pg_temp.noted('gone'), ARRAY['client x enrollment_import import: imported failed 0 of 0, 0 refused, '], '… which is told as well');
SELECT is((SELECT count(*) FROM idscope.import i WHERE state IN ('succeeded', 'failed') AND (SELECT count(*) FROM idscope.audit_event WHERE key = id_scope || '/' || import_id::text) <> 1), 0::bigint, 'each that has ended by itself has one event');
SELECT pg_temp.begin('slow', 'enrollment', '{"state": "receiving"}');
SELECT is(pg_temp.step('slow'), 60000::bigint, '… one that does is waited for');
SELECT is(pg_temp.step('good'), 0::bigint, 'what an import that has ended left behind goes');
SELECT is(pg_temp.step('good'), 1000000::bigint, '… then it is kept for who asks');
UPDATE idscope.import SET updated_at = now() - interval '1 hour' WHERE import_id = pg_temp.id('good');
SELECT is(pg_temp.step('good'), -1::bigint, '… and then forgotten');
SELECT is((SELECT count(*) FROM idscope.import WHERE import_id = pg_temp.id('good')) + (SELECT count(*) FROM idscope.import_enrollment WHERE import_id = pg_temp.id('good')), 0::bigint);
SELECT is(pg_temp.step('good'), -1::bigint, 'one that is gone is no work');

SELECT * FROM finish();
ROLLBACK;
