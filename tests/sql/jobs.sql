-- What the statements of the queue do: whom a claim gets, what a late worker can change, who is woken when a hub is back.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
DELETE FROM idscope.job;

-- Runs a statement of db/sql by its name; what it answers is not asked.
CREATE FUNCTION pg_temp.call_as(who text, called text, VARIADIC args text[]) RETURNS void LANGUAGE sql AS $$
    SELECT t.run(called, (SELECT string_agg(quote_nullable(v), ', ') FROM unnest(args) v), who)
$$;
CREATE FUNCTION pg_temp.call(called text, VARIADIC args text[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.call_as('idscope_worker', called, VARIADIC args)
$$;
-- Which jobs of the scope may be claimed now.
CREATE FUNCTION pg_temp.due() RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(subject ORDER BY subject), '{}') FROM idscope.job WHERE id_scope = t.scope('a') AND due_at <= now()
$$;

-- Waiting for hubs.
SELECT t.put('job', jsonb_build_object('subject', name, 'due_at', now() + wait::interval, 'waits_for', hosts, 'last_error', error), own => 'x')
  FROM (VALUES ('one',     '10 s',     '["a.hub.example"]'::jsonb, NULL),
               ('five',    '10 s',     '["a.hub.example", "b.hub.example", "c.hub.example", "d.hub.example", "e.hub.example"]', NULL),
               ('long',    '2 hours',  '["e.hub.example"]', NULL),
               ('like',    '10 s',     '["ehhub.example"]', NULL),
               ('words',   '10 s',     'null', 'Waiting for e.hub.example.'),
               ('dead',    '1 s', '["e.hub.example"]', NULL)) AS j (name, wait, hosts, error);
UPDATE idscope.job SET due_at = 'infinity' WHERE subject = 'dead';
SELECT t.put('job', '{"subject": "theirs", "due_at": "2100-01-01T00:00:00Z", "waits_for": ["e.hub.example"]}', 'b');
SELECT t.put('linked_hub', jsonb_build_object('host', host, 'host_name', host, 'state', state))
  FROM (VALUES ('b.hub.example', 'unreachable'), ('e.hub.example', 'invalid'), ('f.hub.example', 'valid'), ('_.hub.example', 'valid'), ('%', 'valid'), ('b.h', 'valid')) AS l (host, state);
SELECT pg_temp.call('link_wake_assign', t.scope('a'), '{b.hub.example,e.hub.example}', NULL, '2000');
SELECT is(pg_temp.due(), '{}', 'a hub that is not usable wakes nobody');
UPDATE idscope.linked_hub SET state = 'degraded' WHERE host = 'e.hub.example';
SELECT pg_temp.call('link_wake_assign', t.scope('a'), '{f.hub.example}', NULL, '2000');
SELECT is(pg_temp.due(), '{}', 'a hub that nobody waits for wakes nobody');
SELECT pg_temp.call('link_wake_assign', t.scope('a'), '{_.hub.example,%}', NULL, '2000');
SELECT is(pg_temp.due(), '{}', 'a host is a name, not a pattern');
-- In bites of one, each with those that are due at the same time: the four of ten seconds, the one of two hours, the end.
CREATE FUNCTION pg_temp.bites() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    came_to text;
    n int := 0;
BEGIN
    LOOP
        EXECUTE format('EXECUTE link_wake_assign (%L, ''{b.hub.example,e.hub.example}'', %L, 1)', t.scope('a'), came_to) INTO came_to;
        n := n + 1;
        EXIT WHEN came_to IS NULL;
    END LOOP;
    RETURN n;
END
$$;
SELECT is(pg_temp.bites(), 3, 'bites go on where the last one ended');
SELECT is(pg_temp.due(), '{five,long}', 'the fifth hub wakes those that wait for it, however long; not a dead job, nor one that only speaks of it');
SELECT is((SELECT due_at > now() FROM idscope.job WHERE subject = 'theirs'), true, 'nor one of another scope');

-- assign_wait stores what is waited for, row by row; a claim forgets it.
UPDATE idscope.job SET fence = 7, waits_for = NULL, due_at = now() WHERE id_scope = t.scope('a');
SELECT pg_temp.call('assign_wait', t.scope('a'), '{one,five,like}', '{7,7,6}', '{1000,1000,1000}', '{t,f,t}', '{said,NULL,said}', '{NULL,NULL,NULL}', '{f,f,f}',
                    '{one,five,five,like}', '{a.h,b.h,c.h,d.h}');
SELECT is(array(SELECT format('%s %s %s %s', subject, waits_for, attempt, last_error) FROM idscope.job
                 WHERE subject IN ('one', 'five', 'like') ORDER BY subject),
          ARRAY['five {b.h,c.h} 0 ', 'like  0 ', 'one {a.h} 1 said'],
                  'a wait names its hubs; one whose fence is another''s changes nothing');
UPDATE idscope.job SET due_at = now() WHERE subject = 'five';
SELECT pg_temp.call('job_claim', t.scope('a'), 'assign', '100', '1000');
SELECT is((SELECT waits_for FROM idscope.job WHERE subject = 'five'), NULL, 'a claimed job waits for nothing');
SELECT pg_temp.call('link_wake_assign', t.scope('a'), '{b.h}', NULL, '2000');
SELECT is(pg_temp.due(), '{}', 'so its hub''s return does not take it away from its worker');

-- Removals: a subject is the device id, its hub a column beside it; the keys of all causes are kept.
DELETE FROM idscope.job;
CREATE FUNCTION pg_temp.removals() RETURNS text[] LANGUAGE sql AS $$
    SELECT array(SELECT format('%s on %s for %s, fence %s', subject, hub, payload, fence) FROM idscope.job WHERE kind = 'hub_remove' ORDER BY 1)
$$;
UPDATE idscope.registration SET status = 'assigning', target_hub = 'Here.example', target_device_id = 'Device A', assigned_hub = NULL, device_id = NULL
 WHERE id_scope = t.scope('a');
SELECT pg_temp.call_as('idscope_api', 'registration_delete', t.scope('a'), '1', 'device-a', 'false', NULL, NULL, NULL, '45000');
SELECT is(pg_temp.removals(), '{"Device A on here.example for [\"device-a\"], fence 0"}', 'what was being made for a deleted registration is removed later');
SELECT is((SELECT due_at - now() FROM idscope.job), interval '45 s', 'by as much as was asked for');
SELECT t.put('registration', '{"registration_key": "device-b", "registration_id": "device-b", "target_hub": "HERE.example", "target_device_id": "Device A"}');
SELECT pg_temp.call_as('idscope_api', 'registration_delete', t.scope('a'), '1', 'device-b', 'false', NULL, NULL, NULL, '45000');
SELECT is(pg_temp.removals(), '{"Device A on here.example for [\"device-a\", \"device-b\"], fence 0"}', 'one removal for one identity, for whomever it was made');
SELECT pg_temp.call('job_claim', t.scope('a'), 'hub_remove', '5', '1000');
SELECT is((SELECT fence::bigint FROM idscope.job), 0::bigint, 'it waits for the lease of whoever may still be making it');
UPDATE idscope.job SET due_at = now();
INSERT INTO idscope.job (id_scope, kind, subject, hub, payload, due_at) VALUES (t.scope('a'), 'hub_remove', 'Device A', 'there.example', '[]', now());
SELECT pg_temp.call('job_claim', t.scope('a'), 'hub_remove', '5', '1000');
UPDATE idscope.job SET fence = 5;
SELECT pg_temp.call('job_done', t.scope('a'), 'hub_remove', '{Device A}', '{there.example}', '{5}');
SELECT pg_temp.call('job_put_back', t.scope('a'), 'hub_remove', '{Device A}', '{there.example}', '{5}', '{1000}', '{t}', '{no}');
SELECT is((SELECT array_agg(hub || ' ' || attempt) FROM idscope.job), '{"here.example 0"}', 'the same device id on two hubs is two jobs');
SELECT is(idscope.keys_joined('["a"]', '["a"]'), '["a"]', 'a key is remembered once');
SELECT is(jsonb_array_length(idscope.keys_joined((SELECT jsonb_agg(n) FROM generate_series(1, 32) n), '["x"]')), 32, 'and not without end');

-- Jobs of the deployment: one of a kind, claimed by one, given back with how far it has come.
CREATE FUNCTION pg_temp.sweeps() RETURNS text[] LANGUAGE sql AS $$
    SELECT array(SELECT format('%s%s %s', kind, CASE WHEN due_at > now() THEN ' later' END, payload) FROM idscope.tenant_job WHERE tenant_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff' ORDER BY 1)
$$;
SELECT pg_temp.call('sweep_begin', '{one,two}');
SELECT pg_temp.call('sweep_begin', '{one,three,two}');
SELECT is(pg_temp.sweeps(), '{"one ","three ","two "}', 'each kind has one job');
SELECT format('PREPARE due_tenants AS %s', text) FROM t.statement WHERE name = 'tenant_job_due' \gexec
SELECT results_eq($$EXECUTE due_tenants ('one', '00000000-0000-0000-0000-000000000000', 10)$$, $$VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, true, now())$$,
                  'the deployment is met by the walk over tenants');
SELECT pg_temp.call('tenant_job_claim', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'one', '1', '1000');
SELECT is(pg_temp.sweeps(), '{"one later ","three ","two "}', 'a claim is a lease');
SELECT pg_temp.call('tenant_job_go_on', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'one', 'one', '', '1', '0', '{"at": 1}');
SELECT is(pg_temp.sweeps(), '{"one later ","three ","two "}', 'who has not its fence does not give it back');
SELECT pg_temp.call('tenant_job_put_back', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'one', '{one}', '{""}', format('{%s}', fence), '{0}', '{t}', '{no}') FROM idscope.tenant_job WHERE kind = 'one';
SELECT pg_temp.call('tenant_job_go_on', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'one', 'one', '', fence::text, '0', '{"at": 1}') FROM idscope.tenant_job WHERE kind = 'one';
SELECT is(pg_temp.sweeps(), '{"one {\"at\": 1}","three ","two "}', 'who has, does');
SELECT is((SELECT row(attempt::int, last_error::text) FROM idscope.tenant_job WHERE kind = 'one'), row(0, NULL::text), 'and what went well has failed no more');
SELECT is((SELECT due_at FROM idscope.tenant_job WHERE kind = 'seal' AND tenant_id = t.tenant('a')), '2026-01-02T03:04:05Z'::timestamptz, 'a tenant''s job is another''s business');

-- Jobs of a tenant, by the same statements: found, claimed, tried again, dead, done; another tenant's stay.
DELETE FROM idscope.tenant_job;
SELECT t.put('tenant_job', jsonb_build_object('kind', 'bill', 'subject', subject, 'due_at', now() + wait::interval), who)
  FROM (VALUES ('a', 'x', '0'), ('a', 'y', '1 hour'), ('b', 'x', '1 hour')) AS j (who, subject, wait);
SELECT results_eq($$EXECUTE due_tenants ('bill', '00000000-0000-0000-0000-000000000000', 10)$$,
                  $$SELECT t.tenant(who)::text, t.tenant(who)::uuid, due, now() + wait::interval FROM (VALUES ('a', true, '0'), ('b', false, '1 hour')) AS w (who, due, wait)$$,
                  'the walk meets each tenant once, with what is due first');
CREATE FUNCTION pg_temp.bills() RETURNS text[] LANGUAGE sql AS $$
    SELECT array(SELECT format('%s%s %s %s', subject, CASE WHEN due_at = 'infinity' THEN ' dead' WHEN due_at > now() THEN ' later' END, attempt, last_error)
                   FROM idscope.tenant_job WHERE tenant_id = t.tenant('a') ORDER BY 1)
$$;
CREATE FUNCTION pg_temp.fence() RETURNS text LANGUAGE sql AS $$ SELECT format('{%s}', fence) FROM idscope.tenant_job WHERE tenant_id = t.tenant('a') AND subject = 'x' $$;
SELECT pg_temp.call('tenant_job_claim', t.tenant('a')::text, 'bill', '10', '1000');
SELECT is(pg_temp.bills(), '{"x later 0 ","y later 0 "}', 'what is due is claimed');
SELECT pg_temp.call('tenant_job_put_back', t.tenant('a')::text, 'bill', '{x}', '{""}', '{1}', '{0}', '{t}', '{late}');
SELECT is(pg_temp.bills(), '{"x later 0 ","y later 0 "}', 'who has not its fence changes nothing');
SELECT pg_temp.call('tenant_job_put_back', t.tenant('a')::text, 'bill', '{x}', '{""}', pg_temp.fence(), '{0}', '{t}', '{no}');
SELECT is(pg_temp.bills(), '{"x 1 no","y later 0 "}', 'a failed attempt counts, and says why');
SELECT pg_temp.call('tenant_job_put_back', t.tenant('a')::text, 'bill', '{x}', '{""}', pg_temp.fence(), '{-1}', '{t}', '{never}');
SELECT is(pg_temp.bills(), '{"x dead 2 never","y later 0 "}', 'one that is given up is dead');
SELECT pg_temp.call('tenant_job_done', t.tenant('a')::text, 'bill', '{x}', '{""}', pg_temp.fence());
SELECT is(pg_temp.bills(), '{"y later 0 "}', 'one that is done is gone');
SELECT is((SELECT count(*) FROM idscope.tenant_job WHERE tenant_id = t.tenant('b')), 1::bigint, 'and another tenant''s stays');

-- Names rest for as long as the sweep is told.
SELECT t.put('name_rest', jsonb_build_object('since', now() - age::interval), 'a', own) FROM (VALUES ('fresh', '29 days 23:59'), ('rested', '30 days')) AS r (own, age);
SELECT pg_temp.call('sweep_name_rests', '10', '2592000000');
SELECT results_eq($$SELECT name_key FROM idscope.name_rest WHERE name_key IN ('name-fresh', 'name-rested')$$, $$VALUES ('name-fresh' COLLATE "C")$$, 'a name that has rested long enough is free');

-- Stored inputs: what registrations name stays, what is young stays, what became young during the round stays; the walk comes to its end.
DELETE FROM idscope.registration;
DELETE FROM idscope.alloc_input;
SELECT t.put('alloc_input', jsonb_build_object('created_at', now() - age::interval), scope, own)
  FROM (VALUES ('a', 'named', '2 days'), ('a', 'lost', '2 days'), ('a', 'young', '23 hours'), ('a', 'renewed', '2 days'), ('b', 'other', '2 days')) AS i (scope, own, age);
SELECT t.put('registration', jsonb_build_object('registration_key', 'd' || n, 'registration_id', 'd' || n, 'alloc_input', t.good('alloc_input', 'a', 'named') ->> 'hash'))
  FROM generate_series(1, 5) n;
SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name IN ('sweep_inputs_scope') \gexec
CREATE TEMP TABLE next AS EXECUTE sweep_inputs_scope ('', 100, 86400000);
SELECT results_eq('SELECT id_scope, old FROM next', $$VALUES (t.scope('a') COLLATE "C", true)$$, 'the round begins at the first scope with old inputs');
SELECT pg_temp.call('sweep_inputs_mark', t.scope('a'), key, '2', began) FROM next, unnest(ARRAY['', 'd2', 'd4']) AS key;
UPDATE idscope.alloc_input SET created_at = now() WHERE hash = (t.good('alloc_input', 'a', 'renewed') ->> 'hash')::bytea;
SELECT pg_temp.call('sweep_inputs_clear', t.scope('a'), began, '10', '86400000') FROM next;
SELECT set_eq('SELECT hash FROM idscope.alloc_input', $$SELECT (t.good('alloc_input', 'a', own) ->> 'hash')::bytea FROM unnest(ARRAY['named', 'young', 'renewed', 'other']) AS own$$,
              'what was old and named by nobody is gone, and no more');
DROP TABLE next;
CREATE TEMP TABLE next AS EXECUTE sweep_inputs_scope (t.scope('a'), 100, 86400000);
SELECT results_eq('SELECT id_scope, old FROM next', $$VALUES (t.scope('b') COLLATE "C", true)$$, 'the round goes on behind it');
DROP TABLE next;
CREATE TEMP TABLE next AS EXECUTE sweep_inputs_scope (t.scope('b'), 100, 86400000);
SELECT is_empty('SELECT * FROM next', 'and ends');
INSERT INTO idscope.alloc_input (id_scope, hash, input) SELECT 'x' || lpad(n::text, 4, '0'), t.sha()::bytea, '{}' FROM generate_series(1, 150) n;
DROP TABLE next;
CREATE TEMP TABLE next AS EXECUTE sweep_inputs_scope ('x', 100, 86400000);
SELECT results_eq('SELECT id_scope, old FROM next', $$VALUES ('x0100' COLLATE "C", false)$$, 'a look over scopes without old ones ends too');

-- Scopes with work, a page at a time: with their tenants, whether work is due, and never more than was asked for.
DELETE FROM idscope.job;
SELECT t.put('job', jsonb_build_object('subject', 'late', 'due_at', now() - interval '1 minute'), who, who) FROM (VALUES ('a'), ('b')) AS w (who);
SELECT t.put('job', jsonb_build_object('subject', 'later', 'due_at', now() + interval '1 minute'), 'a');
UPDATE idscope.job SET due_at = now() + interval '1 hour' WHERE id_scope = t.scope('b');
CREATE FUNCTION pg_temp.scopes(after text, at_most int) RETURNS TABLE (id_scope text, tenant uuid, due boolean, since timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('PREPARE one AS %s', (SELECT text FROM t.statement WHERE name = 'job_due_scopes'));
    SET LOCAL ROLE idscope_worker;
    RETURN QUERY EXECUTE format('EXECUTE one (%L, %L, %s)', 'assign', after, at_most);
    RESET ROLE;
    DEALLOCATE one;
END
$$;
SELECT results_eq($$SELECT id_scope, tenant, due FROM pg_temp.scopes('', 10)$$,
                  $$VALUES (t.scope('a'), t.tenant('a'), true), (t.scope('b'), t.tenant('b'), false)$$, 'each scope once, with its tenant, and whether its first job is due');
SELECT results_eq($$SELECT id_scope FROM pg_temp.scopes('', 1)$$, $$VALUES (t.scope('a'))$$, 'a page ends where it was asked to');
SELECT results_eq($$SELECT id_scope FROM pg_temp.scopes(t.scope('a'), 10)$$, $$VALUES (t.scope('b'))$$, 'and the next one goes on behind it');

-- A first validation goes before repeated ones, however long these wait.
SELECT t.put('job', jsonb_build_object('kind', 'link_validate', 'subject', 'repeated.hub.example', 'due_at', now() - interval '10 minutes'), 'a');
SELECT pg_temp.call_as('idscope_api', 'linked_jobs', t.scope('a'), '{new.hub.example}', '3600000');
SELECT pg_temp.call('job_claim', t.scope('a'), 'link_validate', '1', '60000');
SELECT is(array(SELECT subject FROM idscope.job WHERE kind = 'link_validate' AND fence > 0), '{new.hub.example}', 'the link that was never validated is claimed first');

SELECT * FROM finish();
ROLLBACK;
