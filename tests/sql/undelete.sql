-- A deleted instance: it is hidden and its scope stands still, nothing that it had goes before its time is over, and undeleted it is what it was.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

-- All rows of scope a, but what says that it is deleted.
CREATE FUNCTION pg_temp.rows_of_a() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    tab text;
BEGIN
    FOR tab IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id_scope'
                WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r' AND c.relname <> 'scope' ORDER BY 1 LOOP
        RETURN QUERY EXECUTE format('SELECT %L || (to_jsonb(x) - ''resource_group_key'' - ''deleted_from'')::text FROM idscope.%I x WHERE id_scope = %L', tab, tab, t.scope('a'));
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.purge() RETURNS bigint LANGUAGE sql AS $$ SELECT idscope.purge_retired_scopes(100) $$;
CREATE FUNCTION pg_temp.asked(called text, params text, who text DEFAULT 'idscope_api') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('PREPARE asked AS %s', (SELECT text FROM t.statement WHERE name = called));
    PERFORM t.become(who, 'a');
    EXECUTE format('EXECUTE asked (%s)', params);
    GET DIAGNOSTICS n = ROW_COUNT;
    RESET ROLE;
    DEALLOCATE asked;
    RETURN n;
END
$$;
CREATE FUNCTION pg_temp.seen() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT ARRAY[pg_temp.asked('instance_find', t.place('a') || $x$, 'inst-a', NULL, NULL, 10$x$), pg_temp.asked('instance_lock', t.place('a') || $x$, 'inst-a'$x$),
                 pg_temp.asked('instance_policy_find', t.place('a') || $x$, 'inst-a', NULL$x$), pg_temp.asked('certificate_find', t.place('a') || $x$, 'inst-a', NULL$x$),
                 pg_temp.asked('listed_find', t.place('a') || $x$, 'inst-a', NULL, NULL, 10, NULL, NULL, NULL, NULL$x$),
                 pg_temp.asked('instance_retag', t.place('a') || $x$, 'inst-a', NULL, '{}'$x$),
                 (SELECT count(*) FROM idscope.gate_instance(t.scope('a'), NULL)), (SELECT count(*) FROM idscope.gate_instance(NULL, 'inst-a')),
                 (SELECT count(*) FROM idscope.gate_instances(ARRAY[t.scope('a')]))]
$$;
CREATE FUNCTION pg_temp.free(who text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('idscope.tenant', t.tenant(who)::text, true);
    RETURN idscope.name_free('instance', 'inst-a');
END
$$;
CREATE FUNCTION pg_temp.due() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    EXECUTE format('PREPARE asked AS %s', (SELECT text FROM t.statement WHERE name = 'job_due_scopes'));
    EXECUTE 'EXECUTE asked (''assign'', '''', 1)' INTO found;
    DEALLOCATE asked;
    RETURN found.due;
END
$$;
SELECT t.put('job', jsonb_build_object('due_at', now() - interval '1 minute'));
SELECT is(pg_temp.seen(), '{1,1,1,1,1,1,1,1,1}', 'an instance that stands is found wherever one looks');
SELECT ok(pg_temp.due(), 'and its work is due');
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.rows_of_a() AS r (line);

SELECT is(pg_temp.asked('instance_delete', t.place('a') || $$, 'inst-a', NULL, 604800$$), 1::bigint, 'a delete answers which scope it retired');
SELECT is(pg_temp.seen(), '{0,0,0,0,0,0,0,0,0}', 'deleted it is found nowhere');
SELECT ok(NOT pg_temp.due(), 'its work is not due');
SELECT is(ARRAY[pg_temp.free('a'), pg_temp.free('b')], '{t,f}', 'its name is free for its tenant alone');
SELECT is((SELECT undelete_until - retired_at FROM idscope.scope WHERE id_scope = t.scope('a')), interval '7 days', 'so many days it can come back');
SELECT is(pg_temp.purge(), 0::bigint, 'meanwhile nothing is purged');
SELECT set_eq('SELECT line FROM pg_temp.rows_of_a() AS r (line)', 'TABLE before', 'and all that it had is as it was');

-- Its group goes, and comes again.
DELETE FROM idscope.hub WHERE tenant_id = t.tenant('a');
SELECT is(pg_temp.asked('group_delete', t.place('a')), 1::bigint, 'its group can go');
SELECT throws_ok($$SELECT t.run('admin_undelete', format('%L, %L', t.tenant('a'), t.scope('a')), 'idscope_admin')$$, '23503', NULL, 'without it the instance does not come back');
SELECT t.put('resource_group', '{}', 'a', 'a');

-- A hub that it links is deleted.
SELECT set_config('idscope.tenant', t.tenant('a')::text, true);
SELECT is(idscope.hub_deleted('hub-a', 'hub-a.hub.example'), 1::bigint, 'a hub that goes meanwhile marks its link');
SELECT is(pg_temp.asked('admin_hubs_gone', format('%L, %L', t.tenant('a'), t.scope('a')), 'idscope_admin'), 1::bigint, 'of which is told');
UPDATE idscope.linked_hub SET state = 'pending', reason = NULL, credential_version = 1 WHERE id_scope = t.scope('a');

SELECT is(pg_temp.asked('admin_deleted', format('%L, '''', 10', t.tenant('a')), 'idscope_admin'), 1::bigint, 'it is listed among the deleted');
SELECT is(pg_temp.asked('admin_deleted', format('%L, '''', 10', t.tenant('b')), 'idscope_admin'), 0::bigint, 'of its tenant alone');
SELECT is(pg_temp.asked('admin_undelete', format('%L, %L', t.tenant('b'), t.scope('a')), 'idscope_admin'), 0::bigint, 'no other tenant''s operator brings it back');
SELECT is(pg_temp.asked('admin_undelete', format('%L, %L', t.tenant('a'), t.scope('a')), 'idscope_admin'), 1::bigint, 'undeleted it comes back');
SELECT t.run('name_take', $$'instance', 'inst-a'$$, 'idscope_admin');
SELECT is(pg_temp.seen(), '{1,1,1,1,1,1,1,1,1}', 'is found again');
SELECT ok(pg_temp.due(), 'its work goes on');
SELECT set_eq('SELECT regexp_replace(line, ''"(etag|updated_at)": "[^"]*"'', '''', ''g'') FROM pg_temp.rows_of_a() AS r (line)',
              'SELECT regexp_replace(line, ''"(etag|updated_at)": "[^"]*"'', '''', ''g'') FROM before', 'and it is what it was');
SELECT results_eq('SELECT retired_at IS NULL, undelete_until IS NULL, version, inputs_version FROM idscope.scope WHERE id_scope = t.scope(''a'')',
                  'VALUES (true, true, 3::bigint, 3::bigint)', 'what depends on its scope is looked at anew');
SELECT is(pg_temp.asked('admin_undelete', format('%L, %L', t.tenant('a'), t.scope('a')), 'idscope_admin'), 0::bigint, 'not twice');
SELECT results_eq($$SELECT detail ->> 'change' FROM idscope.audit_event WHERE kind = 'instance' AND key = t.scope('a') ORDER BY id$$,
                  $$VALUES ('updated'), ('deleted'), ('undeleted'), ('updated')$$, 'each change has its event');

-- Its name is taken anew: by its tenant, which ends its time, or by another one.
SELECT t.run('instance_delete', t.place('a') || $$, 'inst-a', NULL, 604800$$);
SELECT t.run('name_take', $$'instance', 'inst-other'$$), t.run('name_take', $$'hub', 'inst-a'$$), t.run('name_take', $$'instance', 'inst-a'$$, tenant => 'b');
SELECT isnt((SELECT undelete_until FROM idscope.scope WHERE id_scope = t.scope('a')), NULL, 'other names, and other tenants, end no time');
SELECT t.run('instance_insert', t.place('a') || $$, 'inst-a', 'Inst-A', '0neaaaaaaaa', '0neAAAAAAAA', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'$$), t.run('name_take', $$'instance', 'inst-a'$$);
SELECT is((SELECT undelete_until FROM idscope.scope WHERE id_scope = t.scope('a')), NULL, 'the same name anew ends the time of the one before');
SELECT throws_ok($$SELECT t.run('admin_undelete', format('%L, %L', t.tenant('a'), t.scope('a')), 'idscope_admin')$$, '23505', NULL, 'two of one name never stand');
SELECT is((SELECT id_scope FROM idscope.gate_instance(NULL, 'inst-a')), '0neaaaaaaaa', 'the name leads to the new one');
SELECT ok(pg_temp.purge() > 10, 'the old one is purged');
SELECT is_empty('SELECT pg_temp.rows_of_a()', 'to the last row');
SELECT is((SELECT array_agg(id_scope) FROM idscope.instance WHERE tenant_id = t.tenant('a')), '{0neaaaaaaaa}', 'the new one stays');

-- Its time is over.
SELECT t.run('instance_delete', t.place('a') || $$, 'inst-a', NULL, 0$$);
SELECT is(pg_temp.asked('admin_deleted', format('%L, '''', 10', t.tenant('a')), 'idscope_admin'), 0::bigint, 'without days it cannot come back');
SELECT ok(sum(pg_temp.purge()) > 0, 'and is purged at once') FROM generate_series(1, 6);
SELECT is_empty($$SELECT FROM idscope.instance WHERE id_scope = '0neaaaaaaaa'$$, 'with all that it had');

SELECT * FROM finish();
ROLLBACK;
