-- The batch statements of the hot path and the claim of jobs keep their plan, whatever the tables hold and whatever the statistics say:
-- index look-ups by the whole key, never a scan of a table or of an index. Each is planned as a lane plans it, on empty tables, at 3,000
-- and at 1,000,000 enrollments and registrations, before and after ANALYZE; at the end it is run, and the pages it touches are counted.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
SET LOCAL jit = off;

CREATE TEMP TABLE wanted (name text, who text, tables text[]);
INSERT INTO wanted VALUES
    ('register_lookup', 'idscope_api', '{enrollment,registration}'),
    ('register_write',  'idscope_api', '{enrollment,registration,scope}'),
    ('poll_lookup',     'idscope_api', '{enrollment,registration}'),
    ('job_claim',       'idscope_worker', '{job}');
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

-- What a good plan says of a table: every access is an index scan of an index whose condition compares the whole key; a claim names one
-- scope and one kind and goes by what is due.
CREATE FUNCTION pg_temp.faults(called text, who text, tab text) RETURNS text[] LANGUAGE sql AS $$
    WITH scan AS (
        SELECT n FROM pg_temp.nodes(called, who) n
         WHERE n ->> 'Relation Name' = tab AND n ->> 'Node Type' LIKE '%Scan')
    SELECT CASE WHEN NOT EXISTS (SELECT FROM scan) THEN ARRAY['no access at all']
           ELSE ARRAY(SELECT format('%s of %s by %s, %s', n ->> 'Node Type', tab, n ->> 'Index Name', n ->> 'Index Cond') FROM scan
                       WHERE n ->> 'Node Type' NOT IN ('Index Scan', 'Index Only Scan')
                          OR coalesce(n ->> 'Index Cond', '') NOT LIKE '%(id_scope = %'
                          OR CASE WHEN tab = 'job' THEN NOT (n ->> 'Index Name' IN ('job_due', 'job_pkey') AND n ->> 'Index Cond' LIKE '%(kind = %'
                                                             AND n ->> 'Index Cond' ~ '\(due_at <= |\(subject = ')
                                  WHEN tab = 'scope' THEN n ->> 'Index Name' <> 'scope_pkey'
                                  ELSE n ->> 'Index Name' <> tab || '_pkey' OR n ->> 'Index Cond' NOT LIKE '%(registration_key = %' END)
           END
$$;
CREATE FUNCTION pg_temp.check_plans(state text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(pg_temp.faults(name, who, tab), '{}', format('%s: %s looks %s up by its key', state, name, tab))
      FROM wanted CROSS JOIN unnest(tables) AS tab ORDER BY name, tab
$$;

-- Rows from number `first` on: half of them in one scope, the rest over 500 scopes; every tenth device has a job.
CREATE FUNCTION pg_temp.load(first int, last int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO idscope.enrollment (id_scope, registration_key, registration_id, attestation_type, primary_sealed, secondary_sealed, etag)
    SELECT scope, 'device-' || n, 'device-' || n, 'symmetricKey', '\x00', '\x00', md5(n::text)::uuid
      FROM generate_series(first, last) n, LATERAL (SELECT '0ne' || lpad(to_hex(CASE n % 2 WHEN 0 THEN 0 ELSE n % 1000 END), 8, '0')) s (scope);
    INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, region, operation_at, created_at, updated_at)
    SELECT id_scope, registration_key, registration_id, etag, 'assigning', 'local', now(), now(), now()
      FROM idscope.enrollment
     WHERE substr(registration_key, 8)::int BETWEEN first AND last;
    INSERT INTO idscope.job (id_scope, kind, subject, due_at)
    SELECT id_scope, 'assign', registration_key, now()
      FROM idscope.enrollment
     WHERE substr(registration_key, 8)::int BETWEEN first AND last AND registration_key LIKE '%7'
$$;

SELECT pg_temp.check_plans('empty');
SELECT pg_temp.load(1, 3000);
SELECT pg_temp.check_plans('3,000 rows, never analyzed');
ANALYZE idscope.enrollment, idscope.registration, idscope.job;
SELECT pg_temp.check_plans('3,000 rows, analyzed');
INSERT INTO idscope.scope (id_scope) SELECT DISTINCT '0ne' || lpad(to_hex(CASE n % 2 WHEN 0 THEN 0 ELSE n % 1000 END), 8, '0') FROM generate_series(1, 1000) n;
SELECT pg_temp.load(3001, 1000000);
SELECT pg_temp.check_plans('1,000,000 rows, statistics of 3,000');
ANALYZE idscope.enrollment, idscope.registration, idscope.job, idscope.scope;
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
SELECT array_agg(id_scope ORDER BY id_scope, registration_key) AS scopes, array_agg(registration_key ORDER BY id_scope, registration_key) AS keys
  FROM (SELECT id_scope, registration_key FROM idscope.enrollment WHERE substr(registration_key, 8)::int % 7813 = 1) e;
SELECT is((SELECT cardinality(keys) FROM batch), 128, 'a batch of 128 devices');
CREATE TEMP TABLE ran AS
SELECT name, r.* FROM unnest(ARRAY['register_lookup', 'poll_lookup']) AS name
 CROSS JOIN LATERAL (SELECT format('EXECUTE %I (%L, %L)', name, scopes, keys) AS call FROM batch) c
 CROSS JOIN LATERAL pg_temp.run(call) r;
SELECT is(rows, 128::bigint, name || ' finds each of 128 devices among a million') FROM ran;
SELECT cmp_ok(pages, '<=', (128 * 2 * 6)::bigint, name || ' touches a few pages for each') FROM ran;

SELECT * FROM finish();
ROLLBACK;
