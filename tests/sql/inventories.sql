-- Inventories of linked hubs: what a page keeps, what a whole round leaves, when a hub's turn comes again; who finds what, and what an assignment does with it.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.inventory; DELETE FROM idscope.found_identity; DELETE FROM idscope.registration; DELETE FROM idscope.enrollment; DELETE FROM idscope.job;

CREATE FUNCTION pg_temp.call(called text, VARIADIC args text[]) RETURNS void LANGUAGE sql AS $$
    SELECT t.run(called, (SELECT string_agg(quote_nullable(v), ', ') FROM unnest(args) v), 'idscope_worker')
$$;
CREATE FUNCTION pg_temp.found() RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(format('%s %s %s', right(id_scope, 1), device_id, host) ORDER BY id_scope, device_id, host), '{}') FROM idscope.found_identity
$$;
CREATE FUNCTION pg_temp.page(who text, host text, began text, VARIADIC ids text[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.call('inventory_page', t.scope(who), host, began, ids::text)
$$;

-- A page keeps what no registration stands on, or is about to, there.
INSERT INTO idscope.inventory (id_scope, host, next_at) SELECT t.scope(who), host, '2100-01-01' FROM (VALUES ('a', 'h1.example'), ('a', 'h2.example'), ('a', 'h3.example'), ('b', 'h1.example')) AS v (who, host);
SELECT t.put('registration', jsonb_build_object('registration_key', lower(id), 'registration_id', id, 'status', 'assigned', 'substatus', 'initialAssignment', 'assigned_hub', hub, 'device_id', device))
  FROM (VALUES ('Here', 'H1.example', 'Here'), ('there', 'h2.example', 'there'), ('other', 'h1.example', 'another-id'), ('Case', 'h1.example', 'Case')) AS r (id, hub, device);
SELECT t.put('enrollment', '{"registration_key": "other", "registration_id": "other", "device_id": "another-id"}');
SELECT t.put('registration', '{"registration_key": "making", "registration_id": "making", "target_hub": "H1.example", "target_device_id": "making"}');
SELECT t.put('job', jsonb_build_object('kind', 'hub_remove', 'subject', id, 'hub', hub, 'payload', '[]'::jsonb)) FROM (VALUES ('left', 'h1.example'), ('free', 'h2.example')) AS r (id, hub);
SELECT pg_temp.page('a', 'h1.example', '2026-01-02', 'Here', 'there', 'another-id', 'making', 'case', 'left', 'free', 'free');
DELETE FROM idscope.job;
SELECT is(pg_temp.found(), ARRAY['a case h1.example', 'a free h1.example', 'a there h1.example'],
          'kept is what has no registration there, by its very device id, and is not to be taken off, and each once');
SELECT pg_temp.page('b', 'h1.example', '2026-01-02', 'Here');
SELECT is(pg_temp.found(), ARRAY['a case h1.example', 'a free h1.example', 'a there h1.example', 'b Here h1.example'], 'a registration of another ID scope is nobody''s reason');

-- A round sees again what is there; what it did not see goes, of this hub and this ID scope alone.
SELECT pg_temp.page('a', 'h2.example', '2026-01-02', 'free');
SELECT pg_temp.page('a', 'h1.example', '2026-01-03', 'free');
SELECT pg_temp.page('a', 'h1.example', '2026-01-01', 'free');
SELECT pg_temp.call('inventory_clear', t.scope('a'), 'h1.example', '2026-01-03', '', '1');
SELECT is(pg_temp.found(), ARRAY['a free h1.example', 'a free h2.example', 'a there h1.example', 'b Here h1.example'],
          'a bite takes what is older, and a page of an older round that comes late makes nothing old');
SELECT pg_temp.call('inventory_clear', t.scope('a'), 'h1.example', '2026-01-03', 'case', '1');
SELECT is(pg_temp.found(), ARRAY['a free h1.example', 'a free h2.example', 'a there h1.example', 'b Here h1.example'], 'what a device id has on other hubs stays, and ends no bite in its middle');
SELECT pg_temp.call('inventory_clear', t.scope('a'), 'h1.example', '2026-01-03', 'free', '10');
SELECT is(pg_temp.found(), ARRAY['a free h1.example', 'a free h2.example', 'b Here h1.example'], 'the next bite goes on');
SELECT pg_temp.call('inventory_clear', t.scope('a'), 'h1.example', 'infinity', '', '10');
SELECT is(pg_temp.found(), ARRAY['a free h2.example', 'b Here h1.example'], 'of a hub that is linked no more all goes');

-- What was found stays so while a registration is about to stand there, and while a removal stands that such a one left, until one does.
DELETE FROM idscope.found_identity;
SELECT pg_temp.page('a', 'h2.example', '2026-01-02', 'making', 'free', 'Here', 'gone');
UPDATE idscope.registration SET target_hub = 'H2.example' WHERE registration_key = 'making';
UPDATE idscope.registration SET assigned_hub = 'H2.example' WHERE registration_key = 'here';
SELECT t.put('job', '{"kind": "hub_remove", "subject": "free", "hub": "h2.example", "payload": []}');
SELECT pg_temp.page('a', 'h2.example', '2026-01-03', 'making', 'free', 'Here');
SELECT pg_temp.call('inventory_clear', t.scope('a'), 'h2.example', '2026-01-03', '', '10');
SELECT is(pg_temp.found(), ARRAY['a free h2.example', 'a making h2.example'], 'a whole round leaves what was found before a registration was about to stand there');
UPDATE idscope.registration SET target_hub = 'H1.example' WHERE registration_key = 'making';
UPDATE idscope.registration SET assigned_hub = 'H1.example' WHERE registration_key = 'here';
DELETE FROM idscope.job; DELETE FROM idscope.found_identity;

-- Of what has no inventory any more nothing is kept: it was purged, or forgotten.
SELECT pg_temp.page('a', 'h4.example', '2026-01-02', 'free'), pg_temp.page('b', 'h2.example', '2026-01-02', 'free');
SELECT is(pg_temp.found(), '{}', 'a page that comes late keeps nothing');

-- A hub has an inventory from its first good validation on; a worse one, or of an older credential, makes none.
DELETE FROM idscope.inventory;
CREATE FUNCTION pg_temp.validated(version int, good boolean) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM idscope.job;
    PERFORM t.put('job', '{"kind": "link_validate", "subject": "a.hub.example"}');
    PERFORM pg_temp.call('link_validated', t.scope('a'), 'a.hub.example', '0', version::text, CASE WHEN good THEN 'valid' ELSE 'invalid' END, NULL, good::text, '60000');
    RETURN (SELECT count(*) FROM idscope.inventory);
END
$$;
SELECT is(pg_temp.validated(1, false), 0::bigint, 'a link that is not good is not listed');
SELECT is(pg_temp.validated(2, true), 0::bigint, 'nor is one whose credential changed since');
SELECT is(pg_temp.validated(1, true), 1::bigint, 'a good one is');
UPDATE idscope.inventory SET next_at = '2100-01-01';
SELECT is(pg_temp.validated(1, true), 1::bigint, 'once');
SELECT is((SELECT next_at FROM idscope.inventory), '2100-01-01'::timestamptz, 'and no later validation makes it due');

-- Turns: what is due becomes one job each, and is not due again before the next turn.
DELETE FROM idscope.job; DELETE FROM idscope.inventory;
SELECT t.put('inventory', jsonb_build_object('next_at', now() + due::interval), who, own) FROM (VALUES ('a', 'x', '-1 s'), ('b', 'y', '-1 s'), ('b', 'z', '1 hour')) AS v (who, own, due);
SELECT pg_temp.call('inventory_schedule', '300000', '10'), pg_temp.call('inventory_schedule', '300000', '10');
SELECT is(array(SELECT format('%s %s %s %s', right(id_scope, 1), kind, subject, hub) FROM idscope.job ORDER BY 1),
          ARRAY['a inventory x.hub.example x.hub.example', 'b inventory y.hub.example y.hub.example'], 'a job for each hub that is due, and for no other');
SELECT is((SELECT next_at - now() FROM idscope.inventory WHERE host = 'x.hub.example'), interval '5 min', 'its next turn comes later');
-- Behind a round it rests as much longer as that took.
UPDATE idscope.inventory SET next_at = now() + interval '5 min';
SELECT pg_temp.call('inventory_taken', t.scope('a'), 'x.hub.example', (now() - interval '1 s')::text, '7', '9', '86400000');
SELECT is((SELECT next_at - now() FROM idscope.inventory WHERE host = 'x.hub.example'), interval '5 min', 'a short round changes nothing about that');
SELECT pg_temp.call('inventory_taken', t.scope('a'), 'x.hub.example', (now() - interval '1 hour')::text, '7', '9', '86400000');
SELECT is((SELECT next_at - now() FROM idscope.inventory WHERE host = 'x.hub.example'), interval '9 hours', 'a long one does');
SELECT is((SELECT format('%s %s', devices, now() - taken_at) FROM idscope.inventory WHERE host = 'x.hub.example'), '7 01:00:00', 'it is as old as its beginning');
SELECT pg_temp.call('inventory_taken', t.scope('a'), 'x.hub.example', (now() - interval '3 hours')::text, '7', '9', '86400000');
SELECT is((SELECT next_at - now() FROM idscope.inventory WHERE host = 'x.hub.example'), interval '24 hours', 'but for no longer than what was found is kept');
UPDATE idscope.inventory SET taken_at = now() - interval '1 hour' WHERE host = 'x.hub.example';
CREATE FUNCTION pg_temp.known(began timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    PERFORM pg_temp.call('inventory_find', t.scope('a'), 'x.hub.example', '86400000', began::text);
    EXECUTE format('EXECUTE inventory_find (%L, %L, %L, %L)', t.scope('a'), 'x.hub.example', 86400000, began::text) INTO r;
    RETURN format('%s %s', r.devices, r.round_is_old);
END
$$;
SELECT is(ARRAY[pg_temp.known(NULL), pg_temp.known(now() - interval '23 hours'), pg_temp.known(now() - interval '25 hours')], ARRAY['7 f', '7 f', '7 t'],
          'a round that began longer ago than that is old');
SELECT pg_temp.call('inventory_drop', t.scope('b'), 'z.hub.example');
SELECT is((SELECT string_agg(host, ' ' ORDER BY host) FROM idscope.inventory), 'x.hub.example y.hub.example', 'one that is over is forgotten, no other');

-- What an assignment was to adopt is missing: it has no target any more, and the identity is not looked for again, on that hub.
DELETE FROM idscope.job; DELETE FROM idscope.found_identity;
INSERT INTO idscope.inventory (id_scope, host, next_at) SELECT t.scope('a'), host, '2100-01-01' FROM unnest(ARRAY['h2.example', 'h3.example']) host;
SELECT pg_temp.page('a', host, '2026-01-02', 'making', 'other') FROM unnest(ARRAY['h2.example', 'h3.example']) host;
UPDATE idscope.registration SET target_hub = 'H2.example' WHERE registration_key = 'making';
SELECT t.put('job', '{"subject": "making"}');
SELECT pg_temp.call('assign_wait', t.scope('a'), '{making}', '{5}', '{0}', '{f}', '{NULL}', '{NULL}', '{t}', '{}', '{}');
SELECT is((SELECT target_hub FROM idscope.registration WHERE registration_key = 'making'), 'H2.example', 'who has not the job changes nothing');
SELECT pg_temp.call('assign_wait', t.scope('a'), '{making}', '{0}', '{0}', '{f}', '{NULL}', '{NULL}', '{f}', '{}', '{}');
SELECT is((SELECT target_hub FROM idscope.registration WHERE registration_key = 'making'), 'H2.example', 'a wait for anything else keeps the target');
SELECT pg_temp.call('assign_wait', t.scope('a'), '{making}', '{0}', '{0}', '{f}', '{NULL}', '{NULL}', '{t}', '{}', '{}');
SELECT is((SELECT concat(target_hub, target_device_id) FROM idscope.registration WHERE registration_key = 'making'), '', 'the target is gone');
SELECT is(pg_temp.found(), ARRAY['a making h3.example', 'a other h2.example', 'a other h3.example'], 'and so is what was found there, and nothing else');

-- Where a device that had a hub moves, what was found there once is its own; one that never had a hub makes nothing its own by being about to stand there.
CREATE FUNCTION pg_temp.choose(key text, host text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.call('assign_choose', t.scope('a'), array[key]::text, array[operation_id]::text, array[revision]::text, array[host]::text, array[registration_id]::text, '{NULL}', '{1}', '{1}', '60000', '{NULL}', '{NULL}')
      FROM idscope.registration WHERE id_scope = t.scope('a') AND registration_key = key
$$;
DELETE FROM idscope.found_identity;
UPDATE idscope.registration SET status = 'assigning', substatus = NULL WHERE registration_key = 'there';
INSERT INTO idscope.found_identity (id_scope, device_id, host, seen_at)
SELECT t.scope(who), device, host, now() FROM (VALUES ('a', 'making', 'h3.example'), ('a', 'there', 'h3.example'), ('a', 'there', 'h1.example'), ('b', 'there', 'h3.example')) AS v (who, device, host);
SELECT pg_temp.choose('making', 'H3.example'), pg_temp.choose('there', 'H3.example');
SELECT is((SELECT string_agg(target_hub, ' ') FROM idscope.registration WHERE registration_key IN ('making', 'there')), 'H3.example H3.example', 'both are chosen');
SELECT is(pg_temp.found(), ARRAY['a making h3.example', 'a there h1.example', 'b there h3.example'], 'who moves takes over what was found where it goes, and nothing else');
DELETE FROM idscope.found_identity;
INSERT INTO idscope.found_identity (id_scope, device_id, host, seen_at) VALUES (t.scope('a'), 'making', 'h3.example', now());

-- What stood there before is not taken off.
CREATE FUNCTION pg_temp.stays(host text, device text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    yes boolean;
BEGIN
    PERFORM t.run('remove_is_named', format('%L, %L, %L, %L', t.scope('a'), '{}', host, device), 'idscope_worker');
    EXECUTE format('EXECUTE remove_is_named (%L, %L, %L, %L)', t.scope('a'), '{}', host, device) INTO yes;
    RETURN yes;
END
$$;
SELECT is(array(SELECT pg_temp.stays(h, d) FROM (VALUES ('h3.example', 'making'), ('h2.example', 'making'), ('h3.example', 'Making')) AS v (h, d)), '{t,f,f}', 'what was found there is not taken off, by its very device id');

-- Who deletes what was found has locked it first, in the order of the keys: so statements that meet at the same rows wait for each other in one direction.
CREATE FUNCTION pg_temp.plan_of(called text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    DEALLOCATE ALL;
    EXECUTE (SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name = called);
    EXECUTE format('EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE %I (%s)', called, (SELECT string_agg('NULL', ', ') FROM pg_prepared_statements, unnest(parameter_types) WHERE name = called)) INTO plan;
    RETURN plan;
END
$$;
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT is(replace(jsonb_path_query_array(pg_temp.plan_of(name), 'strict $.** ? (@."Node Type" == "LockRows").Plans[*]."Sort Key"')::text, ' COLLATE \"C\"', ''),
          CASE name WHEN 'inventory_clear' THEN '[["f.device_id"]]' ELSE '[["f.device_id", "f.host"]]' END, name || ' locks what was found in order')
  FROM t.statement WHERE text ~ 'DELETE FROM idscope\.found_identity' ORDER BY name;
SELECT is((SELECT count(*) FROM t.statement WHERE text ~ 'DELETE FROM idscope\.found_identity'), 4::bigint, 'these are four');

SELECT * FROM finish();
ROLLBACK;
