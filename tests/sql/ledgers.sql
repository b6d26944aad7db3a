-- A hub and its registry row, an instance and its ID scope: the statements that write them keep together what no foreign key does, and a name has
-- one owner though the registry knows no names. What two sessions do at once is told by sessions.t.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

-- What stands alone: a hub or instance without its living row in the ledger, or that without its hub or instance.
CREATE FUNCTION pg_temp.strays() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT coalesce(h.hub_key, r.hub_key) FROM idscope.hub h FULL JOIN (SELECT * FROM idscope.hub_registry WHERE retired_at IS NULL) r USING (hub_id)
     WHERE h.hub_key IS DISTINCT FROM r.hub_key
    UNION ALL
    SELECT coalesce(i.id_scope, s.id_scope) FROM (SELECT * FROM idscope.instance WHERE deleted_from IS NULL) i FULL JOIN (SELECT * FROM idscope.scope WHERE retired_at IS NULL) s USING (id_scope)
     WHERE i.tenant_id IS DISTINCT FROM s.issued_to
$$;
CREATE FUNCTION pg_temp.make_hub(name text, who text DEFAULT 'a') RETURNS void LANGUAGE sql AS $$
    SELECT t.run('hub_insert', format('%s, %L, %2$L, ''west'', ''{}'', ''S1'', 1, ''{}'', ''{}''', t.place(who), name), tenant => who),
           t.run('name_take', format('''hub'', %L', name), tenant => who)
$$;
CREATE FUNCTION pg_temp.make_instance(name text, scope text, who text DEFAULT 'a') RETURNS void LANGUAGE sql AS $$
    SELECT t.run('instance_insert', format('%s, %L, %2$L, %L, %3$L, ''west'', ''{}'', 1, ''hashed'', ''{}'', ''{}'', ''adopt''', t.place(who), name, scope), tenant => who)
$$;
SELECT is_empty('SELECT pg_temp.strays()', 'nothing stands alone at first');

-- Hubs.
SELECT pg_temp.make_hub('hub-new');
SELECT is_empty('SELECT pg_temp.strays()', 'a hub is made with its registry row');
SELECT throws_ok($$SELECT pg_temp.make_hub('hub-new', 'b')$$, '23505', NULL, 'its name is no other tenant''s');
SELECT throws_ok($$SELECT pg_temp.make_hub('hub-new')$$, '23505', NULL, 'nor twice its own''s');
SELECT is((SELECT count(*) FROM idscope.hub_registry WHERE hub_key = 'hub-new'), 1::bigint, 'and a name that is taken leaves no registry row behind');
CREATE TEMP TABLE old AS SELECT hub_id FROM idscope.hub WHERE hub_key = 'hub-new';
SELECT t.put('hub_device', jsonb_build_object('hub_id', hub_id)) FROM old;
SELECT t.run('hub_delete', t.place('a') || $$, 'hub-new', 'stale', '.hub.x'$$);
SELECT is_empty('SELECT pg_temp.strays()', 'a delete that is refused retires nothing');
SELECT t.run('hub_delete', t.place('a') || $$, 'hub-new', NULL, '.hub.x'$$);
SELECT is_empty('SELECT pg_temp.strays()', 'a hub goes with its registry row');
SELECT is((SELECT count(*) FROM idscope.hub_registry r JOIN old USING (hub_id) WHERE retired_at IS NOT NULL AND version = 2), 1::bigint, 'which stays as a tombstone');

-- A hub beside the tombstone of its namesake.
SELECT pg_temp.make_hub('hub-new');
SELECT is_empty('SELECT pg_temp.strays()', 'the name comes again with a registry row of its own');
SELECT t.run('hub_policy_put', format($$%L, 'hub-new', '{p}', '{15}', '{"\\x01"}', '{"\\x02"}'$$, t.tenant('a')));
SELECT results_eq($$SELECT version FROM idscope.hub_registry WHERE hub_key = 'hub-new' ORDER BY hub_id$$, 'VALUES (2::bigint), (2)', 'its policies raise its own version, not the tombstone''s');
SELECT t.run('hub_policy_put', format($$%L, 'hub-new', '{}', '{}', '{}', '{}'$$, t.tenant('b')), tenant => 'b');
SELECT results_eq($$SELECT version FROM idscope.hub_registry WHERE hub_key = 'hub-new' ORDER BY hub_id$$, 'VALUES (2::bigint), (2)', 'and another tenant raises neither');
SELECT results_eq($$SELECT g.hub_id FROM idscope.gate_hub('hub-new') g$$, $$SELECT hub_id FROM idscope.hub WHERE hub_key = 'hub-new'$$, 'its name leads to it alone');
SELECT t.put('hub_device', jsonb_build_object('hub_id', hub_id)) FROM idscope.hub WHERE hub_key = 'hub-new';
SELECT idscope.purge_retired_hubs(100) FROM generate_series(1, 3);
SELECT is_empty('SELECT hub_id FROM idscope.hub_registry JOIN old USING (hub_id) UNION SELECT hub_id FROM idscope.hub_device JOIN old USING (hub_id)', 'the tombstone goes with its devices');
SELECT is((SELECT count(*) FROM idscope.hub_device JOIN idscope.hub USING (hub_id) WHERE hub_key = 'hub-new'), 1::bigint, 'and takes none of its namesake''s');

-- What a foreign key would have refused.
UPDATE idscope.hub_registry SET retired_at = now() WHERE hub_key = 'hub-new';
SELECT is(idscope.purge_retired_hubs(100), 0::bigint, 'what a living hub needs is not purged, whoever retired it');
SELECT is((SELECT count(*) FROM idscope.hub_device JOIN idscope.hub USING (hub_id) WHERE hub_key = 'hub-new'), 1::bigint, 'nor are its devices');
UPDATE idscope.hub_registry SET retired_at = NULL WHERE hub_key = 'hub-new';

-- Instances.
SELECT pg_temp.make_instance('inst-new', '0neaaaaaaaa');
SELECT is_empty('SELECT pg_temp.strays()', 'an instance is made with its ID scope');
SELECT throws_ok($$SELECT pg_temp.make_instance('inst-new', '0neaaaaaaab', 'b')$$, '23505', NULL, 'its name is no other tenant''s');
SELECT is_empty('SELECT pg_temp.strays()', 'and a name that is taken issues no ID scope');
SELECT pg_temp.make_instance('inst-two', '0neaaaaaaaa', who) FROM unnest(ARRAY['a', 'b']) AS who;
SELECT is_empty($$SELECT name FROM idscope.instance WHERE name_key = 'inst-two'$$, 'no ID scope is issued twice, and no instance is made without one');
SELECT t.run('instance_delete', t.place('a') || $$, 'inst-new', NULL, 0$$);
SELECT is_empty('SELECT pg_temp.strays()', 'an instance retires its ID scope');
SELECT pg_temp.make_instance('inst-two', '0neaaaaaaaa');
SELECT is_empty($$SELECT name FROM idscope.instance WHERE name_key = 'inst-two'$$, 'which is not issued again either');

-- A whole group.
SELECT pg_temp.make_instance('inst-last', '0neaaaaaaac');
SELECT t.run('hub_delete', t.place('a') || $$, NULL, NULL, '.hub.x'$$), t.run('instance_delete', t.place('a') || ', NULL, NULL, 0');
SELECT is_empty('SELECT pg_temp.strays()', 'all of a group go with their rows');
SELECT results_eq($$SELECT issued_to FROM idscope.scope WHERE retired_at IS NULL$$, $$SELECT t.tenant('b')$$, 'and no other tenant''s');

SELECT * FROM finish();
ROLLBACK;
