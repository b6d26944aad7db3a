-- The batch statements of the hot path and the claim of jobs keep their plan, whatever the tables hold and whatever the statistics say:
-- index look-ups by the whole key, never a scan of a table or of an index. Each is planned as a lane plans it, on empty tables, at 3,000
-- and at 1,000,000 enrollments and registrations, before and after ANALYZE, and on tables that were emptied and vacuumed, of which the planner
-- believes that they stay so; at the end it is run, and the pages it touches are counted.
\set ON_ERROR_STOP 1
\set QUIET 1

-- Rows from number `first` on: half of them in one scope, the rest over 500 scopes; every tenth device has a job.
CREATE FUNCTION pg_temp.load(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO idscope.enrollment (id_scope, registration_key, registration_id, attestation_type, attestation_sealed, etag)
    SELECT scope, 'device-' || n, 'device-' || n, 'symmetricKey', '\x00', md5(n::text)::uuid
      FROM generate_series(first, last) n, LATERAL (SELECT '0ne' || lpad(to_hex(CASE n % 2 WHEN 0 THEN 0 ELSE n % 1000 END), 8, '0')) s (scope);
    INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, region, operation_at, created_at, updated_at)
    SELECT id_scope, registration_key, registration_id, etag, 'assigning', 'local', now(), now(), now()
      FROM idscope.enrollment
     WHERE substr(registration_key, 8)::int BETWEEN first AND last;
    INSERT INTO idscope.found_identity (id_scope, device_id, host, seen_at)
    SELECT id_scope, registration_id, 'a.hub.example', now()
      FROM idscope.enrollment
     WHERE substr(registration_key, 8)::int BETWEEN first AND last;
    INSERT INTO idscope.challenge (id_scope, registration_key, device, open_sealed, open_until, ends_at)
    SELECT id_scope, registration_key, sha256(registration_key::bytea), '\x00', now(), now()
      FROM idscope.enrollment
     WHERE substr(registration_key, 8)::int BETWEEN first AND last AND registration_key LIKE '%3';
    INSERT INTO idscope.job (id_scope, kind, subject, due_at)
    SELECT id_scope, 'assign', registration_key, now()
      FROM idscope.enrollment
     WHERE substr(registration_key, 8)::int BETWEEN first AND last AND registration_key LIKE '%7'
$$;

-- Its pages stay, as those of a table that somebody reads meanwhile do: however much is written to them, the planner takes it for one row until the
-- next ANALYZE.
SELECT pg_temp.load(1, 3000);
DELETE FROM idscope.enrollment;
DELETE FROM idscope.registration;
DELETE FROM idscope.found_identity;
DELETE FROM idscope.challenge;
DELETE FROM idscope.job;
VACUUM (TRUNCATE false) idscope.enrollment, idscope.registration, idscope.found_identity, idscope.challenge, idscope.job;

BEGIN;
SELECT no_plan();
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL jit = off;

CREATE TEMP TABLE wanted (name text, who text, tables text[]);
INSERT INTO wanted VALUES
    ('register_lookup', 'idscope_api', '{enrollment,registration}'),
    ('register_write',  'idscope_api', '{enrollment,import,import_registration,registration,scope}'),
    ('poll_lookup',     'idscope_api', '{enrollment,registration}'),
    ('group_lookup',    'idscope_api', '{enrollment}'),
    ('job_due_scopes',  'idscope_worker', '{job,scope}'),
    ('challenge_look',  'idscope_api',    '{challenge}'),
    ('challenge_open',  'idscope_api',    '{challenge,scope}'),
    ('challenge_meet',  'idscope_api',    '{challenge}'),
    ('job_claim',       'idscope_worker', '{job}'),
    ('job_done',        'idscope_worker', '{job}'),
    ('job_put_back',    'idscope_worker', '{job}'),
    ('assign_look',     'idscope_worker', '{enrollment,enrollment_detail,found_identity,registration}'),
    ('assign_choose',   'idscope_worker', '{found_identity,job,registration}'),
    ('assign_wait',     'idscope_worker', '{found_identity,job,registration}'),
    ('assign_finish',   'idscope_worker', '{found_identity,job,registration}'),
    ('inventory_page',  'idscope_worker', '{registration}'),
    ('remove_is_named', 'idscope_worker', '{found_identity,registration}');
SELECT set_eq('SELECT name FROM t.statement WHERE name IN (SELECT name FROM wanted)', 'SELECT name FROM wanted', 'the statements stand in db/sql');

CREATE FUNCTION pg_temp.prepare_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT name, text FROM t.statement WHERE name IN (SELECT name FROM wanted) LOOP
        EXECUTE format('PREPARE %I AS %s', s.name, s.text);
    END LOOP;
END
$$;
SELECT pg_temp.prepare_all();

-- The nodes of the plan of a prepared statement, for whatever parameters.
CREATE FUNCTION pg_temp.nodes(called text, who text) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
    params text := (SELECT string_agg('NULL', ', ') FROM pg_prepared_statements p, unnest(p.parameter_types) WHERE p.name = called);
BEGIN
    IF params IS NULL THEN
        RETURN; -- not prepared: the test above tells
    END IF;
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE format('EXPLAIN (FORMAT JSON) EXECUTE %I (%s)', called, params) INTO plan;
    RESET ROLE;
    RETURN QUERY SELECT jsonb_path_query(plan, 'strict $.** ? (exists (@."Node Type"))');
END
$$;

-- What is wrong with the accesses to a table: each must go through an index (a bitmap of one look-up is one) by a condition that compares
-- the whole key (a column of a domain is compared as the text that it is). A claim names one scope and one kind and goes by what is due; the search for a scope with due work goes on behind the last.
CREATE FUNCTION pg_temp.faults(called text, who text, tab text) RETURNS text[] LANGUAGE sql AS $$
    WITH scan AS (
        SELECT n ->> 'Node Type' AS kind,
               regexp_replace(coalesce(n ->> 'Index Cond', n ->> 'Recheck Cond', ''), '\((\w+)\)::text', '\1', 'g') AS cond
          FROM pg_temp.nodes(called, who) n
         WHERE n ->> 'Relation Name' = tab AND n ->> 'Node Type' LIKE '%Scan')
    SELECT CASE WHEN NOT EXISTS (SELECT FROM scan) THEN ARRAY['no access at all']
           ELSE ARRAY(SELECT format('%s, %s', kind, cond) FROM scan
                       WHERE kind NOT IN ('Index Scan', 'Index Only Scan', 'Bitmap Heap Scan')
                          OR cond NOT LIKE CASE WHEN called = 'job_due_scopes' AND tab = 'job' THEN '%(id_scope > %' ELSE '%(id_scope = %' END
                          OR CASE tab WHEN 'job' THEN NOT (cond LIKE '%(kind = %' AND (called = 'job_due_scopes' OR cond ~ '\((due_at <=|(j\.)?subject =) '))
                                      WHEN 'scope' THEN false
                                      WHEN 'import' THEN false
                                      WHEN 'found_identity' THEN cond NOT LIKE '%(device_id = %'
                                      ELSE cond NOT LIKE CASE called WHEN 'group_lookup' THEN '%(of_group = true)%' ELSE '%(registration_key = %' END END)
           END
$$;
CREATE FUNCTION pg_temp.check_plans(state text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(pg_temp.faults(name, who, tab), '{}', format('%s: %s looks %s up by its key', state, name, tab))
      FROM wanted CROSS JOIN unnest(tables) AS tab ORDER BY name, tab
$$;

SELECT is((SELECT min(reltuples) || ' ' || max(reltuples) FROM pg_class WHERE oid IN ('idscope.enrollment'::regclass, 'idscope.registration'::regclass, 'idscope.challenge'::regclass, 'idscope.job'::regclass) AND relpages > 0),
          '0 0', 'the tables were vacuumed as empty ones');
SELECT pg_temp.check_plans('emptied and vacuumed');
SELECT pg_temp.load(1, 3000);
SELECT pg_temp.check_plans('emptied and vacuumed, then 3,000 rows');
TRUNCATE idscope.enrollment, idscope.enrollment_detail, idscope.registration, idscope.found_identity, idscope.challenge, idscope.job;
SELECT pg_temp.check_plans('empty');
SELECT pg_temp.load(1, 3000);
SELECT pg_temp.check_plans('3,000 rows, never analyzed');
ANALYZE idscope.enrollment, idscope.registration, idscope.found_identity, idscope.challenge, idscope.job;
SELECT pg_temp.check_plans('3,000 rows, analyzed');
INSERT INTO idscope.scope (id_scope, issued_to) SELECT DISTINCT '0ne' || lpad(to_hex(CASE n % 2 WHEN 0 THEN 0 ELSE n % 1000 END), 8, '0'), '00000000-0000-0000-0000-00000000000a'::uuid FROM generate_series(1, 1000) n;
SELECT pg_temp.load(3001, 1000000);
SELECT pg_temp.check_plans('1,000,000 rows, statistics of 3,000');
ANALYZE idscope.enrollment, idscope.registration, idscope.found_identity, idscope.challenge, idscope.job, idscope.scope;
SELECT pg_temp.check_plans('1,000,000 rows, analyzed');
SELECT is((SELECT count(*) FROM idscope.registration), 1000000::bigint, 'the tables were that big');

-- Run for real: 128 devices over many scopes. A look-up in a tree of a million keys is three or four pages and one of the table.
CREATE FUNCTION pg_temp.run(call text) RETURNS TABLE (rows bigint, pages bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) ' || call INTO plan;
    rows := (plan #>> '{0,Plan,Actual Rows}')::bigint;
    pages := (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
    RETURN NEXT;
END
$$;
CREATE TEMP TABLE batch AS
SELECT array_agg(id_scope ORDER BY id_scope, registration_key) AS scopes, array_agg(registration_key ORDER BY id_scope, registration_key) AS keys,
       array_agg(etag ORDER BY id_scope, registration_key) AS operations
  FROM (SELECT id_scope, registration_key, etag FROM idscope.enrollment WHERE substr(registration_key, 8)::int % 7813 = 1) e;
SELECT is((SELECT cardinality(keys) FROM batch), 128, 'a batch of 128 devices');
INSERT INTO idscope.hub_device (hub_id, device_id, generation, auth_type) SELECT 7, 'device-' || n, 1, 'none' FROM generate_series(1, 100000) n;
INSERT INTO idscope.hub_device_count (hub_id, n, devices, enabled) SELECT 7, n, 200, 200 FROM generate_series(0, 499) n;
CREATE TEMP TABLE call AS
SELECT 'register_lookup' AS name, format('EXECUTE register_lookup (%L, %L, %L)', scopes, keys, 'local') AS call, 128::bigint AS wanted, 128 * 2 * 6 AS at_most FROM batch
UNION ALL
SELECT 'poll_lookup', format('EXECUTE poll_lookup (%L, %L)', scopes, keys), 128, 128 * 2 * 6 FROM batch
UNION ALL
-- Every device registers again and gets its job: three look-ups, and two rows written with their index entries.
SELECT 'register_write', format('EXECUTE register_write (%L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L)', scopes, keys, keys, ones, ones, trues,
                                operations, ones, operations, array_fill('assigning'::text, ARRAY[128]), keys, trues, nulls, none, none), 128, 128 * 60
  FROM batch, (SELECT array_fill(1, ARRAY[128]) AS ones, array_fill(true, ARRAY[128]) AS trues, array_fill(NULL::bytea, ARRAY[128]) AS nulls, array_fill(NULL::text, ARRAY[128]) AS none) f
UNION ALL
-- A hub of 100,000 devices with 500 changes that no sweep has folded yet.
SELECT 'hub_device_count', 'EXECUTE hub_device_count (7)', 1, 30
UNION ALL
-- 32 of the 50,000 jobs that are due in one scope.
SELECT 'job_claim', 'EXECUTE job_claim (''0ne00000000'', ''assign'', 32, 60000)', 32, 32 * 60;
SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name LIKE 'sweep_inputs_%' OR name IN ('sweep_count', 'hub_device_count', 'link_wake_assign', 'enrollment_near', 'registration_near', 'inventory_clear') \gexec
-- Bites of the sweeps out of the scope with 500,000 registrations: each costs what it takes, not what is there.
INSERT INTO idscope.alloc_input (id_scope, hash, input, created_at) SELECT '0ne00000000', sha256(n::text::bytea), '{}', now() - interval '2 days' FROM generate_series(1, 5000) n;
UPDATE idscope.registration SET alloc_input = sha256((length(registration_key) % 10)::text::bytea)
 WHERE id_scope = '0ne00000000' AND registration_key BETWEEN 'device-5' AND 'device-501';
ANALYZE idscope.alloc_input;
INSERT INTO idscope.inventory (id_scope, host, next_at) VALUES ('0ne00000000', 'a.hub.example', now());
INSERT INTO call VALUES
    ('enrollment_near', 'EXECUTE enrollment_near (''0ne00000000'', ''device-500000'', 8)', 17, 17 * 3),
    ('registration_near', 'EXECUTE registration_near (''0ne00000000'', ''device-500001'', 8)', 1, 16 * 3),
    -- A page of a hub, whose devices were found before, and a bite of what goes behind a round.
    ('inventory_page', format('EXECUTE inventory_page (''0ne00000000'', ''a.hub.example'', ''2100-01-01'', %L)', (SELECT array_agg('device-' || 2 * n) FROM generate_series(1, 1000) n)), 0, 1000 * 30),
    ('inventory_clear', 'EXECUTE inventory_clear (''0ne00000000'', ''a.hub.example'', ''2000-01-01'', ''device-5'', 2000)', 1, 2000 * 3),
    ('sweep_inputs_mark', 'EXECUTE sweep_inputs_mark (''0ne00000000'', ''device-5'', 2000, ''2026-01-02 03:04:05+00'')', 1, 2000 * 3),
    ('sweep_inputs_clear', 'EXECUTE sweep_inputs_clear (''0ne00000000'', now()::text, 2000, 86400000)', 0, 2000 * 8),
    ('sweep_inputs_scope', 'EXECUTE sweep_inputs_scope ('''', 200, 86400000)', 1, 200 * 6);
-- A bite of counting begins behind the one before; a step of an import costs what its rows do.
INSERT INTO idscope.count_round (name, at_scope, at_key) VALUES ('registrations', '0ne00000000', 'device-5'), ('enrollments', '0ne00000000', 'device-5');
INSERT INTO idscope.scope (id_scope, issued_to) VALUES ('0ne00000000', '00000000-0000-0000-0000-00000000000a') ON CONFLICT DO NOTHING;
INSERT INTO idscope.import (id_scope, import_id, kind, whole, dry, state, actor_kind, actor_id, operation) VALUES ('0ne00000000', md5('x')::uuid, 'enrollment', false, false, 'running', 'client', 'x', 'y');
INSERT INTO idscope.import_enrollment (id_scope, import_id, line, of_group, registration_key, registration_id, attestation_type, attestation_sealed, provisioning_status, update_hub_assignment, migrate_device_data, iot_edge)
SELECT '0ne00000000', md5('x')::uuid, n, false, 'device-' || n, 'device-' || n, 'symmetricKey', '\x00', 'enabled', true, true, false FROM generate_series(999001, 1001000) n;
ANALYZE idscope.import_enrollment;
INSERT INTO call VALUES
    ('sweep_count', 'EXECUTE sweep_count (2000, ''registrations'')', 1, 2000 * 3),
    ('sweep_count', 'EXECUTE sweep_count (2000, ''enrollments'')', 1, 2000 * 3),
    ('import_step', 'SELECT idscope.import_step(''0ne00000000'', md5(''x'')::uuid, 2000, 100, 1000, 1, 1, 1)', 1, 2000 * 90);
-- The walk over scopes: 300,000 jobs that back off, each due at a time of its own, cost no more than one. In one scope, and spread over 1,000.
INSERT INTO idscope.job (id_scope, kind, subject, due_at)
SELECT '0ne' || lpad(to_hex(n % scopes), 8, '0'), 'waits_in_' || CASE scopes WHEN 1 THEN 'one' ELSE 'many' END, n::text, now() + interval '1 min' + n * interval '1 ms'
  FROM unnest(ARRAY[1, 1000]) AS scopes, generate_series(1, 300000) n;
-- A hub comes back, and 300,000 assignments wait for another one: a bite looks at 2,000 of them.
DELETE FROM idscope.scope WHERE id_scope IN (t.scope('a'), t.scope('b'));
SELECT t.world();
UPDATE idscope.linked_hub SET state = 'valid';
INSERT INTO idscope.job (id_scope, kind, subject, due_at, waits_for)
SELECT t.scope('a'), 'assign', 'waits-' || n, now() + interval '1 min' + n * interval '1 ms', '{another.hub.example}' FROM generate_series(1, 300000) n;
ANALYZE idscope.job;
INSERT INTO call VALUES
    ('link_wake_assign', format('EXECUTE link_wake_assign (%L, %L, NULL, 2000)', t.scope('a'), (SELECT array_agg(host) FROM idscope.linked_hub WHERE id_scope = t.scope('a'))), 1, 2000 * 3),
    ('job_due_scopes', 'EXECUTE job_due_scopes (''waits_in_one'', '''', 1000)', 1, 30),
    ('job_due_scopes', 'EXECUTE job_due_scopes (''waits_in_many'', '''', 100)', 100, 100 * 9),
    ('job_due_scopes', 'EXECUTE job_due_scopes (''waits_in_many'', '''', 2000)', 1000, 1000 * 9);
CREATE TEMP TABLE ran AS SELECT c.*, r.* FROM call c CROSS JOIN LATERAL pg_temp.run(c.call) r;
SELECT is(rows, wanted, format('%s meets %s rows among a million', name, wanted)) FROM ran;
SELECT cmp_ok(pages, '<=', at_most::bigint, format('%s touches %s pages: so many for each row, not for the table', name, pages)) FROM ran;

SELECT * FROM finish();
ROLLBACK;
TRUNCATE idscope.enrollment, idscope.enrollment_detail, idscope.registration, idscope.found_identity, idscope.challenge, idscope.job;
