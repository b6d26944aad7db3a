-- Lists of enrollments: what a page reads grows with the page alone. At 1,000,000 enrollments each keeps to the index of its order, whatever the
-- statistics say: no sort, no scan. Planned as a lane of the service plane plans them, for the parameters at hand and for any. On empty tables and at
-- 3,000 rows any plan will do that touches few pages: each is run at each size, and its pages are counted.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SET LOCAL jit = off;
SET LOCAL enable_seqscan = off;
-- What other tests wrote and took back is no part of the count.
TRUNCATE idscope.enrollment, idscope.enrollment_detail, idscope.registration;

-- Each with the index that it must go by, and the parameters of a page in the midst of it.
CREATE TEMP TABLE listed (name text, index text, params text, tab text DEFAULT 'enrollment');
INSERT INTO listed VALUES
    ('enrollment_list_by_id',           'enrollment_pkey',           $$'device-5', 'device-5', '~', 101$$),
    ('enrollment_list_by_id_down',      'enrollment_pkey',           $$'device-5', 'device-5', '', 101$$),
    ('enrollment_list_by_created',      'enrollment_by_created',     $$'2026-01-01 05:00', 'device-5', 'infinity', 101$$),
    ('enrollment_list_by_created_down', 'enrollment_by_created',     $$'2026-01-01 05:00', 'device-5', '-infinity', 101$$),
    ('enrollment_list_by_updated',      'enrollment_by_updated',     $$'2026-01-01 05:00', 'device-5', 'infinity', 101$$),
    ('enrollment_list_by_updated_down', 'enrollment_by_updated',     $$'2026-01-01 05:00', 'device-5', '-infinity', 101$$),
    ('enrollment_list_by_device',       'enrollment_by_device',      $$'machine-5', '', '~', 101$$),
    ('enrollment_list_by_status',       'enrollment_by_status',      $$'disabled', '', 'disabled', 101$$),
    ('enrollment_list_by_policy',       'enrollment_by_policy',      $$'hashed', '', 'hashed', 101$$),
    ('enrollment_list_by_attestation',  'enrollment_by_attestation', $$'symmetricKey', 'device-5', 'symmetricKey', 101$$);
INSERT INTO listed VALUES
    ('registration_list_by_id',         'registration_pkey',         $$'device-5', 'device-5', '~', 101$$, 'registration'),
    ('registration_list_by_id_down',    'registration_pkey',         $$'device-5', 'device-5', '', 101$$, 'registration'),
    ('registration_list_by_group',      'registration_by_group',     $$'hall', 'device-1', 'hall', 101$$, 'registration'),
    ('registration_list_failed',        'registration_failed',       $$'device-1', 101$$, 'registration');
SELECT set_eq($$SELECT name FROM t.statement WHERE name LIKE ANY (ARRAY['enrollment\_list\_%', 'registration\_list\_%']) AND name <> 'registration_list_of_group'$$, 'SELECT name FROM listed', 'every list is looked at');
SELECT format('PREPARE %I AS %s', name, text) FROM t.statement JOIN listed USING (name) \gexec
CREATE FUNCTION pg_temp.call(called text) RETURNS text LANGUAGE sql AS
    $$SELECT format('EXECUTE %I (%L, %s%s)', name, '0ne00000000', params, CASE tab WHEN 'enrollment' THEN ', false' END) FROM listed WHERE name = called$$;

-- What is wrong with the plan: enrollments come from the index alone, in its order; each brings its details and its registration by their keys.
CREATE FUNCTION pg_temp.faults(called text, wanted text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    SET LOCAL ROLE idscope_api;
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || pg_temp.call(called) INTO plan;
    RESET ROLE;
    RETURN ARRAY(
        SELECT concat_ws(' ', n ->> 'Node Type', n ->> 'Relation Name', n ->> 'Index Name', n ->> 'Index Cond')
          FROM jsonb_path_query(plan, 'strict $.** ? (exists (@."Node Type"))') n
         WHERE n ->> 'Node Type' NOT IN ('Limit', 'Nested Loop', 'Index Scan')
            OR (n ->> 'Relation Name' = (SELECT tab FROM listed WHERE name = called) AND n ->> 'Index Name' IS DISTINCT FROM wanted)
            OR (n ? 'Relation Name' AND n ->> 'Index Cond' NOT LIKE '%id_scope = %'));
END
$$;
GRANT SELECT ON listed TO idscope_api;
CREATE FUNCTION pg_temp.check_plans(state text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    mode text;
BEGIN
    FOREACH mode IN ARRAY ARRAY['force_custom_plan', 'force_generic_plan'] LOOP
        PERFORM set_config('plan_cache_mode', mode, true);
        RETURN QUERY SELECT is(pg_temp.faults(name, index), '{}', format('%s, %s: %s goes by %s', state, mode, name, index)) FROM listed ORDER BY name;
    END LOOP;
END
$$;

-- Rows from number `first` on: half of them in one scope; every third is disabled, every second has a device id, every fourth a policy, most a registration.
CREATE FUNCTION pg_temp.load(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO idscope.enrollment (id_scope, registration_key, registration_id, device_id, attestation_type, attestation_sealed, enabled, allocation_policy,
                                    etag, created_at, updated_at)
    SELECT '0ne' || lpad(to_hex(CASE n % 2 WHEN 0 THEN 0 ELSE n % 1000 END), 8, '0'), 'device-' || n, 'device-' || n, CASE n % 4 WHEN 0 THEN 'machine-' || n END,
           'symmetricKey', '\x00', n % 3 > 0, CASE n % 8 WHEN 0 THEN 'hashed' END, md5(n::text)::uuid,
           timestamptz '2026-01-01' + n * interval '20 s', timestamptz '2026-01-01' + n * interval '21 s'
      FROM generate_series(first, last) n;
    INSERT INTO idscope.enrollment_detail (id_scope, registration_key, initial_twin)
    SELECT id_scope, registration_key, '{"tags":{}}' FROM idscope.enrollment WHERE substr(registration_key, 8)::int BETWEEN first AND last AND registration_key LIKE '%7_';
    INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, error_code, enrollment_group, derived_from, region, operation_at, created_at, updated_at)
    SELECT id_scope, registration_key, registration_id, etag, CASE WHEN registration_key LIKE '%0' THEN 'failed' ELSE 'assigning' END, CASE WHEN registration_key LIKE '%0' THEN 400208 END,
           CASE WHEN registration_key LIKE '%2' THEN 'Hall' END, CASE WHEN registration_key LIKE '%2' THEN registration_key END, 'local', now(), now(), now()
      FROM idscope.enrollment WHERE substr(registration_key, 8)::int BETWEEN first AND last AND registration_key NOT LIKE '%9'
$$;

-- Eight times each, since a prepared statement may get another plan after five; a row of a list is found in a tree of a million keys, and so are its
-- details and its registration.
CREATE FUNCTION pg_temp.run(called text) RETURNS TABLE (rows bigint, pages bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) ' || pg_temp.call(called) INTO plan;
    rows := (plan #>> '{0,Plan,Actual Rows}')::bigint;
    pages := (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
    RETURN NEXT;
END
$$;
CREATE FUNCTION pg_temp.check_runs(state text, wanted bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('plan_cache_mode', 'auto', true);
    CREATE TEMP TABLE ran ON COMMIT DROP AS SELECT name, run.* FROM listed CROSS JOIN generate_series(1, 8) CROSS JOIN LATERAL pg_temp.run(name) run;
    RETURN QUERY SELECT is(min(rows), wanted, format('%s: %s gives a page', state, name)) FROM ran GROUP BY name ORDER BY name;
    RETURN QUERY SELECT cmp_ok(max(pages), '<=', 101 * 12::bigint, format('%s: %s touches %s pages', state, name, max(pages))) FROM ran GROUP BY name ORDER BY name;
    DROP TABLE ran;
END
$$;

SELECT pg_temp.check_runs('empty', 0);
SELECT pg_temp.load(1, 3000);
SELECT pg_temp.check_runs('3,000 rows, never analyzed', 101);
ANALYZE idscope.enrollment, idscope.enrollment_detail, idscope.registration;
SELECT pg_temp.check_runs('3,000 rows, analyzed', 101);
SELECT pg_temp.load(3001, 1000000);
SELECT pg_temp.check_plans('1,000,000 rows, statistics of 3,000');
SELECT pg_temp.check_runs('1,000,000 rows, statistics of 3,000', 101);
ANALYZE idscope.enrollment, idscope.enrollment_detail, idscope.registration;
SELECT pg_temp.check_plans('1,000,000 rows, analyzed');
SELECT pg_temp.check_runs('1,000,000 rows, analyzed', 101);
SELECT is((SELECT count(*) FROM idscope.enrollment), 1000000::bigint, 'the table was that big');

SELECT * FROM finish();
ROLLBACK;
